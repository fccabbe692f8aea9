#!/usr/bin/env python3
"""Times the convolutions of bench case A in cuDNN, for the times of bench/cuda_bench to stand beside. Prints JSON.

Each layer in FP32 and with TF32 allowed, twice over: "best" is what PyTorch's search picks (cudnn.benchmark) of all that
cuDNN has, Winograd included, in the better of both layouts; "implicit GEMM" is the better of cuDNN's two implicit-GEMM
algorithms, called by number, which multiply and add what `chain` and the tensor-core contracts multiply and add. Where
cuDNN refuses an algorithm for a layout and a math mode, the row says so. Times are medians of five batches of launches
between two events; the layers are rerun on the same tensors, as cuda_bench reruns them.

Exit codes: 0 measured, 5 no torch with CUDA and cuDNN here.
"""
import argparse
import ctypes
import json
import pathlib
import statistics
import sys

# The stages of the case that differ: channels in and out, side of the input, stride; 3x3 with padding 1.
LAYERS = {"blocks.0.0": (64, 64, 512, 2), "blocks.0.3": (64, 64, 256, 1), "blocks.1.0": (64, 128, 256, 2),
          "blocks.1.3": (128, 128, 128, 1), "blocks.2.0": (128, 256, 128, 2), "blocks.2.3": (256, 256, 64, 1)}
# Of cudnn.h.
NCHW, NHWC = 0, 1
FLOAT, CROSS_CORRELATION = 0, 1
MATH = {"fp32": 3, "tf32": 0}  # FMA_MATH, DEFAULT_MATH
ALGORITHMS = {"IMPLICIT_GEMM": 0, "IMPLICIT_PRECOMP_GEMM": 1}


class Refused(Exception):
    """cuDNN will not do what was asked, in its words."""


class Cudnn:
    """The calls of cuDNN that run one convolution by one algorithm."""

    def __init__(self, library):
        self.library = library
        library.cudnnGetErrorString.restype = ctypes.c_char_p
        library.cudnnGetErrorString.argtypes = [ctypes.c_int]

    def call(self, function, *arguments):
        status = getattr(self.library, function)(*arguments)
        if status != 0:
            raise Refused(f"{function}: {self.library.cudnnGetErrorString(status).decode()}")

    def created(self, function):
        made = ctypes.c_void_p()
        self.call(function, ctypes.byref(made))
        return made

    def descriptors(self, layer, layout, math):
        """(x, w, convolution, y) of a layer."""
        channels, filters, side, stride = layer
        out = (side - 1) // stride + 1
        x, y = self.created("cudnnCreateTensorDescriptor"), self.created("cudnnCreateTensorDescriptor")
        w, convolution = self.created("cudnnCreateFilterDescriptor"), self.created("cudnnCreateConvolutionDescriptor")
        self.call("cudnnSetTensor4dDescriptor", x, layout, FLOAT, 1, channels, side, side)
        self.call("cudnnSetTensor4dDescriptor", y, layout, FLOAT, 1, filters, out, out)
        self.call("cudnnSetFilter4dDescriptor", w, FLOAT, layout, filters, channels, 3, 3)
        self.call("cudnnSetConvolution2dDescriptor", convolution, 1, 1, stride, stride, 1, 1, CROSS_CORRELATION, FLOAT)
        self.call("cudnnSetConvolutionMathType", convolution, MATH[math])
        return x, w, convolution, y


def library(torch):
    """cuDNN as torch loaded it, or from where torch keeps it."""
    major = torch.backends.cudnn.version() // 10000
    beside = pathlib.Path(torch.__file__).parent.parent / f"nvidia/cudnn/lib/libcudnn.so.{major}"
    for name in (f"libcudnn.so.{major}", str(beside)):
        try:
            return ctypes.CDLL(name)
        except OSError as why:
            last = why
    raise Refused(f"libcudnn.so.{major} is not found by its name: {last}")


def seconds(torch, launch):
    """Of one launch: the median of five batches of twenty between two events, after one batch to warm up."""
    times = []
    for _ in range(6):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(20):
            launch()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop) * 1e-3 / 20)
    return statistics.median(times[1:])


def kernel(torch, launch):
    """The name of what ran longest."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        launch()
        torch.cuda.synchronize()
    events = sorted(profile.key_averages(), key=lambda event: -event.device_time_total)
    return events[0].key[:120] if events else "unknown"


def tensors(torch, layer, layout):
    """x and w of a layer, real values, stored in a layout."""
    channels, filters, side, _ = layer
    stored = torch.channels_last if layout == NHWC else torch.contiguous_format
    return (torch.randn(1, channels, side, side, device="cuda").contiguous(memory_format=stored),
            torch.randn(filters, channels, 3, 3, device="cuda").contiguous(memory_format=stored))


def best(torch, layer, math):
    """PyTorch's pick, in the layout that is quicker."""
    torch.backends.cudnn.allow_tf32 = math == "tf32"
    rows = []
    for layout, name in ((NHWC, "NHWC"), (NCHW, "NCHW")):
        x, w = tensors(torch, layer, layout)
        def launch(): return torch.nn.functional.conv2d(x, w, stride=layer[3], padding=1)
        rows.append({"seconds": seconds(torch, launch), "layout": name, "kernel": kernel(torch, launch)})
    return min(rows, key=lambda row: row["seconds"])


def implicit_gemm(torch, cudnn, handle, layer, math):
    """The quickest of both algorithms in both layouts, and what was refused on the way."""
    torch.backends.cudnn.allow_tf32 = False
    rows, refused = [], []
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    for layout, layout_name in ((NHWC, "NHWC"), (NCHW, "NCHW")):
        x, w = tensors(torch, layer, layout)
        reference = torch.nn.functional.conv2d(x.double(), w.double(), stride=layer[3], padding=1)
        y = torch.full_like(reference, float("nan"), dtype=torch.float32,
                            memory_format=torch.channels_last if layout == NHWC else torch.contiguous_format)
        for algorithm, number in ALGORITHMS.items():
            try:
                xd, wd, convolution, yd = cudnn.descriptors(layer, layout, math)
                size = ctypes.c_size_t()
                cudnn.call("cudnnGetConvolutionForwardWorkspaceSize", handle, xd, wd, convolution, yd, number,
                           ctypes.byref(size))
                workspace = torch.empty(max(1, size.value), dtype=torch.uint8, device="cuda")
                def launch():
                    cudnn.call("cudnnConvolutionForward", handle, ctypes.byref(one), xd, ctypes.c_void_p(x.data_ptr()),
                               wd, ctypes.c_void_p(w.data_ptr()), convolution, number,
                               ctypes.c_void_p(workspace.data_ptr()), ctypes.c_size_t(size.value), ctypes.byref(zero), yd,
                               ctypes.c_void_p(y.data_ptr()))
                row = {"seconds": seconds(torch, launch), "layout": layout_name, "algorithm": algorithm,
                       "kernel": kernel(torch, launch)}
                row["relative_error"] = ((y - reference).norm() / reference.norm()).item()
                rows.append(row)
            except Refused as why:
                refused.append(f"{algorithm} in {layout_name}: {why}")
    return min(rows, key=lambda row: row["seconds"], default={}), refused


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        import torch
    except ImportError:
        print("against_cudnn: torch is not installed here", file=sys.stderr)
        return 5
    if not torch.cuda.is_available() or not torch.backends.cudnn.is_available():
        print("against_cudnn: this torch has no CUDA device or no cuDNN", file=sys.stderr)
        return 5
    torch.backends.cudnn.benchmark = True
    rows, absent = [], ""
    try:
        cudnn = Cudnn(library(torch))
        handle = cudnn.created("cudnnCreate")
        cudnn.call("cudnnSetStream", handle, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream))
    except Refused as why:
        cudnn, absent = None, str(why)
    for stage, layer in LAYERS.items():
        channels, filters, side, stride = layer
        out = (side - 1) // stride + 1
        work = 2e-12 * 9 * channels * filters * out * out
        for math in MATH:
            row = {"stage": stage, "layer": f"{channels}x{side}x{side} to {filters}, stride {stride}", "math": math,
                   "best": best(torch, layer, math)}
            row["best"]["tflops"] = work / row["best"]["seconds"]
            if cudnn:
                row["implicit_gemm"], row["refused"] = implicit_gemm(torch, cudnn, handle, layer, math)
                if row["implicit_gemm"]:
                    row["implicit_gemm"]["tflops"] = work / row["implicit_gemm"]["seconds"]
            rows.append(row)
    document = {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "layers": rows}
    if absent:
        document["implicit_gemm_not_measured"] = absent
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
