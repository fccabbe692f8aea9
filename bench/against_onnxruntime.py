#!/usr/bin/env python3
"""Times a network in onnxruntime's CPU provider and in the lab, alternating, and prints medians and their ratio.

Both sides run the same ONNX file on the same float32 tensors, NCHW in and NCHW out. onnxruntime may do everything its
optimiser knows (graph optimisation level all: BatchNorm folded, blocked layouts); the lab keeps BatchNorm, adds in its
fixed order, and converts layouts at both ends inside the timed region. The lab's time without those conversions is
printed beside it, and the ratios of minima and of processor time, which suffer less from other work on the machine (the
latter means something for one thread only: worker threads spin while they wait). One run of either side follows one of the other, so that both see the same machine; a pause between
them lets the other side's worker threads go to sleep.

  cmake --preset bench && cmake --build --preset bench
  python3 bench/against_onnxruntime.py --case A --threads 1 2
  python3 bench/against_onnxruntime.py --model M.onnx --threads 2
"""

import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import numpy
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def exported(case, network, build):
    """The full-size export of a bench case, made once."""
    path = build / "models" / case / f"{network}.kept.onnx"
    if not path.exists():
        command = [sys.executable, str(ROOT / "scripts/models/export_models.py"), "--size", "full", "--case", case,
                   "--variant", "kept", "--out", str(path.parent), network]
        print("making", path, file=sys.stderr)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


class Lab:
    """bench_run, waiting for a line per run."""

    def __init__(self, program, model, spec, threads, dense):
        command = [str(program), str(model), "--on", spec, "--threads", str(threads), "--wait",
                   "--input", "normal:7" if dense else "pillars:7"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.macs = self.read()["macs"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("bench_run ended; its message is above")
        return json.loads(line)

    def once(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Onnxruntime:
    def __init__(self, model, threads, seed, dense):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        random = numpy.random.default_rng(seed)
        self.feeds = {}
        for each in self.session.get_inputs():
            value = random.standard_normal(each.shape).astype(numpy.float32)
            if len(each.shape) == 4 and not dense:  # a pillar pseudo-image: one cell in sixteen
                value = numpy.maximum(value, 0) * (random.random((each.shape[0], 1, *each.shape[2:])) < 1 / 16)
            self.feeds[each.name] = value.astype(numpy.float32)

    def once(self):
        start, processor = time.perf_counter(), time.process_time()
        self.session.run(None, self.feeds)
        return time.perf_counter() - start, time.process_time() - processor


def measure(program, model, spec, threads, runs, pause, dense):
    lab, other = Lab(program, model, spec, threads, dense), Onnxruntime(model, threads, 7, dense)
    for _ in range(2):
        other.once()
    mine, resident, theirs, my_processor, their_processor = [], [], [], [], []
    try:
        for _ in range(runs):
            time.sleep(pause)
            row = lab.once()
            mine.append(row["seconds"])
            resident.append(row["resident_seconds"])
            my_processor.append(row["processor_seconds"])
            time.sleep(pause)
            seconds, processor = other.once()
            theirs.append(seconds)
            their_processor.append(processor)
    finally:
        lab.close()
    gflop = 2e-9 * lab.macs
    a, b, c = statistics.median(mine), statistics.median(resident), statistics.median(theirs)
    return {
        "threads": threads, "runs": runs, "gflop": gflop, "paritylab_seconds": a, "paritylab_resident_seconds": b,
        "onnxruntime_seconds": c, "ratio": c / a, "ratio_resident": c / b, "ratio_of_minima": min(theirs) / min(mine),
        "ratio_of_processor_time": statistics.median(their_processor) / statistics.median(my_processor),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="A", choices=list("ABCDEFG"), help="bench case (default: A)")
    parser.add_argument("--network", default="second_fpn", choices=("second", "second_fpn", "centerpoint"))
    parser.add_argument("--model", type=pathlib.Path, help="time this ONNX file instead of a bench case")
    parser.add_argument("--on", default="cpu:fp32", help="the lab's spec (default: cpu:fp32)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads of both sides (default: 1 2)")
    parser.add_argument("--runs", type=int, default=9, help="runs of each side per thread count (default: 9)")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between runs (default: 0.1)")
    parser.add_argument("--dense", action="store_true",
                        help="no zeros in the input; default: a pillar image, one cell in sixteen (which `chain` uses)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/bench", help="build folder with bench_run")
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows to this file")
    options = parser.parse_args()
    program = options.build / "bench" / "bench_run"
    if not program.exists():
        print(f"against_onnxruntime: {program} is missing; build it: cmake --preset bench && cmake --build --preset "
              f"bench", file=sys.stderr)
        return 1
    model = options.model or exported(options.case, options.network, options.build)
    name = options.model.name if options.model else f"{options.network}/{options.case}"
    name += ", dense input" if options.dense else ""
    print(f"{name} on {processor()}, {datetime.date.today()}, onnxruntime {onnxruntime.__version__} CPU, medians of "
          f"{options.runs} alternating runs")
    print("| threads | paritylab | without layout conversion | onnxruntime | onnxruntime / paritylab | resident | of minima | of processor time |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for threads in options.threads:
        row = measure(program, model, options.on, threads, options.runs, options.pause,
                      options.dense)
        rows.append(row)
        print(f"| {threads} | {1e3 * row['paritylab_seconds']:.0f} ms ({row['gflop'] / row['paritylab_seconds']:.0f} "
              f"GFLOP/s) | {1e3 * row['paritylab_resident_seconds']:.0f} ms | {1e3 * row['onnxruntime_seconds']:.0f} ms "
              f"| {row['ratio']:.2f} | {row['ratio_resident']:.2f} | {row['ratio_of_minima']:.2f} "
              f"| {row['ratio_of_processor_time']:.2f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"model": name, "processor": processor(), "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
