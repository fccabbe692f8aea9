#!/usr/bin/env python3
"""Holds that ptxas spills nothing in the fast kernels: their accumulators live in registers from the first k to the
last, and a spill puts memory traffic into the inner loop.

usage: check_registers.py [--nvcc NVCC] [--arch ARCH]… [--verbose] [FILE.cu…]

Without files, the tiled multiply-accumulate kernels, compiled for sm_80, sm_90 and sm_120 as far as nvcc knows them.
Exit code 1 when a kernel spills or has a stack frame, 77 without nvcc (skipped).
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++17", "-O3", "-fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true",
         "--expt-relaxed-constexpr", "-Xptxas", "-v"]
FAST = ["simt.cu", "tensor.cu"]
ARCHS = ["sm_80", "sm_90", "sm_120"]
KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for '(?P<arch>\w+)'.*?(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers", re.S)


def known(nvcc):
    """The archs that this nvcc compiles for."""
    listed = subprocess.run([nvcc, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout
    return set(listed.split())


def compiled(nvcc, path, arch):
    """What ptxas says of every kernel of a file."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([nvcc, *FLAGS, f"-I{ROOT}", f"-arch={arch}", "-cubin", str(path), "-o",
                               f"{folder}/kernels.cubin"], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"{path} does not compile for {arch}:\n{made.stderr}")
    return list(KERNEL.finditer(made.stderr))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvcc", default=os.environ.get("CUDACXX") or shutil.which("nvcc"))
    parser.add_argument("--arch", action="append")
    parser.add_argument("--verbose", action="store_true", help="print the registers of every kernel")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    if not options.nvcc:
        print("no nvcc on this machine: the registers of the fast kernels were not looked at")
        return 77
    archs = options.arch or [arch for arch in ARCHS if arch in known(options.nvcc)]
    looked_at = spilled = 0
    for path in options.files or [ROOT / "cuda" / "mac" / name for name in FAST]:
        for arch in archs:
            kernels = compiled(options.nvcc, path, arch)
            if not kernels:
                print(f"{path.name} for {arch}: ptxas spoke of no kernel")
                spilled += 1
            for kernel in kernels:
                looked_at += 1
                if options.verbose:
                    print(f"{path.name} {arch} {kernel['registers']:>3} registers  {kernel['name']}")
                if any(int(kernel[what]) for what in ("stack", "stores", "loads")):
                    spilled += 1
                    print(f"{path.name} for {arch}: {kernel['name']} has a stack frame of {kernel['stack']} bytes and "
                          f"spills {kernel['stores']} bytes; give it fewer outputs per thread or shorter stages")
    if not spilled:
        print(f"{looked_at} kernels for {', '.join(archs)} keep everything in registers")
    return 1 if spilled else 0


if __name__ == "__main__":
    sys.exit(main())
