"""Evaluates an ONNX file in float64 with PyTorch, from the constants that the file holds.

This is the referee's view of a model: no exporter, no optimiser and no float32 rounding between the stored constants and
the result. Only the ops of the test models are known; any other is an error that names it.
"""

import numpy
import onnx
import torch
import torch.nn.functional as functional
from onnx import numpy_helper


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def tensor_of(proto):
    array = numpy_helper.to_array(proto)
    value = torch.from_numpy(numpy.array(array))
    return value.double() if value.is_floating_point() else value


def padded(x, pads, value=0.0):
    """ONNX pads (all begins, then all ends) applied by torch, which counts from the last axis."""
    rank = len(pads) // 2
    order = []
    for axis in reversed(range(rank)):
        order += [pads[axis], pads[axis + rank]]
    return functional.pad(x, order, value=value) if any(pads) else x


def window(given, spatial):
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ValueError("auto_pad is not evaluated here; export with explicit pads")
    ones = [1] * spatial
    return given.get("strides", ones), given.get("dilations", ones), given.get("pads", [0] * (2 * spatial))


def conv(given, x, w, bias=None):
    spatial = x.dim() - 2
    strides, dilations, pads = window(given, spatial)
    call = functional.conv1d if spatial == 1 else functional.conv2d
    return call(padded(x, pads), w, bias, strides, 0, dilations, given.get("group", 1))


def conv_transpose(given, x, w, bias=None):
    strides, dilations, pads = window(given, 2)
    if given.get("output_shape") or pads[:2] != pads[2:]:
        raise ValueError("ConvTranspose with output_shape or uneven pads is not evaluated here")
    extra = given.get("output_padding", [0, 0])
    return functional.conv_transpose2d(x, w, bias, strides, pads[:2], extra, given.get("group", 1), dilations)


def batch_norm(given, x, gamma, beta, mean, variance):
    shape = [1, -1] + [1] * (x.dim() - 2)
    scale = gamma / torch.sqrt(variance + given.get("epsilon", float(numpy.float32(1e-5))))
    return (x - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)


def max_pool(given, x):
    strides, dilations, pads = window(given, 2)
    if given.get("ceil_mode", 0):
        raise ValueError("MaxPool with ceil_mode is not evaluated here")
    return functional.max_pool2d(padded(x, pads, -torch.inf), given["kernel_shape"], strides, 0, dilations)


def gemm(given, a, b, c=None):
    a = a.T if given.get("transA", 0) else a
    b = b.T if given.get("transB", 0) else b
    y = given.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + given.get("beta", 1.0) * c


def reduce_mean(given, x, axes=None):
    axes = given.get("axes") if axes is None else axes.tolist()
    return x.mean(axes, keepdim=bool(given.get("keepdims", 1)))


def flatten(given, x):
    axis = given.get("axis", 1)
    return x.reshape(int(numpy.prod(x.shape[:axis])), -1)


def reshape(given, x, shape):
    wanted = [x.shape[i] if extent == 0 and not given.get("allowzero", 0) else extent
              for i, extent in enumerate(shape.tolist())]
    return x.reshape(wanted)


OPS = {
    "Add": lambda given, a, b: a + b,
    "BatchNormalization": batch_norm,
    "Concat": lambda given, *parts: torch.cat(parts, given["axis"]),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Dropout": lambda given, x, *rest: x,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": lambda given, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "Identity": lambda given, x: x,
    "MatMul": lambda given, a, b: a @ b,
    "MaxPool": max_pool,
    "Mul": lambda given, a, b: a * b,
    "ReduceMean": reduce_mean,
    "Relu": lambda given, x: torch.relu(x),
    "Reshape": reshape,
    "Sigmoid": lambda given, x: torch.sigmoid(x),
    "Transpose": lambda given, x: x.permute(given["perm"]),
}


def evaluate(model, inputs):
    """Every tensor of the graph by name, in float64. `inputs`: name -> array; `model`: a ModelProto."""
    values = {"": None}
    for initializer in model.graph.initializer:
        values[initializer.name] = tensor_of(initializer)
    for name, array in inputs.items():
        values[name] = torch.as_tensor(numpy.asarray(array)).double()
    with torch.no_grad():
        for node in model.graph.node:
            given = attributes(node)
            if node.op_type == "Constant":
                values[node.output[0]] = tensor_of(given["value"])
                continue
            if node.op_type not in OPS:
                raise ValueError(f"node '{node.name}' is {node.op_type}, which is not evaluated here")
            values[node.output[0]] = OPS[node.op_type](given, *(values[name] for name in node.input))
    return values


def outputs(model, inputs):
    """The graph's outputs in float64, as arrays by name."""
    values = evaluate(model, inputs)
    return {output.name: values[output.name].numpy() for output in model.graph.output}


def relative_difference(y, r):
    """||y - r||2 / ||r||2 in double."""
    y, r = numpy.asarray(y, numpy.float64), numpy.asarray(r, numpy.float64)
    return float(numpy.linalg.norm((y - r).ravel()) / numpy.linalg.norm(r.ravel()))
