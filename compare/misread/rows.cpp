#include "compare/misread/rows.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace parity::misread_rows {

const Op& head_of(const PlannedStage& planned) { return *planned.stage.steps.front().op; }

std::int64_t groups_of(const PlannedStage& planned) {
  return visit(
      [](const auto& o) -> std::int64_t {
        if constexpr (requires { o.group; }) return o.group;
        return 1;
      },
      head_of(planned));
}

bool is_convolution(const PlannedStage& planned) {
  return head_as<Conv2d>(planned) || head_as<ConvTranspose2d>(planned);
}

bool is_mac(const PlannedStage& planned) {
  return is_convolution(planned) || head_as<MatMul>(planned);
}

const Tensor* weights_of(const PlannedStage& planned) {
  const Step& head = planned.stage.steps.front();
  return is_mac(planned) ? head.parameters[0].get() : nullptr;
}

PlannedStage with_weights(const PlannedStage& planned, Tensor weights) {
  PlannedStage wrong = planned;
  wrong.stage.steps.front().parameters[0] = std::make_shared<const Tensor>(std::move(weights));
  return wrong;
}

std::vector<double> once(const PlannedStage&) { return {1}; }

std::vector<double> numbered(std::size_t count) {
  std::vector<double> amounts(count);
  std::iota(amounts.begin(), amounts.end(), 0.0);
  return amounts;
}

std::int32_t unused_tensor(const Stage& stage) {
  std::int32_t unused = 0;
  const auto above = [&](TensorId id) {
    unused = std::max(unused, static_cast<std::int32_t>(id) + 1);
  };
  std::for_each(stage.inputs.begin(), stage.inputs.end(), above);
  for (const Step& step : stage.steps)
    std::for_each(step.outputs.begin(), step.outputs.end(), above);
  return unused;
}

std::shared_ptr<const Tensor> constant_like(const Tensor& tensor, float value) {
  return std::make_shared<const Tensor>(mapped(tensor, [&](float) { return value; }));
}

bool float_inputs(const PlannedStage& planned) {
  return std::all_of(planned.stage.input_types.begin(), planned.stage.input_types.end(),
                     [](const TensorType& type) { return type.type == Type::float32; });
}

}  // namespace parity::misread_rows
