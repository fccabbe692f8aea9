#!/usr/bin/env python3
"""Runs a model in onnxruntime and writes the output of every node to an .npz by ONNX tensor name.

The file is a capture from a foreign runtime: `paritylab diff MODEL --b capture:FILE.npz` judges it stage by stage.

  python3 scripts/models/capture_onnxruntime.py M.onnx --input M.inputs.npz --out M.capture.npz
  python3 scripts/models/capture_onnxruntime.py M.onnx --input M.inputs.npz --out edited.npz \\
      --edit eps:/blocks.1/blocks.1.4/BatchNormalization=1e-1
  python3 scripts/models/capture_onnxruntime.py --suite tests/data/models      # every committed capture

An --edit changes the model that is run (never the file): `eps:NODE=VALUE` sets a BatchNormalization's epsilon,
`transpose:INITIALIZER` swaps the two spatial axes of a kernel, `scale:INITIALIZER=FACTOR` multiplies it,
`reset:NODE=0|1` sets a GRU's linear_before_reset, `carry:NODE` lets a GRU begin in the state that a run before ended in,
`begin:NODE` in zeros, `bias:NODE=input|recurrent` leaves out that half of its bias, `gates:NODE=1,0,2` takes its gates'
weights in that order, `recurrence:NODE` transposes each gate's recurrent weights, `alpha:NODE=VALUE` sets an activation's
alpha, `int8:INITIALIZER` takes weights through int8 with one scale per row.
Judged against the original file, such a capture must name the stage that was edited and no other.
"""

import argparse
import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper

LEVELS = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

# The committed captures: model, optimisation level, edit, file name after the model's. With the optimiser on only
# what ends a stage is kept: asking for every node's output would forbid the fusions.
SUITE = [
    ("second.kept", "disabled", None, "onnxruntime"),
    ("second.folded", "disabled", None, "onnxruntime"),
    ("second.kept", "all", None, "onnxruntime-optimised"),
    ("centerpoint.kept", "disabled", None, "onnxruntime"),
    ("resnet18.kept", "disabled", None, "onnxruntime"),
    ("planner.kept", "disabled", None, "onnxruntime"),
    ("centerpoint_points.folded", "disabled", None, "onnxruntime"),
    ("resnet50.kept", "disabled", None, "onnxruntime"),
    ("mobilenet_v2.folded", "disabled", None, "onnxruntime"),
    ("efficientnet_b0.kept", "disabled", None, "onnxruntime"),
    ("yolo.kept", "disabled", None, "onnxruntime"),
    ("convnext.kept", "disabled", None, "onnxruntime"),
    ("codenet.kept", "disabled", None, "onnxruntime"),
    ("codenet_state.folded", "disabled", None, "onnxruntime"),
    ("heimdall.dynamo", "disabled", None, "onnxruntime"),
    ("heimdall_pro.dynamo", "disabled", None, "onnxruntime"),
    ("second.kept", "disabled", "eps:/blocks.1/blocks.1.4/BatchNormalization=1e-5", "onnxruntime-eps"),
    ("second.kept", "disabled", "transpose:blocks.2.6.weight", "onnxruntime-transposed"),
    ("centerpoint.kept", "disabled", "transpose:neck.deblocks.2.0.weight", "onnxruntime-transposed"),
    ("resnet18.kept", "disabled", "transpose:layer3.0.conv2.weight", "onnxruntime-transposed"),
    ("planner.kept", "disabled", "scale:decoder.2.weight=1.0001", "onnxruntime-scaled"),
    ("planner.kept", "disabled", "scale:decoder.2.bias=2", "onnxruntime-doubled"),
    ("planner.kept", "disabled", "int8:decoder.0.weight", "onnxruntime-int8"),
    ("codenet.kept", "disabled", "reset:/gru2/GRU=0", "onnxruntime-reset"),
    ("codenet.kept", "disabled", "carry:/gru1/GRU", "onnxruntime-carried"),
    ("codenet_state.folded", "disabled", "begin:/gru2/GRU", "onnxruntime-begun"),
    ("codenet_state.folded", "disabled", "bias:/gru1/GRU=recurrent", "onnxruntime-bias"),
    ("codenet_state.folded", "disabled", "gates:/gru2/GRU=1,0,2", "onnxruntime-gates"),
    ("codenet_state.folded", "disabled", "recurrence:/gru2/GRU", "onnxruntime-recurrence"),
    ("heimdall.dynamo", "disabled", "alpha:node_leaky_relu=0.01", "onnxruntime-alpha"),
]


def carry_state(model, node, inputs):
    """Makes the node begin in the state that a run before ended in."""
    last = node.output[1]
    alone = onnx.ModelProto.FromString(model.SerializeToString())
    del alone.graph.output[:]
    alone.graph.output.append(onnx.helper.make_empty_tensor_value_info(last))
    session = onnxruntime.InferenceSession(alone.SerializeToString(), providers=["CPUExecutionProvider"])
    state, = session.run([last], {i.name: inputs[i.name] for i in session.get_inputs()})
    model.graph.initializer.append(numpy_helper.from_array(state, "state of the run before"))
    node.input[5] = "state of the run before"
    return model


def with_attribute(model, node, name, value):
    """The node with one attribute of its own."""
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])
    return model


def with_weights(model, node, edit, kind, value):
    """A GRU with half of its bias left out, its recurrent weights transposed, or its gates in another order."""
    initializers = {initializer.name: initializer for initializer in model.graph.initializer}
    for name in node.input[1:4]:
        if name not in initializers:
            raise ValueError(f"--edit {edit}: '{name}' is computed and no initializer; take a folded export")
    if kind == "bias":
        bias = numpy_helper.to_array(initializers[node.input[3]]).copy()
        half = bias.shape[1] // 2
        bias[:, {"input": slice(0, half), "recurrent": slice(half, None)}[value]] = 0
        initializers[node.input[3]].CopyFrom(numpy_helper.from_array(bias, node.input[3]))
        return model
    if kind == "recurrence":
        recurrent = numpy_helper.to_array(initializers[node.input[2]])
        directions, rows, hidden = recurrent.shape
        blocks = recurrent.reshape(directions, rows // hidden, hidden, hidden)
        array = numpy.ascontiguousarray(numpy.swapaxes(blocks, -1, -2)).reshape(recurrent.shape)
        initializers[node.input[2]].CopyFrom(numpy_helper.from_array(array, node.input[2]))
        return model
    order = [int(gate) for gate in value.split(",")]
    for name in node.input[1:4]:
        halves = 2 if name == node.input[3] else 1  # the bias holds the input's and the recurrent one
        gates = numpy.split(numpy_helper.to_array(initializers[name]), len(order) * halves, axis=1)
        places = [half * len(order) + gate for half in range(halves) for gate in order]
        array = numpy.concatenate([gates[place] for place in places], axis=1)
        initializers[name].CopyFrom(numpy_helper.from_array(numpy.ascontiguousarray(array), name))
    return model


def through_int8(weights):
    """Weights quantised and taken back by onnxruntime itself, one scale per row (output channel), no zero point."""
    rows = weights.reshape(weights.shape[0], -1)
    scale = (numpy.abs(rows).max(axis=1) / numpy.float32(127)).astype(numpy.float32)
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    zero = numpy_helper.from_array(numpy.zeros(len(scale), numpy.int8), "zero")
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["w", "scale", "zero"], ["q"], axis=0),
         helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], axis=0)], "int8",
        [helper.make_tensor_value_info("w", floats, rows.shape)], [helper.make_tensor_value_info("y", floats, rows.shape)],
        [numpy_helper.from_array(scale, "scale"), zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"w": rows})[0].reshape(weights.shape)


def edited(model, edit, inputs):
    """The model with one constant changed."""
    if edit is None:
        return model
    kind, _, rest = edit.partition(":")
    target, _, value = rest.partition("=")
    if kind in ("reset", "carry", "begin", "bias", "gates", "recurrence"):
        node = next((node for node in model.graph.node if node.name == target and node.op_type == "GRU"), None)
        if node is None:
            raise ValueError(f"--edit {edit}: the model has no GRU '{target}'")
        if kind == "carry":
            return carry_state(model, node, inputs)
        if kind == "begin":
            node.input[5] = ""
            return model
        if kind == "reset":
            return with_attribute(model, node, "linear_before_reset", int(value))
        return with_weights(model, node, edit, kind, value)
    if kind == "alpha":
        node = next((node for node in model.graph.node if node.name == target), None)
        if node is None:
            raise ValueError(f"--edit {edit}: the model has no node '{target}'")
        return with_attribute(model, node, "alpha", float(value))
    if kind == "eps":
        nodes = [node for node in model.graph.node if node.name == target]
        if not nodes:
            raise ValueError(f"--edit {edit}: the model has no node '{target}'")
        for attribute in nodes[0].attribute:
            if attribute.name == "epsilon":
                attribute.f = float(value)
                return model
        raise ValueError(f"--edit {edit}: node '{target}' has no epsilon")
    for initializer in model.graph.initializer:
        if initializer.name == target:
            array = numpy_helper.to_array(initializer)
            if kind == "transpose":
                array = numpy.swapaxes(array, -1, -2)
            elif kind == "scale":
                array = (array * numpy.float32(value)).astype(array.dtype)
            elif kind == "int8":
                array = through_int8(array)
            else:
                raise ValueError(f"--edit {edit}: known edits are eps, transpose, scale, int8, reset, carry, begin, bias, gates, "
                                 "recurrence and alpha")
            initializer.CopyFrom(numpy_helper.from_array(numpy.ascontiguousarray(array), target))
            return model
    names = ", ".join(initializer.name for initializer in model.graph.initializer)
    raise ValueError(f"--edit {edit}: the model has no initializer '{target}'; it has {names}")


def stage_ends(model):
    """Tensors that fusion leaves alone: outputs of activations and of nodes whose result no single BatchNormalization,
    activation or residual addition consumes."""
    riders = {"BatchNormalization", "Relu", "Sigmoid", "Add"}
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    for output in model.graph.output:
        readers.setdefault(output.name, []).append("graph output")
    return [name for node in model.graph.node for name in node.output
            if not (len(readers.get(name, [])) == 1 and readers[name][0] in riders)]


def capture(path, inputs, level, edit, threads):
    """Every wanted tensor by name."""
    model = edited(onnx.load(str(path)), edit, inputs)
    every = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output if name]
    wanted = every if level == "disabled" else stage_ends(model)
    given = {output.name for output in model.graph.output}
    for name in wanted:
        if name not in given:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    results = dict(zip(names, session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()})))
    return {name: results[name] for name in wanted}


def write(path, inputs_path, out, level, edit, threads):
    with numpy.load(inputs_path) as archive:
        inputs = {name: archive[name] for name in archive.files}
    tensors = capture(path, inputs, level, edit, threads)
    numpy.savez_compressed(out, **tensors)
    print(f"{out.name}: {len(tensors)} tensors of {path.name} in onnxruntime {onnxruntime.__version__}, optimiser "
          f"{level}, {'edited ' + edit if edit else 'unedited'}, {out.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=pathlib.Path, help="the ONNX file")
    parser.add_argument("--input", type=pathlib.Path, help=".npz with one array per input, by name")
    parser.add_argument("--out", type=pathlib.Path, help=".npz to write")
    parser.add_argument("--level", choices=LEVELS, default="disabled",
                        help="graph optimisation (default: disabled, so that every node is its own)")
    parser.add_argument("--edit", help="eps:NODE=VALUE, transpose:INITIALIZER, scale:INITIALIZER=FACTOR, reset:NODE=0|1, carry:NODE, begin:NODE, "
                             "bias:NODE=input|recurrent, gates:NODE=ORDER, recurrence:NODE, alpha:NODE=VALUE or int8:INITIALIZER")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads (default: 1)")
    parser.add_argument("--suite", type=pathlib.Path, help="folder of the committed models: write all their captures")
    options = parser.parse_args()
    try:
        if options.suite:
            for name, level, edit, suffix in SUITE:
                network = name.split(".")[0]
                write(options.suite / f"{name}.onnx", options.suite / f"{network}.inputs.npz",
                      options.suite / f"{name}.{suffix}.npz", level, edit, options.threads)
        elif options.model and options.input and options.out:
            write(options.model, options.input, options.out, options.level, options.edit, options.threads)
        else:
            parser.error("name MODEL, --input and --out, or --suite")
    except (ValueError, OSError) as why:
        print(f"capture_onnxruntime: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
