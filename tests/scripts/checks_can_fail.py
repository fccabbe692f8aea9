#!/usr/bin/env python3
"""A check that never fired proves nothing: breaks each rule in a small tree and demands the complaint."""
import json
import pathlib
import subprocess
import sys
import tempfile

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"

# (file, line, what the complaint says)
INCLUDES = [
    ("cpu/a.cpp", '#include "cuda/b.hpp"', "cpu/ must not include cuda/b.hpp"),
    ("cuda/a.cu", '#include "cpu/b.hpp"', "cuda/ must not include cpu/b.hpp"),
    ("compare/a.cpp", '#include "cpu/b.hpp"', "compare/ must not include cpu/b.hpp"),
    ("reports/a.cpp", '#include "compare/differ.hpp"', "reports/ must not include compare/differ.hpp"),
    ("model/a.cpp", '#include "compare/record.hpp"', "model/ must not include compare/record.hpp"),
    ("model/a.cpp", '#include "tests/b.hpp"', "model/ must not include tests/b.hpp"),
    ("model/a.cpp", "#include <onnx/onnx_pb.h>", "protobuf is seen only in model/onnx/"),
    ("cpu/a.cpp", "#include <cuda_runtime.h>", "CUDA headers are included only in cuda/"),
    ("compare/a.hpp", "#include <nlohmann/json.hpp>", "only in .cpp files"),
    ("cpu/a.cpp", "kernel<<<1, 1>>>();", "kernels are launched only in cuda/"),
    ("model/a.cpp", '#include "../cpu/b.hpp"', "written from the root"),
]


def output(*command):
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    failures = []

    def demand(what, code, text, wanted_code, part):
        if code != wanted_code or part not in text:
            failures.append(f"{what}: exit code {code}, output: {text.strip()}")

    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for folder in ("model", "cpu", "cuda", "compare", "reports", "cli"):
            (root / folder).mkdir()
        demand("a clean tree", *output(SCRIPTS / "check_includes.py", root), 0, "")
        for file, line, part in INCLUDES:
            (root / file).write_text(line + "\n")
            demand(f"{file} with {line}", *output(SCRIPTS / "check_includes.py", root), 1, part)
            (root / file).unlink()

        commands = root / "compile_commands.json"
        source = SCRIPTS.parent / "cpu/threads.cpp"
        for flags, part in (("-O2", "without -ffp-contract=off"),
                            ("-ffp-contract=off -ffast-math", "compiled with -ffast-math")):
            commands.write_text(json.dumps([{"file": str(source), "command": f"g++ {flags} -c {source}"}]))
            demand(flags, *output(SCRIPTS / "check_flags.py", commands), 1, part)
        commands.write_text("[]")
        demand("no commands", *output(SCRIPTS / "check_flags.py", commands), 1, "nothing was checked")

        # A compiler that says what a real one would say of a kernel.
        nvcc = root / "nvcc"
        for stores, code, part in ((0, 0, "1 kernels for sm_90 keep everything"), (8, 1, "spills 8 bytes")):
            nvcc.write_text("#!/bin/sh\n"
                            "if [ $1 = --list-gpu-code ]; then echo sm_90; exit; fi\n"
                            "cat >&2 <<END\n"
                            "ptxas info    : Compiling entry function 'kernel' for 'sm_90'\n"
                            "ptxas info    : Function properties for kernel\n"
                            f"    0 bytes stack frame, {stores} bytes spill stores, 0 bytes spill loads\n"
                            "ptxas info    : Used 255 registers, used 1 barriers\nEND\n")
            nvcc.chmod(0o755)
            demand(f"a kernel that spills {stores} bytes",
                   *output(SCRIPTS / "check_registers.py", "--nvcc", nvcc, source), code, part)
        nvcc.write_text("#!/bin/sh\necho sm_90\n")
        demand("a compiler that says nothing", *output(SCRIPTS / "check_registers.py", "--nvcc", nvcc, source), 1,
               "spoke of no kernel")
    for each in failures:
        print(each)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
