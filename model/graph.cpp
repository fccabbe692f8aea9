#include "model/graph.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "model/ops.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

/// What looks wrong in a constant though it runs.
void lint(const Tensor& tensor, const std::string& where, std::vector<std::string>& lints) {
  if (tensor.type().type != Type::float32) return;
  std::int64_t nans = 0, infinities = 0;
  for (const float value : tensor.values<float>()) {
    nans += std::isnan(value);
    infinities += std::isinf(value);
  }
  if (nans + infinities > 0)
    lints.push_back(where + " has " + std::to_string(nans) + " NaN and " +
                    std::to_string(infinities) + " infinite elements of " +
                    std::to_string(tensor.size()));
}

}  // namespace

std::string TensorInfo::element_text() const {
  return declared.empty() ? to_string(type.type) : declared;
}

std::string accepted_types(const TensorInfo& input) {
  // Integers of any width are read as int64, exactly.
  return input.type.type == Type::int64 ? "int32 or int64" : input.element_text();
}

GraphBuilder::GraphBuilder(std::string name) { graph_.name = std::move(name); }

TensorId GraphBuilder::add_input(std::string name, TensorType type, std::string declared) {
  element_count(type.shape);
  const auto id = static_cast<TensorId>(graph_.tensors.size());
  graph_.tensors.push_back({std::move(name), std::move(type), std::move(declared)});
  graph_.inputs.push_back(id);
  return id;
}

std::vector<TensorId> GraphBuilder::add_step(Op op, std::vector<TensorId> inputs,
                                             std::vector<std::optional<Tensor>> parameters,
                                             std::string node, std::vector<std::string> outputs,
                                             std::string op_type, std::string scope,
                                             std::span<const std::string> constants) {
  Step step;
  step.node = std::move(node);
  step.scope = std::move(scope);
  step.op_type = op_type.empty() ? visit([](const auto& o) { return std::string(o.kind()); }, op)
                                 : std::move(op_type);
  step.inputs = std::move(inputs);
  const std::string where = step.node.empty() ? step.op_type : "node '" + step.node + "'";
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i]) {
      const bool known = i < constants.size() && !constants[i].empty();
      lint(*parameters[i],
           "constant " + (known ? shown(constants[i]) : std::to_string(i + 1)) + " of " + where,
           graph_.lints);
      step.parameters.push_back(std::make_shared<const Tensor>(with_canonical_nan(*parameters[i])));
    } else {
      step.parameters.push_back(nullptr);
    }
  }
  step.op = std::make_shared<const Op>(std::move(op));
  const std::vector<TensorType> types =
      visit([&](const auto& o) { return o.infer(operand_types(graph_, step)); }, *step.op);
  if (types.size() < outputs.size())
    throw Error(Fault::internal, where + " was given more output names than it has outputs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    element_count(types[i].shape);
    step.outputs.push_back(static_cast<TensorId>(graph_.tensors.size()));
    graph_.tensors.push_back({std::move(outputs[i]), types[i]});
  }
  graph_.steps.push_back(std::move(step));
  return graph_.steps.back().outputs;
}

void GraphBuilder::add_output(TensorId id) { graph_.outputs.push_back(id); }

const TensorType& GraphBuilder::type(TensorId id) const { return graph_.tensor(id).type; }

Graph GraphBuilder::finish() {
  std::set<TensorId> wanted(graph_.outputs.begin(), graph_.outputs.end());
  std::vector<Step> kept;
  for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step) {
    const bool needed = std::any_of(step->outputs.begin(), step->outputs.end(),
                                    [&](TensorId id) { return wanted.contains(id); });
    if (!needed) continue;
    wanted.insert(step->inputs.begin(), step->inputs.end());
    kept.push_back(std::move(*step));
  }
  std::reverse(kept.begin(), kept.end());
  graph_.steps = std::move(kept);
  return std::move(graph_);
}

OperandTypes operand_types(const Graph& graph, const Step& step) {
  OperandTypes types;
  for (const TensorId id : step.inputs) types.inputs.push_back(graph.tensor(id).type);
  for (const auto& parameter : step.parameters)
    types.parameters.push_back(parameter ? std::optional(parameter->type()) : std::nullopt);
  return types;
}

}  // namespace parity
