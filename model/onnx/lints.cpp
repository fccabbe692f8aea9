#include "model/onnx/lints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "model/onnx/node_view.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const std::string& name) {
  for (const onnx::AttributeProto& each : node.attribute())
    if (each.name() == name) return &each;
  return nullptr;
}

std::string called(const FlatNode& node) {
  return shown_type(node.proto->op_type()) + " " + shown(name_of(node));
}

/// "Dropout 'drop1' (and 2 more)".
std::string called(const std::vector<const FlatNode*>& nodes) {
  return called(*nodes.front()) +
         (nodes.size() > 1 ? " (and " + std::to_string(nodes.size() - 1) + " more)" : "");
}

/// The fewest digits that read back as the float: "1e-05".
std::string brief(float value) { return fmt::format("{}", value); }

/// Whether a BatchNormalization or Dropout is exported as training runs it.
bool trains(const FlatNode& node, const ConstantProtos& constants) {
  const onnx::NodeProto& proto = *node.proto;
  if (proto.op_type() == "BatchNormalization") {
    const onnx::AttributeProto* mode = attribute(proto, "training_mode");
    bool statistics = false;  // outputs of its own are how training is written before opset 14
    for (int i = 1; i < proto.output_size(); ++i) statistics |= !proto.output(i).empty();
    return statistics || (mode != nullptr && mode->i() != 0);
  }
  constexpr int training_mode = 2;
  if (proto.op_type() != "Dropout" || proto.input_size() <= training_mode) return false;
  const auto mode = constants.find(proto.input(training_mode));
  if (mode == constants.end() || mode->second->data_type() != onnx::TensorProto::BOOL) return false;
  const onnx::TensorProto& flag = *mode->second;
  return flag.raw_data().empty() ? flag.int32_data_size() > 0 && flag.int32_data(0) != 0
                                 : flag.raw_data()[0] != 0;
}

void tell_batch_norms(const Model& model, Remarks& remarks) {
  int norms = 0, convolutions = 0;
  for (const FlatNode& node : model.nodes) {
    norms += node.proto->op_type() == "BatchNormalization";
    convolutions += node.proto->op_type() == "Conv" || node.proto->op_type() == "ConvTranspose";
  }
  if (norms > 0)
    remarks.notes.push_back(
        std::to_string(norms) +
        " BatchNormalization kept by the exporter: another runtime may fold them into the weights, "
        "which rounds each weight once more (fold_bn=on does the same)");
  else if (convolutions > 0)
    remarks.notes.push_back(
        "no BatchNormalization in the file: if the network had any, the exporter folded it into "
        "the "
        "weights, in float32");
}

/// An epsilon decides where a channel's variance is small, and exporters and runtimes default to
/// different ones.
void lint_epsilons(const Model& model, Remarks& remarks) {
  struct Usual {
    float least, most, by_default;
  };
  const std::map<std::string, Usual> ops = {{"BatchNormalization", {1e-6F, 1e-2F, 1e-5F}},
                                            {"InstanceNormalization", {1e-7F, 1e-2F, 1e-5F}},
                                            {"GroupNormalization", {1e-7F, 1e-2F, 1e-5F}},
                                            {"LayerNormalization", {1e-12F, 1e-2F, 1e-5F}}};
  std::map<std::string, std::map<float, std::vector<const FlatNode*>>> seen;
  for (const FlatNode& node : model.nodes) {
    const auto usual = ops.find(node.proto->op_type());
    if (usual == ops.end()) continue;
    const onnx::AttributeProto* given = attribute(*node.proto, "epsilon");
    const float epsilon = given ? given->f() : usual->second.by_default;
    seen[usual->first][epsilon].push_back(&node);
    if (!(epsilon >= usual->second.least && epsilon <= usual->second.most))
      remarks.lints.push_back(called(node) + " has an epsilon of " + brief(epsilon) +
                              ", which is unusual: networks use " + brief(usual->second.least) +
                              " to " + brief(usual->second.most));
  }
  for (const auto& [op, by_epsilon] : seen) {
    if (by_epsilon.size() < 2) continue;
    const auto commonest = std::max_element(
        by_epsilon.begin(), by_epsilon.end(),
        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    for (const auto& [epsilon, nodes] : by_epsilon)
      if (4 * nodes.size() <= commonest->second.size())
        remarks.lints.push_back(called(*nodes.front()) + " has an epsilon of " + brief(epsilon) +
                                " where " + std::to_string(commonest->second.size()) + " other " +
                                op + " of this network have " + brief(commonest->first));
  }
}

/// Whether every element is zero; not known, and so false, of what lies in another file.
bool is_zero(const onnx::TensorProto& tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) return false;
  const auto zero = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](auto value) { return value == 0; });
  };
  return zero(tensor.raw_data()) && zero(tensor.float_data()) && zero(tensor.double_data()) &&
         zero(tensor.int32_data()) && zero(tensor.int64_data()) && zero(tensor.uint64_data());
}

/// Which tensors are zeros that the file itself holds, however its exporter spelled them.
class Zeros {
 public:
  explicit Zeros(const Model& model) : constants_(constants_of(model)) {
    for (const FlatNode& node : model.nodes)
      for (const std::string& output : node.proto->output()) made_by_[output] = node.proto.get();
  }

  bool holds(const std::string& tensor) const {
    std::vector<std::string> open = {tensor};
    std::set<std::string> seen = {tensor};
    while (!open.empty()) {
      const std::string name = std::move(open.back());
      open.pop_back();
      if (const auto constant = constants_.find(name); constant != constants_.end()) {
        if (!is_zero(*constant->second)) return false;
        continue;
      }
      const auto maker = made_by_.find(name);
      if (maker == made_by_.end()) return false;
      const onnx::NodeProto& node = *maker->second;
      if (node.op_type() == "ConstantOfShape") {
        const onnx::AttributeProto* value = attribute(node, "value");
        if (value != nullptr && !is_zero(value->t())) return false;
        continue;
      }
      // What only moves or repeats its first input; what joins all of them.
      static const std::set<std::string> moving = {"Cast",     "Expand",    "Flatten",  "Gather",
                                                   "Identity", "Reshape",   "Slice",    "Squeeze",
                                                   "Tile",     "Transpose", "Unsqueeze"};
      const bool joins = node.op_type() == "Concat";
      if (!joins && !moving.contains(node.op_type())) return false;
      for (int i = 0; i < (joins ? node.input_size() : std::min(1, node.input_size())); ++i)
        if (seen.insert(node.input(i)).second) open.push_back(node.input(i));
    }
    return true;
  }

 private:
  ConstantProtos constants_;
  std::unordered_map<std::string, const onnx::NodeProto*> made_by_;
};

void tell_implicit_states(const Model& model, Remarks& remarks) {
  constexpr int initial_state = 5, initial_memory = 6;  // of GRU, LSTM and RNN; LSTM's memory
  const Zeros zeros(model);
  std::vector<const FlatNode*> found;
  for (const FlatNode& node : model.nodes) {
    const std::string& op = node.proto->op_type();
    if (op != "GRU" && op != "LSTM" && op != "RNN") continue;
    const auto zero = [&](int index) {
      return node.proto->input_size() <= index || node.proto->input(index).empty() ||
             zeros.holds(node.proto->input(index));
    };
    // PyTorch writes the zeros down.
    if (zero(initial_state) && (op != "LSTM" || zero(initial_memory))) found.push_back(&node);
  }
  if (found.empty()) return;
  remarks.notes.push_back(called(found) +
                          " starts from zeros that no input gives: a runtime that carries a state "
                          "on will differ");
}

bool is_open(const onnx::TensorShapeProto_Dimension& extent) { return !extent.has_dim_value(); }

/// The inputs that have a batch: of rank 2 or more.
std::vector<const onnx::ValueInfoProto*> batched_inputs(const Model& model) {
  std::vector<const onnx::ValueInfoProto*> inputs;
  for (const onnx::ValueInfoProto& input : model.proto->graph().input()) {
    const auto source = model.sources.find(input.name());
    if (source != model.sources.end() && source->second == Source::input &&
        input.type().has_tensor_type() && input.type().tensor_type().has_shape() &&
        input.type().tensor_type().shape().dim_size() >= 2)
      inputs.push_back(&input);
  }
  return inputs;
}

/// What runs in training, or has a shape or a path that only the data decide: it computes something
/// else than the network that was meant, or cannot be compared stage by stage.
void lint_training_and_control(const Model& model, Remarks& remarks) {
  static constexpr std::array<std::string_view, 4> by_data = {"NonZero", "Unique", "Compress",
                                                              "NonMaxSuppression"};
  const ConstantProtos constants = constants_of(model);
  std::vector<const FlatNode*> norms, dropouts, shapes, branches;
  for (const FlatNode& node : model.nodes) {
    const std::string& op = node.proto->op_type();
    if (trains(node, constants)) (op == "Dropout" ? dropouts : norms).push_back(&node);
    if (std::find(by_data.begin(), by_data.end(), op) != by_data.end()) shapes.push_back(&node);
    bool inside = false;
    for (const onnx::AttributeProto& each : node.proto->attribute())
      inside = inside || each.has_g() || each.graphs_size() > 0;
    if (inside) branches.push_back(&node);
  }
  if (!norms.empty())
    remarks.lints.push_back(called(norms) +
                            " is in training mode: it normalises by the batch's own statistics, so "
                            "results depend on the batch; export the model in eval mode");
  if (!dropouts.empty())
    remarks.lints.push_back(called(dropouts) +
                            " is live: it drops elements at random, so no two runs agree; export "
                            "the model in eval mode");
  if (!shapes.empty())
    remarks.lints.push_back(called(shapes) +
                            " makes a tensor whose shape depends on the data: one differing bit "
                            "before it may change the shape of all that follows");
  if (!branches.empty())
    remarks.lints.push_back(called(branches) +
                            " is control flow: which nodes run may depend on the data");
}

std::optional<std::vector<std::int64_t>> integers(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::INT64) return std::nullopt;
  std::vector<std::int64_t> values(tensor.int64_data().begin(), tensor.int64_data().end());
  if (values.empty()) {
    values.resize(tensor.raw_data().size() / sizeof(std::int64_t));
    std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(std::int64_t));
  }
  return values;
}

void lint_batch(const Model& model, Remarks& remarks) {
  const std::vector<const onnx::ValueInfoProto*> inputs = batched_inputs(model);
  if (inputs.empty()) return;
  bool open = false;
  for (const onnx::ValueInfoProto* input : inputs)
    open = open || is_open(input->type().tensor_type().shape().dim(0));
  if (!open) {
    const auto& extent = inputs.front()->type().tensor_type().shape().dim(0);
    remarks.notes.push_back("the batch is baked into the file: input " +
                            shown(inputs.front()->name()) + " has a first extent of " +
                            std::to_string(extent.dim_value()) +
                            "; export with dynamic axes to run others");
    return;
  }
  const ConstantProtos constants = constants_of(model);
  for (const FlatNode& node : model.nodes) {
    if (node.proto->op_type() != "Reshape" || node.proto->input_size() < 2) continue;
    const auto shape = constants.find(node.proto->input(1));
    if (shape == constants.end()) continue;
    const auto extents = integers(*shape->second);
    // An extent of 1 may be one that a layer adds; with two or more the rest follows the batch.
    if (!extents || extents->size() < 2 || extents->front() <= 0) continue;
    bool follows = false;
    for (const std::int64_t extent : *extents) follows = follows || extent == -1;
    if (!follows)
      remarks.lints.push_back(called(node) +
                              " has a fixed shape in a network whose batch is open: it fails, or "
                              "mixes items, at another batch than that of the export");
  }
}

/// Of an input with open extents, one that is fixed behind the first counts its features or channels.
/// Where more are, a length is among them: that of the example which the exporter was given.
void tell_fixed_extents(const Model& model, Remarks& remarks) {
  for (const onnx::ValueInfoProto* input : batched_inputs(model)) {
    const onnx::TensorShapeProto& shape = input->type().tensor_type().shape();
    bool open = is_open(shape.dim(0));
    std::vector<std::string> fixed;
    for (int axis = 1; axis < shape.dim_size(); ++axis) {
      open = open || is_open(shape.dim(axis));
      if (is_open(shape.dim(axis))) continue;
      fixed.push_back(std::to_string(shape.dim(axis).dim_value()) + " on axis " +
                      std::to_string(axis));
    }
    if (!open || fixed.size() < 2) continue;
    remarks.notes.push_back(fmt::format(
        "input {} leaves extents open, but is fixed to {}: one of them may count "
        "features or channels, the other{} a length (time, height, width) that the "
        "exporter took from its example; export it with dynamic axes to run others",
        shown(input->name()), fmt::join(fixed, " and "), fixed.size() == 2 ? " is" : "s are"));
  }
}

}  // namespace

std::vector<const FlatNode*> training_nodes(const Model& model) {
  const ConstantProtos constants = constants_of(model);
  std::vector<const FlatNode*> nodes;
  for (const FlatNode& node : model.nodes)
    if (trains(node, constants)) nodes.push_back(&node);
  return nodes;
}

Remarks remarks_on(const Model& model) {
  Remarks remarks;
  tell_batch_norms(model, remarks);
  tell_implicit_states(model, remarks);
  lint_batch(model, remarks);
  tell_fixed_extents(model, remarks);
  lint_epsilons(model, remarks);
  lint_training_and_control(model, remarks);
  return remarks;
}

}  // namespace parity::onnx_import
