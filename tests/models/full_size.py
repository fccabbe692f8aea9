#!/usr/bin/env python3
"""Exports a network at full size, both variants, and holds the lab to it.

Checks, per variant: every output of `cpu:fp64` lies within 1e-12 (||y - r||2 / ||r||2) of PyTorch evaluating the file's
own constants in float64, and no stage of `cpu:fp32` leaves its bound around the oracle. Exit code 77 = skipped.
"""

import argparse
import pathlib
import subprocess
import sys

SKIPPED = 77
FIGURE = 1e-12  # the agreement in double that the project demands of every exported model
SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts/models"


def say(command):
    print("+", " ".join(map(str, command)), flush=True)
    return [str(word) for word in command]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="paritylab")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where exports go")
    options = parser.parse_args()
    try:
        import numpy
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as why:
        print(f"skipped: full-size exports need torch, onnx and numpy ({why}); see scripts/models/README.md")
        return SKIPPED
    sys.path.insert(0, str(SCRIPTS))
    import onnx_float64

    subprocess.run(say([sys.executable, SCRIPTS / "export_models.py", "--size", "full", "--out", options.folder,
                        options.network]), check=True)
    inputs = options.folder / f"{options.network}.inputs.npz"
    failures = 0
    for variant in ("folded", "kept"):
        model = options.folder / f"{options.network}.{variant}.onnx"
        made = options.folder / f"{options.network}.{variant}.fp64.npz"
        subprocess.run(say([options.program, "run", model, "--on", "cpu:fp64", "--input", inputs, "--output", made]),
                       check=True)
        with numpy.load(made) as got, numpy.load(options.folder / f"{options.network}.{variant}.expected.npz") as wanted:
            for name in wanted.files:
                difference = onnx_float64.relative_difference(got[name], wanted[name])
                good = got[name].dtype == numpy.float64 and difference <= FIGURE
                failures += not good
                print(f"{model.name} {name}: {difference:.2e} {'' if good else '✗ beyond 1e-12, or not float64'}")
        command = [options.program, "diff", model, "--a", "cpu:fp64", "--b", "cpu:fp32", "--input", inputs]
        code = subprocess.run(say(command)).returncode
        failures += code != 0
        print(f"{model.name}: diff cpu:fp64 cpu:fp32 exit code {code}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
