#include "model/onnx/idioms.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "model/ops.hpp"

namespace parity::onnx_import {
namespace {

/// Who makes each tensor, and how often it is read; being a graph output counts as being read.
class Uses {
 public:
  explicit Uses(const Graph& graph)
      : makers_(graph.tensors.size(), nullptr), reads_(graph.tensors.size(), 0) {
    for (const Step& step : graph.steps) {
      for (const TensorId id : step.outputs) makers_[index_of(id)] = &step;
      for (const TensorId id : step.inputs) ++reads_[index_of(id)];
    }
    for (const TensorId id : graph.outputs) ++reads_[index_of(id)];
  }
  /// The step that makes a tensor for one reader alone; null where there is none.
  const Step* maker_for_one(TensorId id) const {
    return reads_[index_of(id)] == 1 ? makers_[index_of(id)] : nullptr;
  }

 private:
  std::vector<const Step*> makers_;
  std::vector<int> reads_;
};

bool multiplies(const Step& step) {
  const auto* const binary = std::get_if<Binary>(step.op.get());
  return binary != nullptr && binary->function == Binary::Function::mul;
}

/// a where the step multiplies x by the number a.
std::optional<float> factor_on(const Step& step, TensorId x) {
  if (!multiplies(step) || step.inputs != std::vector{x} || step.parameters.size() != 1)
    return std::nullopt;
  const Tensor& factor = *step.parameters[0];
  // A tensor of one element and more axes than x would give the product these axes.
  if (factor.type() != TensorType{Type::float32, {}}) return std::nullopt;
  return factor.values<float>()[0];
}

struct Swish {
  TensorId x;
  float a;
  std::vector<const Step*> inner;  ///< the steps that it stands for beside the last
};

/// What `last` closes when it multiplies x with `gate`, a sigmoid of x.
std::optional<Swish> swish_of(TensorId x, TensorId gate, const Uses& uses) {
  const Step* const sigmoid = uses.maker_for_one(gate);
  const auto* const function = sigmoid ? std::get_if<Unary>(sigmoid->op.get()) : nullptr;
  if (function == nullptr || function->function != EpilogueKind::sigmoid) return std::nullopt;
  const TensorId operand = sigmoid->inputs.front();
  if (operand == x) return Swish{x, 1, {sigmoid}};
  const Step* const product = uses.maker_for_one(operand);
  if (product == nullptr) return std::nullopt;
  if (const std::optional<float> a = factor_on(*product, x))
    return Swish{x, *a, {sigmoid, product}};
  return std::nullopt;
}

}  // namespace

Graph with_idioms(Graph graph) {
  const Uses uses(graph);
  std::vector<const Step*> replaced;
  std::vector<std::pair<std::size_t, Step>> made;
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    const Step& last = graph.steps[i];
    if (!multiplies(last) || last.inputs.size() != 2 || !last.parameters.empty()) continue;
    std::optional<Swish> found = swish_of(last.inputs[0], last.inputs[1], uses);
    if (!found) found = swish_of(last.inputs[1], last.inputs[0], uses);
    if (!found) continue;
    replaced.insert(replaced.end(), found->inner.begin(), found->inner.end());
    Step step = last;
    step.op = std::make_shared<const Op>(Unary{EpilogueKind::swish, found->a});
    step.inputs = {found->x};
    step.op_type = "Swish";
    made.emplace_back(i, std::move(step));
  }
  std::vector<Step> kept;
  auto next = made.begin();
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    if (next != made.end() && next->first == i)
      kept.push_back(std::move((next++)->second));
    else if (std::find(replaced.begin(), replaced.end(), &graph.steps[i]) == replaced.end())
      kept.push_back(std::move(graph.steps[i]));
  }
  graph.steps = std::move(kept);
  return graph;
}

}  // namespace parity::onnx_import
