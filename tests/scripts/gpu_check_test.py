#!/usr/bin/env python3
"""scripts/gpu-check on a machine that is played: its tools are stubs that answer as a GPU's machine would, so that the
script's own words, its record and its exit codes are held before anybody has such a machine."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

SMI = "echo 'NVIDIA H100 80GB HBM3, 580.1, 9.0, 81559 MiB'"
NVCC = "echo 'Cuda compilation tools, release 13.0, V13.0.1'"
# Building puts the other stubs where the script looks for programs.
CMAKE = """[ "$1" = --build ] || exit 0
mkdir -p "$2/tests/cuda" "$2/cli" "$2/bench"
cp "$STUBS/test_cuda" "$2/tests/cuda/"; cp "$STUBS/paritylab" "$2/cli/"; cp "$STUBS/cuda_bench" "$2/bench/" """
TEST_CUDA = """for word; do case $word in --gtest_output=json:*) cp "$STUBS/tests.json" "${word#*json:}" ;; esac; done"""
# The library truncates: asked for another rounding it is refused by the probe.
PARITYLAB = """case "$*" in
  *determinism*) echo '{"axes": [{"axis": "streams", "runs": 3, "same": 2, "settings": []}]}' ;;
  *cublas*rna*|*rna*cublas*) echo "refused: a probe on the device saw TF32 (truncate)"; exit 2 ;;
esac
while [ $# -gt 0 ]; do [ "$1" = --report ] && cp "$STUBS/record.json" "$2"; shift; done; exit 0"""
BENCH = """while [ $# -gt 0 ]; do [ "$1" = --output ] && cp "$STUBS/bench.json" "$2"; shift; done"""
CUDNN = """print('''{"torch": "2", "cudnn": 91000, "layers": [{"stage": "blocks.0.3", "layer": "64x256x256 to 64, stride 1",
"math": "fp32", "best": {"tflops": 51.5}, "implicit_gemm": {"tflops": 40.25}, "refused": []}]}'''.replace(chr(10), " "))"""


def tests(result):
    return {"testsuites": [{"name": "GpuVectors", "testsuite": [
        {"name": "Matrix", "time": "0.1s", "result": "COMPLETED", "sm_90_vectors_as_k8f25": "686 of 686"},
        {"name": "Other", "time": "0.1s", "result": result}]}]}


def bench(stage):
    return {"cases": [{"case": "A", "spec": "cuda:fp32", "seconds": 2e-3, "tflops": 37.5,
                       "stages": [{"stage": stage, "tflops": 39.5}]}]}


def played(folder, result="COMPLETED", verdict="same_bits", without=()):
    """(exit code, output, record) of gpu-check in a tree of its own."""
    stubs = folder / "stubs"
    for place in ("tree/scripts", "tree/bench", "stubs"):
        (folder / place).mkdir(parents=True)
    for name, text in {"nvidia-smi": SMI, "nvcc": NVCC, "cmake": CMAKE, "test_cuda": TEST_CUDA, "paritylab": PARITYLAB,
                       "cuda_bench": BENCH}.items():
        if name in without:
            continue
        (stubs / name).write_text(f"#!/bin/sh\n{text}\n")
        (stubs / name).chmod(0o755)
    (stubs / "tests.json").write_text(json.dumps(tests(result)))
    (stubs / "record.json").write_text(json.dumps({"stages": [{"verdict": "same_bits"}, {"verdict": verdict}]}))
    (stubs / "bench.json").write_text(json.dumps(bench("blocks.0.3")))
    (folder / "tree/bench/against_cudnn.py").write_text(CUDNN)
    shutil.copy(ROOT / "scripts/gpu-check", folder / "tree/scripts")
    # Only the stubs and what shells need: whatever toolkit this machine has is out of sight.
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("sh", "mkdir", "cp"):
        (tools / tool).symlink_to(shutil.which(tool))
    done = subprocess.run([sys.executable, folder / "tree/scripts/gpu-check"], capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{stubs}:{tools}", "STUBS": str(stubs)})
    records = list((folder / "tree").glob("tests/hardware/*.json"))
    return done.returncode, done.stdout + done.stderr, json.loads(records[0].read_text()) if records else None


def main():
    failures = []

    def demand(what, holds, text):
        if not holds:
            failures.append(f"{what}\n{text}")

    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        code, text, record = played(root / "good")
        demand("a good machine passes", code == 0 and record is not None, text)
        for line in ("build       passed", "686 of 686  sm_90_vectors_as_k8f25", "identical  sample:second/narrow",
                     "refused    cuda:tf32@sm_90,round=rna", "2 of 3 runs with the same bits by cuBLAS over streams",
                     "here   39.5, cuDNN's implicit GEMM   40.2, cuDNN's best   51.5 TFLOP/s", "sanitizers  not run"):
            demand(f"the table says: {line}", line in text, text)
        demand("the record has the parts", record and all(
            part in record for part in ("device", "build", "tests", "networks", "library", "cudnn", "benches")), str(record))

        code, text, _ = played(root / "skipped", result="SKIPPED")
        demand("a skipped test is a failure", code == 1 and "skipped GpuVectors.Other" in text, text)
        code, text, _ = played(root / "different", verdict="within_bound")
        demand("one stage of other bits is a failure", code == 1 and "DIFFERENT  sample:second/narrow" in text, text)
        code, text, record = played(root / "unbuilt", without=["cmake"])
        demand("without CMake nothing is claimed",
               code == 1 and "FAILED" in text and record and not record["tests"]["passed"], text)
        code, text, record = played(root / "no toolkit", without=["nvcc"])
        demand("no toolkit is told", code == 5 and "no nvcc" in text and record is None, text)
        code, text, record = played(root / "no gpu", without=["nvidia-smi"])
        demand("no GPU is told", code == 5 and "lists no GPU" in text and record is None, text)
    print("\n".join(failures) or "gpu-check keeps its word on a machine that is played")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
