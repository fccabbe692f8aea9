#include "model/onnx/lints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>

#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const std::string& name) {
  for (const onnx::AttributeProto& each : node.attribute())
    if (each.name() == name) return &each;
  return nullptr;
}

std::string called(const onnx::NodeProto& node) {
  return node.op_type() + " " + shown(node.name().empty() ? node.output(0) : node.name());
}

/// The fewest digits that read back as the float: "1e-05".
std::string brief(float value) { return fmt::format("{}", value); }

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
  std::map<std::string, std::map<float, std::vector<const onnx::NodeProto*>>> seen;
  for (const FlatNode& node : model.nodes) {
    const auto usual = ops.find(node.proto->op_type());
    if (usual == ops.end()) continue;
    const onnx::AttributeProto* given = attribute(*node.proto, "epsilon");
    const float epsilon = given ? given->f() : usual->second.by_default;
    seen[usual->first][epsilon].push_back(node.proto.get());
    if (!(epsilon >= usual->second.least && epsilon <= usual->second.most))
      remarks.lints.push_back(called(*node.proto) + " has an epsilon of " + brief(epsilon) +
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

void tell_implicit_states(const Model& model, Remarks& remarks) {
  constexpr int initial_state = 5;                       // GRU, LSTM and RNN have initial_h there
  std::unordered_map<std::string, std::string> made_by;  // tensor -> op
  for (const FlatNode& node : model.nodes)
    for (const std::string& output : node.proto->output()) made_by[output] = node.proto->op_type();
  std::vector<const onnx::NodeProto*> found;
  for (const FlatNode& node : model.nodes) {
    const std::string& op = node.proto->op_type();
    if (op != "GRU" && op != "LSTM" && op != "RNN") continue;
    const bool absent =
        node.proto->input_size() <= initial_state || node.proto->input(initial_state).empty();
    // PyTorch writes the zeros down.
    if (absent || made_by[node.proto->input(initial_state)] == "ConstantOfShape")
      found.push_back(node.proto.get());
  }
  if (found.empty()) return;
  const std::string rest =
      found.size() > 1 ? " (and " + std::to_string(found.size() - 1) + " more)" : "";
  remarks.notes.push_back(called(*found.front()) + rest +
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
  std::unordered_map<std::string, const onnx::TensorProto*> constants;
  for (const onnx::TensorProto& each : model.proto->graph().initializer())
    constants.emplace(each.name(), &each);
  for (const FlatNode& node : model.nodes)
    if (node.proto->op_type() == "Constant")
      if (const onnx::AttributeProto* value = attribute(*node.proto, "value"))
        constants.emplace(node.proto->output(0), &value->t());
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
      remarks.lints.push_back(called(*node.proto) +
                              " has a fixed shape in a network whose batch is open: it fails, or "
                              "mixes items, at another batch than that of the export");
  }
}

}  // namespace

Remarks remarks_on(const Model& model) {
  Remarks remarks;
  tell_batch_norms(model, remarks);
  tell_implicit_states(model, remarks);
  lint_batch(model, remarks);
  lint_epsilons(model, remarks);
  return remarks;
}

}  // namespace parity::onnx_import
