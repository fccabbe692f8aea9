#!/usr/bin/env python3
"""Holds the compile flags that decide bits, in every compile command and by their effect.

usage: check_flags.py COMPILE_COMMANDS.json
"""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

PRODUCT = ("model", "cpu", "cuda", "compare", "reports", "cli")
FORBIDDEN = ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-fassociative-math", "-freciprocal-math",
             "-ffinite-math-only", "-fno-signed-zeros", "-march=native", "-mdaz-ftz", "-ffp-contract=fast",
             "-ffp-contract=on")
DEVICE = ("-fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true")  # what nvcc must be told
# With -mfma and no -ffp-contract=off, g++ turns this into one fused instruction.
PROBE = "float probe(float a, float b, float c) { return a * b + c; }\n"


def complaints(commands, root):
    checked = 0
    for entry in commands:
        path = pathlib.Path(entry["file"])
        try:
            folder = path.relative_to(root).parts[0]
        except ValueError:
            continue
        if folder not in PRODUCT:
            continue
        checked += 1
        words = shlex.split(entry["command"])
        if pathlib.Path(words[0]).name == "nvcc" or "-x" in words and "cu" in words:
            for flag in DEVICE:
                if flag not in words:
                    yield f"{path}: compiled without {flag}"
        elif "-ffp-contract=off" not in words:
            yield f"{path}: compiled without -ffp-contract=off (link parity_bits)"
        for word in words:
            if word in FORBIDDEN:
                yield f"{path}: compiled with {word}"
    if checked == 0:
        yield "no compile command of the product was found: nothing was checked"


def contracts(command):
    """Whether the product's own flags still let the compiler fuse a*b+c."""
    words = shlex.split(command)
    keep = [w for w in words[1:] if w.startswith(("-f", "-O", "-std=", "-m"))]
    compiler = next(w for w in words if "++" in pathlib.Path(w).name)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "probe.cpp"
        source.write_text(PROBE)
        machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True).stdout
        fma = ["-mfma"] if machine.startswith("x86_64") else []
        out = subprocess.run([compiler, *keep, *fma, "-S", "-o", "-", str(source)], capture_output=True, text=True,
                             check=True).stdout
    return "fmadd" in out


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(__file__).resolve().parent.parent
    commands = json.loads(pathlib.Path(sys.argv[1]).read_text())
    found = list(complaints(commands, root))
    if not found and contracts(next(c["command"] for c in commands if f"{root}/cpu/" in c["file"])):
        found = ["the compiler fuses a*b+c although the flags say -ffp-contract=off"]
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
