#!/usr/bin/env python3
"""Holds the include rules of ARCHITECTURE.md. Prints every line that breaks one; exit code 1 if any does.

usage: check_includes.py [ROOT]
"""
import pathlib
import re
import sys

# folder: the folders of the product that its files may include from. A value may also name single headers.
MAY_INCLUDE = {
    "model": {"model/"},
    "cpu": {"cpu/", "model/"},
    "cuda": {"cuda/", "model/"},
    "compare": {"compare/", "model/"},
    "reports": {"reports/", "compare/record.hpp", "compare/sweep_record.hpp", "model/"},
    "cli": {"cli/", "model/", "cpu/", "cuda/", "compare/", "reports/"},
}
OUTSIDE = ("tests/", "bench/", "scripts/")  # may include anything; nothing includes them

# (what an include looks like, where it may stand, what the rule is)
LIBRARIES = [
    (re.compile(r"google/protobuf/|onnx/|.*\.pb\.h$"), lambda f: f.startswith("model/onnx/"),
     "protobuf is seen only in model/onnx/"),
    (re.compile(r"cuda\w*\.h|cublas\w*\.h|cuda/std/|cub/|nvtx3/|mma\.h$"), lambda f: f.startswith("cuda/"),
     "CUDA headers are included only in cuda/"),
    (re.compile(r"hwy/"), lambda f: f.startswith("cpu/"), "Highway is included only in cpu/"),
    (re.compile(r"Eigen/"), lambda f: f.startswith("cpu/"), "Eigen is included only in cpu/"),
    (re.compile(r"CLI/"), lambda f: f.startswith("cli/"), "CLI11 is included only in cli/"),
    (re.compile(r"nlohmann/"), lambda f: f.endswith(".cpp"), "nlohmann/json is included only in .cpp files"),
    (re.compile(r"zip\.h$"), lambda f: f.startswith("model/files/"), "libzip is included only in model/files/"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def complaints(root):
    for folder, allowed in MAY_INCLUDE.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".cpp", ".hpp", ".cu", ".h", ".inc"):
                continue
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                where = f"{name}:{number}"
                if "<<<" in line and not name.startswith("cuda/"):
                    yield f"{where}: kernels are launched only in cuda/"
                found = INCLUDE.match(line)
                if not found:
                    continue
                quote, target = found.groups()
                ours = target.startswith(tuple(f"{each}/" for each in MAY_INCLUDE) + OUTSIDE)
                if ours and quote == '"' and not target.startswith(tuple(allowed)):
                    yield f"{where}: {folder}/ must not include {target}"
                if quote == '"' and (target.startswith(".") or "/../" in target):
                    yield f"{where}: includes are written from the root, not as {target}"
                if ours and quote == '"':
                    continue
                for pattern, fits, rule in LIBRARIES:
                    if pattern.match(target) and not fits(name):
                        yield f"{where}: {rule}, not {target} here"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    if not (root / "model").is_dir():
        sys.exit(f"{root} holds no model/ folder: nothing to check")
    found = list(complaints(root))
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
