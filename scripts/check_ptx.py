#!/usr/bin/env python3
"""Holds the order of operations in what nvcc makes of the kernels: only operations that round to nearest even,
each fused multiply-add a spelled one, nothing flushed, nothing approximate.

usage: check_ptx.py [--nvcc NVCC] [--arch ARCH]… [FILE.cu…]

Without files, every kernel of cuda/. Exit code 1 when a rule is broken, 77 without nvcc (skipped).
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++17", "-fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true", "--expt-relaxed-constexpr"]
# What the rules of cuda/device.hpp leave (min and max only where they are the selection that was written): an arithmetic instruction on floats that is not listed is a complaint.
# rcp.rn is the division of 1, correctly rounded.
ALLOWED = re.compile(
    r"(fma|add|sub|mul|div|rcp|sqrt)\.rn\.(f32|f64)|cvt\.rn\.f32\.(f64|s64|u64|s32|u32|u16|u8)|"
    r"cvt\.rn\.f64\.(s64|u64|s32|u32|u16|u8)|cvt\.f64\.f32|cvt\.rna\.tf32\.f32|cvt\.rzi\.s64\.f32|"
    r"(neg|abs|selp|mov|ld|st|setp|set|shfl|testp|mma|min|max)\S*")
FLOATING = re.compile(r"^(?:@!?%\w+\s+)?([a-z0-9_]+(?:\.[a-z0-9_:]+)*)")
MMA = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
# One epilogue step that rides on a product, as cuda/arithmetic.hpp declares it: add, fma, mul, the sequence of sigmoid
# with its exp (model/arithmetic/sequences.hpp), and the two products around it of swish.
STEP = {"fma.rn.f32": 1 + 8, "add.rn.f32": 1 + 2, "sub.rn.f32": 1, "mul.rn.f32": 1 + 3 + 2, "div.rn.f32": 1}


def without_steps(count):
    """The operations beside the epilogue, which was inlined as often as there are divisions."""
    steps = count["div.rn.f32"]
    return {word: count[word] - steps * STEP[word] for word in STEP}


# Every kind of step, each inlined once, as model/arithmetic/sequences*.hpp spell them. In float, fused ones: 1 of fma,
# hard_sigmoid and hard_swish each, 8 of exp, of sigmoid and of swish, 13 of tanh (8 + 5), 22 of erf (8 + 14) and of
# gelu, 14 of gelu_tanh. In double, of the 302 that are correctly rounded: 15 of exp, tanh and mish each, 30 of sigmoid
# and swish (an exp on either side of -1), 31 of gelu_tanh and softplus, 46 of erf and gelu, 9 of log, 17 of sin and cos.
EVERY_STEP = {"fma.rn.f32": 98, "add.rn.f32": 23, "sub.rn.f32": 19, "mul.rn.f32": 45, "div.rn.f32": 9, "sqrt.rn.f32": 2,
              "fma.rn.f64": 460, "add.rn.f64": 40, "sub.rn.f64": 45, "mul.rn.f64": 79, "div.rn.f64": 21}


def elementwise(count):
    return all(count[word] == EVERY_STEP[word] for word in EVERY_STEP)


def mac(adds_per_output):
    """Chains of fma, and `adds_per_output` additions for each output of a thread: the closing one and, of chunks,
    the sum's."""
    def holds(count):
        rest = without_steps(count)
        outputs, odd = divmod(rest["add.rn.f32"], adds_per_output)
        return (outputs > 0 and odd == 0 and rest["fma.rn.f32"] > 0 and rest["fma.rn.f32"] % outputs == 0 and
                rest["mul.rn.f32"] == rest["sub.rn.f32"] == 0)
    return holds


def tensor(count):
    """Products by the matrix instruction alone, four outputs of a thread each, and the closing additions."""
    rest = without_steps(count)
    return (count[MMA] > 0 and rest["add.rn.f32"] % 4 == 0 and rest["add.rn.f32"] > 0 and
            rest["fma.rn.f32"] == rest["mul.rn.f32"] == rest["sub.rn.f32"] == 0)


def sums(count):
    """Sums, of squares by fma, and products; one mean, one root."""
    return (count["add.rn.f32"] > 0 and count["fma.rn.f32"] > 0 and count["mul.rn.f32"] > 0 and
            count["div.rn.f32"] == count["sqrt.rn.f32"] == 1 and count["sub.rn.f32"] == 0)


def means(count):
    return (count["add.rn.f32"] > 0 and count["div.rn.f32"] > 0 and
            count["fma.rn.f32"] == count["mul.rn.f32"] == count["sub.rn.f32"] == 0)


def weighted(count):
    return (count["mul.rn.f32"] > 0 and count["fma.rn.f32"] > 0 and
            count["add.rn.f32"] == count["div.rn.f32"] == count["sub.rn.f32"] == 0)


def metrics(count):
    """Of the five sums of a comparison four are fused, and none is a product by itself: one is the bound's."""
    return count["fma.rn.f64"] == 4 and count["mul.rn.f64"] == 1


# File, what a kernel's mangled name holds, and what its operations must be.
ORDERED = [
    ("elementwise.cu", "11elementwise", elementwise),
    ("plain.cu", "11plain_chain", mac(1)),
    ("simt.cu", "MacOrderE0", mac(1)),
    ("simt.cu", "MacOrderE1", mac(3)),
    ("tensor.cu", "10tensor_mac", tensor),
    ("reduce.cu", "reduce_by_", sums),
    ("average_pool.cu", "12average_pool", means),
    ("resize.cu", "6resize", weighted),
    ("compare.cu", "7compareI", metrics),
]


def instructions(ptx):
    """Yields kernel, instruction of every line inside a kernel."""
    kernel = None
    for line in ptx.splitlines():
        found = re.search(r"\.entry\s+(\w+)|\.func\s.*?(\w+)\s*\(", line)
        if found:
            kernel = found.group(1) or found.group(2)
        text = line.strip()
        word = FLOATING.match(text)
        if kernel and word and text.endswith(";"):
            yield kernel, word.group(1)


def complaints(path, arch, ptx):
    counts = collections.defaultdict(collections.Counter)
    for kernel, word in instructions(ptx):
        counts[kernel][word] += 1
        floating = re.search(r"\.(f32|f64|f16|bf16)\b", word) is not None
        if floating and not ALLOWED.fullmatch(word):
            yield f"{path.name} for {arch}: {kernel} has {word}"
        if ".ftz" in word or ".approx" in word or ".sat" in word:
            yield f"{path.name} for {arch}: {kernel} has {word}"
    for file, part, holds in ORDERED:
        if file != path.name:
            continue
        kernels = {name: count for name, count in counts.items() if part in name}
        if not kernels:
            yield f"{path.name} for {arch}: no kernel is called {part}"
        for name, count in kernels.items():
            if not holds(count):
                yield f"{path.name} for {arch}: {name} does not have the operations of its order but {dict(count)}"
    if not counts:
        yield f"{path.name} for {arch}: no kernel was found"


def contracts(nvcc):
    """Whether the flags still let the compiler fuse: the check of this check."""
    source = "__global__ void probe(float* x) { x[0] = x[1] * x[2] + x[3]; }\n"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "probe.cu"
        file.write_text(source)
        out = {}
        for name, flags in (("ours", FLAGS), ("default", ["-std=c++17"])):
            out[name] = subprocess.run([nvcc, *flags, "-ptx", str(file), "-o", "-"], capture_output=True, text=True,
                                       check=True).stdout
    if "fma.rn.f32" in out["ours"]:
        yield "nvcc fuses a*b+c although the flags say -fmad=false"
    if "fma.rn.f32" not in out["default"]:
        yield "nvcc no longer fuses a*b+c by default, so this check shows nothing"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvcc", default=os.environ.get("CUDACXX") or shutil.which("nvcc"))
    parser.add_argument("--arch", action="append")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    if not options.nvcc:
        print("no nvcc on this machine: the PTX of the kernels was not looked at")
        return 77
    files = options.files or sorted((ROOT / "cuda").rglob("*.cu"))
    found = list(contracts(options.nvcc))
    for path in files:
        for arch in options.arch or ["sm_90"]:
            made = subprocess.run([options.nvcc, *FLAGS, f"-I{ROOT}", f"-arch={arch}", "-ptx", str(path), "-o", "-"],
                                  capture_output=True, text=True)
            if made.returncode != 0:
                found.append(f"{path.name} for {arch} does not compile:\n{made.stderr}")
                continue
            found += complaints(path, arch, made.stdout)
    for each in found:
        print(each)
    if not found:
        print(f"{len(files)} files keep their order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
