#include "model/onnx/overview.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "model/error.hpp"
#include "model/onnx/dispatch.hpp"
#include "model/onnx/inputs.hpp"
#include "model/onnx/lints.hpp"
#include "model/onnx/node_view.hpp"
#include "model/onnx/walk.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity {
namespace onnx_import {
namespace {

/// Bytes of an element of a TensorProto::DataType; 0 where it has no fixed size.
std::int64_t element_bytes(int onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return 4;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
    case onnx::TensorProto::COMPLEX64:
      return 8;
    case onnx::TensorProto::COMPLEX128:
      return 16;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      return 2;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL:
      return 1;
    default:
      return 0;
  }
}

void count_parameters(const ConstantProtos& constants, Overview& overview) {
  for (const auto& [name, tensor] : constants) {
    try {
      const std::int64_t count = element_count({tensor->dims().begin(), tensor->dims().end()});
      overview.parameters += count;
      overview.parameter_bytes += count * element_bytes(tensor->data_type());
    } catch (const Error&) {
      // a shape that lies holds no parameters; who reads the tensor is refused with a sentence
    }
  }
}

using Nodes = std::unordered_set<const FlatNode*>;

/// The nodes that the outputs depend on, or `until` where that is a tensor.
Nodes needed(const Model& model, const std::string& until) {
  std::unordered_set<std::string> wanted;
  if (model.sources.contains(until))
    wanted.insert(until);
  else
    for (const onnx::ValueInfoProto& output : model.proto->graph().output())
      wanted.insert(output.name());
  Nodes nodes;
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    const auto& outputs = node->proto->output();
    if (std::none_of(outputs.begin(), outputs.end(),
                     [&](const std::string& name) { return wanted.contains(name); }))
      continue;
    nodes.insert(&*node);
    wanted.insert(node->proto->input().begin(), node->proto->input().end());
  }
  return nodes;
}

/// What is wrong with a node at any extents.
std::optional<std::string> refusal_of(const FlatNode& node, const ConstantProtos& constants,
                                      const Nodes& training) {
  if (std::optional<std::string> why = refusal_of(node)) return why;
  if (training.contains(&node))
    return "it is exported as training runs it; re-export with training disabled";
  for (const std::string& name : node.proto->input())
    if (const auto constant = constants.find(name); constant != constants.end())
      if (const auto why = refusal_of_type(constant->second->data_type()))
        return "cannot use tensor " + shown(name) + ": " + *why;
  return std::nullopt;
}

void lint_float64(const ConstantProtos& constants, std::vector<std::string>& lints) {
  for (const auto& [name, tensor] : constants)
    if (tensor->data_type() == onnx::TensorProto::DOUBLE)
      lints.push_back("constant " + shown(name) +
                      " is float64; the lab rounds it to float32 and counts what changes");
}

Overview survey(const Model& model, const ImportOptions& options) {
  Overview overview;
  const onnx::ModelProto& proto = *model.proto;
  overview.name = model.name;
  overview.digest = model.digest;
  overview.producer = producer_of(model);
  overview.ir_version = proto.ir_version();
  overview.opset = model.opset;
  std::vector<std::string> notes = model.notes;
  SurveyedInputs inputs = survey_inputs(model, options, notes);
  overview.inputs = std::move(inputs.inputs);
  overview.open = std::move(inputs.open);
  for (const onnx::ValueInfoProto& output : proto.graph().output())
    overview.outputs.push_back(declared_output(output));
  for (const FlatNode& node : model.nodes) ++overview.ops[node.proto->op_type()];
  const ConstantProtos constants = constants_of(model);
  count_parameters(constants, overview);

  const Remarks remarks = remarks_on(model);
  const std::vector<const FlatNode*> trained = training_nodes(model);
  const Nodes training(trained.begin(), trained.end());
  std::unordered_map<const FlatNode*, Unsupported> refused;
  if (overview.open.empty()) {
    Walked walked = walk(model, options);  // takes the constants out of the model
    overview.notes = std::move(walked.notes);
    overview.lints = std::move(walked.lints);
    overview.macs = std::move(walked.macs);
    overview.stages = std::move(walked.stages);
    for (Refusal& each : walked.refused) {
      if (each.node == nullptr)
        overview.unsupported.push_back(std::move(each.told));
      else
        refused.emplace(each.node, std::move(each.told));
    }
  } else {
    overview.notes = std::move(notes);
    lint_float64(constants, overview.lints);
  }
  const Nodes wanted = needed(model, options.until);
  for (const FlatNode& node : model.nodes) {
    if (!wanted.contains(&node)) continue;
    if (const auto found = refused.find(&node); found != refused.end())
      overview.unsupported.push_back(std::move(found->second));
    else if (std::optional<std::string> why = refusal_of(node, constants, training))
      overview.unsupported.push_back({name_of(node), node.proto->op_type(), *std::move(why)});
  }
  overview.notes.insert(overview.notes.end(), remarks.notes.begin(), remarks.notes.end());
  overview.lints.insert(overview.lints.end(), remarks.lints.begin(), remarks.lints.end());
  return overview;
}

}  // namespace
}  // namespace onnx_import

Overview overview_of(const std::filesystem::path& file, const ImportOptions& options) {
  return onnx_import::survey(onnx_import::load_model(file), options);
}

}  // namespace parity
