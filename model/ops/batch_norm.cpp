#include "model/ops/batch_norm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/arithmetic/bounds.hpp"

namespace parity {
namespace {

constexpr std::array<std::string_view, 1> names{"BatchNormalization"};
constexpr std::array<std::string_view, 4> roles{"scale", "bias", "mean", "variance"};

}  // namespace

std::span<const std::string_view> BatchNorm::onnx_types() { return names; }

Imported<BatchNorm> BatchNorm::from_onnx(const NodeView& node) {
  node.only_attributes({"epsilon", "momentum", "training_mode", "spatial"});
  for (int output = 1; output < node.output_count(); ++output)
    if (node.has_output(output))
      node.refuse(
          "it has " + std::to_string(node.output_count()) +
          " outputs; the lab runs the inference form (1 output). Re-export with training disabled");
  if (node.integer("training_mode", 0) != 0)
    node.refuse(
        "training_mode is on; the lab runs the inference form. Re-export with training disabled");
  if (node.integer("spatial", 1) != 1)
    node.refuse("spatial = 0 normalises every activation by itself, which is unsupported");
  const TensorType& x = node.input_type(0);
  if (x.type != Type::float32) node.refuse("its input is " + to_string(x));
  if (x.shape.size() < 2 || x.shape.size() > 4)
    node.refuse("its input has shape " + to_string(x.shape) + "; the lab normalises rank 2 to 4");
  BatchNorm op;
  op.epsilon = node.real("epsilon", 1e-5F);
  Imported<BatchNorm> imported{op, {0}, {}};
  for (int i = 0; i < 4; ++i) {
    const Tensor parameter = node.required_constant(i + 1, roles[static_cast<std::size_t>(i)]);
    if (parameter.shape() != Shape{x.shape[1]})
      node.refuse("its " + std::string(roles[static_cast<std::size_t>(i)]) + " has shape " +
                  to_string(parameter.shape()) + " for " + std::to_string(x.shape[1]) +
                  " channels");
    imported.parameters.emplace_back(parameter);
  }
  return imported;
}

std::vector<TensorType> BatchNorm::infer(const OperandTypes& types) const {
  return {types.inputs.at(0)};
}

StepAllowance BatchNorm::allowance(const OperandTypes&,
                                   std::span<const std::shared_ptr<const Tensor>> parameters,
                                   const Contract& contract) const {
  double largest = 0;
  for (const double s : scale_shift(*this, parameters).s64)
    largest = std::max(largest, std::abs(s));
  // s and t rounded once (u|s z| + u|t|), the result once (u|y|); in double the same three
  // roundings at 2^-53.
  return {rounded(contract, 2), largest};
}

std::vector<Case<BatchNorm>> BatchNorm::cases() {
  const auto make = [](std::string name, Shape x) {
    const TensorType channels{Type::float32, {x[1]}};
    return Case<BatchNorm>{
        std::move(name),
        {},
        {{{Type::float32, std::move(x)}}, {channels, channels, channels, channels}}};
  };
  return {make("rank 2", {3, 17}), make("rank 3", {2, 5, 9}), make("rank 4", {2, 33, 4, 5}),
          make("one channel", {1, 1, 3, 3})};
}

ScaleShift scale_shift(const BatchNorm& op,
                       std::span<const std::shared_ptr<const Tensor>> parameters) {
  const auto gamma = parameters[0]->values<float>(), beta = parameters[1]->values<float>();
  const auto mean = parameters[2]->values<float>(), var = parameters[3]->values<float>();
  ScaleShift result;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double s = static_cast<double>(gamma[c]) /
                     std::sqrt(static_cast<double>(var[c]) + static_cast<double>(op.epsilon));
    const double t = static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * s;
    result.s64.push_back(s);
    result.t64.push_back(t);
    result.s.push_back(static_cast<float>(s));
    result.t.push_back(static_cast<float>(t));
  }
  return result;
}

FoldedWeights fold(const Tensor& weights, const Tensor* bias, const ScaleShift& norm,
                   const std::function<std::int64_t(std::int64_t)>& channel_of) {
  const auto w = weights.values<float>();
  std::vector<float> folded(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto channel = static_cast<std::size_t>(channel_of(static_cast<std::int64_t>(i)));
    folded[i] = static_cast<float>(static_cast<double>(w[i]) * norm.s64[channel]);
  }
  std::vector<float> shift(norm.s64.size());
  for (std::size_t c = 0; c < shift.size(); ++c) {
    const double b = bias != nullptr ? static_cast<double>(bias->values<float>()[c]) : 0.0;
    shift[c] = static_cast<float>(b * norm.s64[c] + norm.t64[c]);
  }
  const auto channels = static_cast<std::int64_t>(shift.size());
  return {with_canonical_nan(Tensor::of(weights.shape(), std::move(folded))),
          with_canonical_nan(Tensor::of({channels}, std::move(shift)))};
}

}  // namespace parity
