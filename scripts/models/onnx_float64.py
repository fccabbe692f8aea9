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


def constant(given):
    if "value" in given:
        return tensor_of(given["value"])
    value = torch.tensor(next(given[key] for key in ("value_float", "value_floats", "value_int", "value_ints") if key in given))
    return value.double() if value.is_floating_point() else value


def constant_of_shape(given, shape):
    value = tensor_of(given["value"]) if "value" in given else torch.zeros(1, dtype=torch.float64)
    return value.reshape(1).expand(shape.tolist()) if shape.numel() else value.reshape(())


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


def axes_of(given, x, axes, default=None):
    """The axes of a reduction or of Squeeze: an attribute, later an input."""
    axes = given.get("axes", default) if axes is None else axes.tolist()
    return list(range(x.dim())) if axes is None else list(axes)


def reduction(reduce):
    def call(given, x, axes=None):
        if axes is None and "axes" not in given and given.get("noop_with_empty_axes", 0):
            return x
        return reduce(x, axes_of(given, x, axes), bool(given.get("keepdims", 1)))
    return call


def flatten(given, x):
    axis = given.get("axis", 1)
    return x.reshape(int(numpy.prod(x.shape[:axis])), -1)


def reshape(given, x, shape):
    wanted = [x.shape[i] if extent == 0 and not given.get("allowzero", 0) else extent
              for i, extent in enumerate(shape.tolist())]
    return x.reshape(wanted)


def squeeze(given, x, axes=None):
    if axes is None and "axes" not in given:
        return x.squeeze()
    for axis in sorted((a % x.dim() for a in axes_of(given, x, axes)), reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(given, x, axes=None):
    axes = axes_of(given, x, axes)
    for axis in sorted(a % (x.dim() + len(axes)) for a in axes):
        x = x.unsqueeze(axis)
    return x


def cast(given, x):
    kinds = {onnx.TensorProto.FLOAT: torch.float64, onnx.TensorProto.DOUBLE: torch.float64,
             onnx.TensorProto.INT64: torch.int64, onnx.TensorProto.INT32: torch.int64, onnx.TensorProto.BOOL: torch.bool}
    return x.to(kinds[given["to"]])


def slice_(given, x, starts=None, ends=None, axes=None, steps=None):
    starts = given["starts"] if starts is None else starts.tolist()
    ends = given["ends"] if ends is None else ends.tolist()
    axes = given.get("axes", list(range(len(starts)))) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts, ends, axes, steps):
        extent = x.shape[axis]
        chosen = range(*slice(start, end if step > 0 or end >= -extent else None, step).indices(extent))
        x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64))
    return x


def split(given, x, sizes=None, outputs=1):
    axis = given.get("axis", 0)
    sizes = given.get("split") if sizes is None else sizes.tolist()
    if sizes is None:
        parts = given.get("num_outputs", outputs)
        sizes = -(-x.shape[axis] // parts)
    return torch.split(x, sizes, axis)


def gather(given, x, indices):
    axis = given.get("axis", 0) % x.dim()
    flat = torch.where(indices < 0, indices + x.shape[axis], indices).reshape(-1)
    return x.index_select(axis, flat).reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1:]])


def scatter_nd(given, x, indices, updates):
    if given.get("reduction", b"none") != b"none":
        raise ValueError("ScatterND with a reduction is not evaluated here")
    return x.index_put(tuple(indices.unbind(-1)), updates)


def resize(given, x, roi=None, scales=None, sizes=None):
    if given.get("mode", b"nearest") != b"nearest":
        raise ValueError("Resize other than nearest is not evaluated here")
    factors = [a / b for a, b in zip(sizes.tolist(), x.shape)] if sizes is not None else scales.tolist()
    if any(factor != int(factor) for factor in factors):
        raise ValueError("Resize by a factor that is no whole number is not evaluated here")
    for axis, factor in enumerate(factors):
        x = x.repeat_interleave(int(factor), axis)  # every rounding rule agrees where the factor is whole
    return x


def clip(given, x, low=None, high=None):
    low = given.get("min") if low is None else low
    high = given.get("max") if high is None else high
    x = x if low is None else torch.maximum(x, torch.as_tensor(low, dtype=x.dtype))
    return x if high is None else torch.minimum(x, torch.as_tensor(high, dtype=x.dtype))


def layer_norm(given, x, gamma, beta=None):
    axis = given.get("axis", -1) % x.dim()
    return functional.layer_norm(x, x.shape[axis:], gamma, beta, given.get("epsilon", float(numpy.float32(1e-5))))


def gru(given, x, w, r, bias=None, lengths=None, initial=None):
    """Gates in ONNX's order z, r, h."""
    if lengths is not None or given.get("layout", 0) or given.get("direction", b"forward") != b"forward":
        raise ValueError("GRU with lengths, a layout or another direction is not evaluated here")
    hidden = given["hidden_size"]
    h = torch.zeros(x.shape[1], hidden, dtype=x.dtype) if initial is None else initial[0]
    wb, rb = (bias[0, :3 * hidden], bias[0, 3 * hidden:]) if bias is not None else (0.0, 0.0)
    states = []
    for step in x:
        a, b = step @ w[0].T + wb, h @ r[0].T + rb
        z, reset = (torch.sigmoid(a[:, at] + b[:, at]) for at in (slice(0, hidden), slice(hidden, 2 * hidden)))
        if given.get("linear_before_reset", 0):
            n = torch.tanh(a[:, 2 * hidden:] + reset * b[:, 2 * hidden:])
        else:
            bias_n = rb[2 * hidden:] if bias is not None else 0.0
            n = torch.tanh(a[:, 2 * hidden:] + (reset * h) @ r[0, 2 * hidden:].T + bias_n)
        h = (1 - z) * n + z * h
        states.append(h)
    return torch.stack(states).unsqueeze(1), h.unsqueeze(0)


OPS = {
    "Add": lambda given, a, b: a + b,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": lambda given, *parts: torch.cat(parts, given["axis"]),
    "ConstantOfShape": constant_of_shape,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Cos": lambda given, x: torch.cos(x),
    "Div": lambda given, a, b: a / b,
    "Dropout": lambda given, x, *rest: x,
    "Elu": lambda given, x: functional.elu(x, given.get("alpha", 1.0)),
    "Equal": lambda given, a, b: a == b,
    "Erf": lambda given, x: torch.erf(x),
    "Exp": lambda given, x: torch.exp(x),
    "Expand": lambda given, x, shape: x * torch.ones(shape.tolist(), dtype=x.dtype),
    "Flatten": flatten,
    "GRU": gru,
    "Gather": gather,
    "Gelu": lambda given, x: functional.gelu(x, approximate=given.get("approximate", b"none").decode()),
    "Gemm": gemm,
    "GlobalAveragePool": lambda given, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "Greater": lambda given, a, b: a > b,
    "HardSwish": lambda given, x: functional.hardswish(x),
    "Identity": lambda given, x: x,
    "LayerNormalization": layer_norm,
    "LeakyRelu": lambda given, x: functional.leaky_relu(x, given.get("alpha", float(numpy.float32(0.01)))),
    "MatMul": lambda given, a, b: a @ b,
    "MaxPool": max_pool,
    "Mul": lambda given, a, b: a * b,
    "Not": lambda given, x: ~x,
    "Pow": lambda given, a, b: a ** b,
    "Reciprocal": lambda given, x: 1 / x,
    "ReduceL2": reduction(lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()),
    "ReduceMax": reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMean": reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceSum": reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "Relu": lambda given, x: torch.relu(x),
    "Reshape": reshape,
    "Resize": resize,
    "ScatterND": scatter_nd,
    "Shape": lambda given, x: torch.tensor(x.shape[given.get("start", 0):given.get("end", x.dim())]),
    "Sigmoid": lambda given, x: torch.sigmoid(x),
    "Sin": lambda given, x: torch.sin(x),
    "Slice": slice_,
    "Softmax": lambda given, x: torch.softmax(x, given.get("axis", -1)),
    "Softplus": lambda given, x: functional.softplus(x, threshold=1e9),
    "Split": split,
    "Sqrt": lambda given, x: torch.sqrt(x),
    "Squeeze": squeeze,
    "Sub": lambda given, a, b: a - b,
    "Tanh": lambda given, x: torch.tanh(x),
    "Transpose": lambda given, x: x.permute(given.get("perm", list(reversed(range(x.dim()))))),
    "Unsqueeze": unsqueeze,
    "Where": lambda given, condition, a, b: torch.where(condition, a, b),
}


def evaluate(model, inputs):
    """Every tensor of the graph by name, in float64. `inputs`: name -> array; `model`: a ModelProto."""
    values = {"": None}
    for initializer in model.graph.initializer:
        values[initializer.name] = tensor_of(initializer)
    for name, array in inputs.items():
        value = torch.as_tensor(numpy.asarray(array))
        values[name] = value.double() if value.is_floating_point() else value
    with torch.no_grad():
        for node in model.graph.node:
            given = attributes(node)
            if node.op_type == "Constant":
                values[node.output[0]] = constant(given)
                continue
            if node.op_type not in OPS:
                raise ValueError(f"node '{node.name}' is {node.op_type}, which is not evaluated here")
            operands = [values[name] for name in node.input]
            more = {"outputs": len(node.output)} if node.op_type == "Split" else {}
            results = OPS[node.op_type](given, *operands, **more)
            results = results if isinstance(results, tuple) else (results,)
            values.update(zip(node.output, results))
    return values


def outputs(model, inputs):
    """The graph's outputs in float64, as arrays by name."""
    values = evaluate(model, inputs)
    return {output.name: values[output.name].numpy() for output in model.graph.output}


def relative_difference(y, r):
    """||y - r||2 / ||r||2 in double."""
    y, r = numpy.asarray(y, numpy.float64), numpy.asarray(r, numpy.float64)
    return float(numpy.linalg.norm((y - r).ravel()) / numpy.linalg.norm(r.ravel()))
