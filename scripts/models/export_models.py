#!/usr/bin/env python3
"""Exports the test networks from PyTorch to ONNX and computes what the lab must reproduce.

For every export it writes
  NAME.VARIANT.onnx            the file as the exporter made it, minus metadata that names paths of this machine
  NAME.inputs.npz              seeded inputs by name (float32)
  NAME.VARIANT.expected.npz    the graph's outputs in float64, evaluated from the exported file's own constants
and prints, per output, ||y - r||2 / ||r||2 between that evaluation and the original module in double: what the
exporter's own float32 arithmetic (BatchNorm folding) cost.

Variants: `kept` leaves BatchNormalization in the graph, `folded` lets the exporter multiply it into the weights, `dynamo`
is PyTorch's newer exporter, which folds too.

  python3 scripts/models/export_models.py --out tests/data/models              # the narrow ones, committed
  python3 scripts/models/export_models.py --size full --out build/models second centerpoint resnet18 planner
"""

import argparse
import copy
import dataclasses
import pathlib
import sys
import warnings

import numpy
import onnx
import torch

import networks
import onnx_float64

WEIGHT_SEED = 1
INPUT_SEED = 7


@dataclasses.dataclass(frozen=True)
class Export:
    network: str
    variant: str  # folded, kept or dynamo
    opset: int

    @property
    def name(self):
        return f"{self.network}.{self.variant}"


NARROW_EXPORTS = [
    Export("second", "folded", 11),
    Export("second", "kept", 13),
    Export("second", "dynamo", 18),
    Export("centerpoint", "folded", 13),
    Export("centerpoint", "kept", 17),
    Export("resnet18", "folded", 11),
    Export("resnet18", "kept", 17),
    Export("planner", "folded", 9),
    Export("planner", "kept", 17),
    Export("planner", "dynamo", 20),
    Export("centerpoint_points", "folded", 16),
    Export("centerpoint_points", "dynamo", 18),
    Export("resnet50", "kept", 15),
    Export("mobilenet_v2", "folded", 12),
    Export("mobilenet_v2", "dynamo", 18),
    Export("efficientnet_b0", "folded", 13),
    Export("efficientnet_b0", "kept", 17),
    Export("efficientnet_b0", "dynamo", 18),
    Export("convnext", "folded", 14),
    Export("convnext", "kept", 17),
    Export("convnext", "dynamo", 20),
    Export("yolo", "folded", 11),
    Export("yolo", "kept", 17),
    Export("yolo", "dynamo", 18),
    Export("codenet", "folded", 14),
    Export("codenet", "kept", 17),
    Export("codenet_state", "folded", 11),
    Export("heimdall", "folded", 16),
    Export("heimdall", "dynamo", 18),
    Export("heimdall_pro", "folded", 16),
    Export("heimdall_pro", "dynamo", 20),
]
FULL_EXPORTS = [Export(name, variant, 17) for name in networks.NETWORKS for variant in ("folded", "kept")]


def export(network, inputs, wanted, path):
    """Writes the ONNX file."""
    common = dict(input_names=list(inputs), output_names=network.outputs, opset_version=wanted.opset)
    arguments = tuple(inputs.values())
    # The exporter may train or fuse in place; the caller's module stays as it is.
    module = copy.deepcopy(network.module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if wanted.variant == "dynamo":  # with every extent as sampled
            torch.onnx.export(module, arguments, str(path), dynamo=True, external_data=False, verbose=False, **common)
        else:
            common["dynamic_axes"] = network.extents
            fold = wanted.variant == "folded"
            training = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(module, arguments, str(path), dynamo=False, do_constant_folding=fold, training=training,
                              **common)
    model = onnx.load(str(path))
    without_paths(model)
    onnx.save(model, str(path))
    return model


def without_paths(model):
    """Drops stack traces and printed source: they name files of the exporting machine, and nothing reads them."""
    kept = ("namespace", "pkg.torch.onnx.name_scopes")
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        entries = [entry for entry in node.metadata_props if entry.key in kept]
        del node.metadata_props[:]
        node.metadata_props.extend(entries)
    for info in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        info.doc_string = ""
        del info.metadata_props[:]


def in_double(network, inputs):
    """The original module, its weights and the inputs widened to double."""
    module = copy.deepcopy(network.module).double()
    with torch.no_grad():
        results = module(*(value.double() if value.is_floating_point() else value for value in inputs.values()))
    results = results if isinstance(results, tuple) else (results,)
    return {name: value.numpy() for name, value in zip(network.outputs, results)}


def save(path, arrays):
    numpy.savez_compressed(path, **arrays)
    print(f"  wrote {path.name}: {path.stat().st_size} bytes")


def write(wanted, case, out, made):
    """One export with its inputs and expectation; returns the rows of the table in the README."""
    if wanted.network not in made:
        made[wanted.network] = networks.make(wanted.network, case, WEIGHT_SEED)
        inputs = made[wanted.network].sample(INPUT_SEED)
        save(out / f"{wanted.network}.inputs.npz", {name: value.numpy() for name, value in inputs.items()})
    network = made[wanted.network]
    inputs = network.sample(INPUT_SEED)
    path = out / f"{wanted.name}.onnx"
    model = export(network, inputs, wanted, path)
    norms = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    print(f"{wanted.name}: opset {wanted.opset}, {len(model.graph.node)} nodes, {norms} BatchNormalization, "
          f"{path.stat().st_size} bytes")
    expected = onnx_float64.outputs(model, inputs)
    save(out / f"{wanted.name}.expected.npz", expected)
    original = in_double(network, inputs)
    worst = 0.0
    for name, value in expected.items():
        difference = onnx_float64.relative_difference(value, original[name])
        worst = max(worst, difference)
        print(f"  {name}: float64 evaluation of the file against the module in double {difference:.3e}")
    return (wanted.name, wanted.opset, len(model.graph.node), norms, path.stat().st_size, worst)


def table(rows):
    lines = ["| file | opset | nodes | BatchNormalization | bytes | file against module, both in double |",
             "|---|---|---|---|---|---|"]
    lines += [f"| `{name}.onnx` | {opset} | {nodes} | {norms} | {size} | {worst:.1e} |"
              for name, opset, nodes, norms, size, worst in rows]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="which networks; default: all of the size")
    parser.add_argument("--size", choices=("narrow", "full"), default="narrow",
                        help="narrow: a few channels, small images; full: as deployed (default: narrow)")
    parser.add_argument("--case", default=None, choices=sorted(networks.SECOND_CASES),
                        help="bench case of the SECOND family at full size (default: A)")
    parser.add_argument("--variant", choices=("folded", "kept", "dynamo"), help="only this variant")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    options = parser.parse_args()
    known = sorted({wanted.network for wanted in (NARROW_EXPORTS if options.size == "narrow" else FULL_EXPORTS)})
    for name in options.networks:
        if name not in known:
            parser.error(f"there is no {options.size} network '{name}'; there are {', '.join(known)}")
    if options.case and options.size == "narrow":
        parser.error("--case chooses among full-size networks; add --size full")

    options.out.mkdir(parents=True, exist_ok=True)
    exports = NARROW_EXPORTS if options.size == "narrow" else FULL_EXPORTS
    exports = [wanted for wanted in exports if not options.networks or wanted.network in options.networks]
    exports = [wanted for wanted in exports if not options.variant or wanted.variant == options.variant]
    rows, made = [], {}
    for wanted in exports:
        case = "narrow" if options.size == "narrow" else networks.FULL_CASE[wanted.network]
        if options.case and wanted.network in ("second", "second_fpn", "centerpoint"):
            case = options.case
        rows.append(write(wanted, case, options.out, made))
    print(f"\nPyTorch {torch.__version__.split('+')[0]}, onnx {onnx.__version__}, weight seed {WEIGHT_SEED}, "
          f"input seed {INPUT_SEED}\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
