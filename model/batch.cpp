#include "model/batch.hpp"

#include <map>
#include <utility>
#include <vector>

#include "model/error.hpp"
#include "model/ops.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

std::string place(const Step& step) {
  return step.op_type + (step.node.empty() ? std::string() : " " + shown(step.node));
}

/// The op as an export at the larger batch would carry it.
Op for_items(const Step& step, std::int64_t before, std::int64_t after) {
  Op op = *step.op;
  if (auto* movement = std::get_if<Movement>(&op))
    if (movement->function == Movement::Function::reshape && !movement->numbers.empty() &&
        movement->numbers.front() == before)
      movement->numbers.front() = after;
  if (auto* placement = std::get_if<Placement>(&op))
    if (placement->function == Placement::Function::expand && !placement->numbers.empty() &&
        placement->numbers.front() == before)
      placement->numbers.front() = after;
  return op;
}

/// Whether every item of axis 0 stays where it is, as far as the op can tell beside its shapes.
bool keeps_items(const Op& op, const OperandTypes& types) {
  return visit(
      [&](const auto& o) {
        if constexpr (requires { o.keeps_items(types); }) return o.keeps_items(types);
        return true;
      },
      op);
}

}  // namespace

Rebatched with_items(const Graph& graph, std::int64_t times) {
  const auto none = [](std::string why) { return Rebatched{std::nullopt, std::move(why)}; };
  if (graph.inputs.empty()) return none("the network has no inputs");
  std::int64_t before = -1;
  for (const TensorId id : graph.inputs) {
    const TensorInfo& input = graph.tensor(id);
    if (input.type.shape.empty()) return none("input " + shown(input.name) + " is a scalar");
    if (before < 0) before = input.type.shape.front();
    if (input.type.shape.front() != before)
      return none("the inputs disagree about the number of items on axis 0");
  }
  const std::int64_t after = before * times;

  GraphBuilder builder(graph.name);
  builder.graph().digest = graph.digest;
  std::map<TensorId, TensorId> moved;  // old id -> new id
  std::map<TensorId, bool> of_input;   // whether its value depends on an input
  for (const TensorId id : graph.inputs) {
    TensorType type = graph.tensor(id).type;
    type.shape.front() = after;
    moved[id] =
        builder.add_input(graph.tensor(id).name, std::move(type), graph.tensor(id).declared);
    of_input[id] = true;
  }
  for (const Step& step : graph.steps) {
    bool depends = false;
    std::vector<TensorId> inputs;
    for (const TensorId id : step.inputs) {
      depends = depends || of_input.at(id);
      inputs.push_back(moved.at(id));
    }
    std::vector<std::optional<Tensor>> parameters;
    for (const auto& parameter : step.parameters)
      parameters.push_back(parameter ? std::optional(*parameter) : std::nullopt);
    std::vector<std::string> names;
    for (const TensorId id : step.outputs) names.push_back(graph.tensor(id).name);
    std::vector<TensorId> made;
    try {
      made = builder.add_step(depends ? for_items(step, before, after) : *step.op, inputs,
                              parameters, step.node, names, step.op_type, step.scope);
    } catch (const Error& error) {
      if (error.fault() == Fault::internal) throw;
      return none(place(step) + " takes exactly " + std::to_string(before) + " on axis 0 (" +
                  error.what() + ")");
    }
    const Step& added = builder.graph().steps.back();
    if (depends && !keeps_items(*added.op, operand_types(builder.graph(), added)))
      return none(place(step) + " moves items off axis 0 or mixes them");
    for (std::size_t i = 0; i < made.size(); ++i) {
      TensorType wanted = graph.tensor(step.outputs[i]).type;
      if (depends) {
        if (wanted.shape.empty() || wanted.shape.front() != before)
          return none(place(step) + " moves items off axis 0 or mixes them");
        wanted.shape.front() = after;
      }
      if (builder.type(made[i]) != wanted)
        return none(place(step) + " moves items off axis 0 or mixes them");
      moved[step.outputs[i]] = made[i];
      of_input[step.outputs[i]] = depends;
    }
  }
  for (const TensorId id : graph.outputs) {
    if (!of_input.at(id)) return none("output " + shown(graph.tensor(id).name) + " is a constant");
    builder.add_output(moved.at(id));
  }
  return {builder.finish(), {}};
}

Tensor items_of(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  TensorType type = tensor.type();
  if (type.shape.empty() || first < 0 || count < 0 || first + count > type.shape.front())
    throw Error(Fault::internal, "items " + std::to_string(first) + " to " +
                                     std::to_string(first + count) + " of a tensor " +
                                     to_string(type) + " were asked for");
  const std::size_t item = type.shape.front() == 0
                               ? 0
                               : tensor.size_bytes() / static_cast<std::size_t>(type.shape.front());
  type.shape.front() = count;
  const auto owner = std::make_shared<const Tensor>(tensor);
  return Tensor(
      std::move(type), owner,
      static_cast<const std::byte*>(owner->data()) + static_cast<std::size_t>(first) * item);
}

}  // namespace parity
