#include "model/ops/conv2d.hpp"

#include <array>

#include "model/arithmetic/bounds.hpp"

namespace parity {
namespace {

constexpr std::array<std::string_view, 1> names{"Conv"};

}  // namespace

std::span<const std::string_view> Conv2d::onnx_types() { return names; }

Imported<Conv2d> Conv2d::from_onnx(const NodeView& node) {
  node.only_attributes({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  const auto [w, bias] = constants_from_onnx(node);
  const Shape& x = node.input_type(0).shape;
  Conv2d op;
  op.group = node.integer("group", 1);
  op.window =
      window_from_onnx(node, {x.begin() + 2, x.end()}, {w.shape().begin() + 2, w.shape().end()});
  if (op.group < 1 || w.shape()[0] % op.group != 0 || w.shape()[1] * op.group != x[1])
    node.refuse("weights of shape " + to_string(w.shape()) + " in " + std::to_string(op.group) +
                " groups do not fit an input of shape " + to_string(x));
  require_bias(node, bias, w.shape()[0]);
  return {op, {0}, {w, bias}};
}

ConvExtents extents(const Conv2d& op, const TensorType& x, const TensorType& w) {
  const bool flat = x.shape.size() == 3;
  ConvExtents e{};
  e.N = x.shape[0];
  e.IC = x.shape[1];
  e.IH = flat ? 1 : x.shape[2];
  e.IW = x.shape.back();
  e.OC = w.shape[0];
  e.KH = op.window.kernel[0];
  e.KW = op.window.kernel[1];
  e.G = op.group;
  e.OH = windowed_extent(e.IH, op.window, 0);
  e.OW = windowed_extent(e.IW, op.window, 1);
  return e;
}

Window window_of(const Conv2d& op, const TensorType& x, const TensorType& w) {
  return window_of(extents(op, x, w), op.window, Window::Direction::forward);
}

WeightStrides weight_strides(const Conv2d&, const Window& window) {
  // w[oc, ic, kh, kw], row-major; oc runs over the groups
  const std::int64_t taps = window.KH * window.KW;
  return {window.OC * window.IC * taps, 1, taps, window.IC * taps};
}

std::vector<TensorType> Conv2d::infer(const OperandTypes& types) const {
  const TensorType& x = types.inputs.at(0);
  const ConvExtents e = extents(*this, x, *types.parameters.at(0));
  if (x.shape.size() == 3) return {{x.type, {e.N, e.OC, e.OW}}};
  return {{x.type, {e.N, e.OC, e.OH, e.OW}}};
}

std::int64_t Conv2d::macs(const OperandTypes& types) const {
  const ConvExtents e = extents(*this, types.inputs.at(0), *types.parameters.at(0));
  return e.N * e.OC * e.OH * e.OW * (e.IC / e.G) * e.KH * e.KW;
}

std::int64_t Conv2d::group_channels(const OperandTypes& types) const {
  return types.parameters.at(0)->shape.at(1);
}

StepAllowance Conv2d::allowance(const OperandTypes& types,
                                std::span<const std::shared_ptr<const Tensor>> parameters,
                                const Contract& contract) const {
  const std::int64_t channels = group_channels(types);
  const std::int64_t taps = window.kernel[0] * window.kernel[1];
  Allowance own = mac_allowance(contract, channels * taps, tensor_steps(contract, channels, taps));
  if (parameters[1]) own = own + rounded(contract, 1);
  if (contract.batch_norm == BatchNormalisation::folded)
    own = own + rounded(contract, 2);  // w' and b' were rounded once each
  return {own, 1};
}

FoldedWeights Conv2d::folded(std::span<const std::shared_ptr<const Tensor>> parameters,
                             const ScaleShift& norm) const {
  const std::int64_t per_channel =
      parameters[0]->size() / std::max<std::int64_t>(1, parameters[0]->shape()[0]);
  return fold(*parameters[0], parameters[1].get(), norm,
              [&](std::int64_t i) { return i / per_channel; });
}

std::vector<Case<Conv2d>> Conv2d::cases() {
  const auto make = [](std::string name, Shape x, Shape w, bool with_bias, std::int64_t group,
                       SlidingWindow window) {
    Case<Conv2d> result;
    result.name = std::move(name);
    result.op.group = group;
    result.op.window = window;
    const std::size_t spatial = w.size() - 2;
    for (std::size_t i = 0; i < spatial; ++i) result.op.window.kernel[2 - spatial + i] = w[2 + i];
    result.types.inputs = {{Type::float32, x}};
    result.types.parameters = {
        TensorType{Type::float32, w},
        with_bias ? std::optional(TensorType{Type::float32, {w[0]}}) : std::nullopt};
    return result;
  };
  const SlidingWindow same3{{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  SlidingWindow stride2 = same3;
  stride2.stride = {2, 2};
  SlidingWindow lopsided{{3, 3}, {2, 1}, {1, 2}, {0, 2}, {1, 3}};
  SlidingWindow dilated = same3;
  dilated.dilation = {2, 3};
  dilated.pad_begin = dilated.pad_end = {2, 3};
  return {
      make("3x3", {2, 40, 9, 11}, {24, 40, 3, 3}, true, 1, same3),
      make("3x3 stride 2", {1, 64, 13, 10}, {70, 64, 3, 3}, false, 1, stride2),
      make("3x3 lopsided pads", {1, 5, 8, 7}, {6, 5, 3, 3}, true, 1, lopsided),
      make("3x3 dilated", {1, 33, 9, 9}, {17, 33, 3, 3}, false, 1, dilated),
      make("1x1", {3, 100, 5, 5}, {65, 100, 1, 1}, true, 1, {}),
      make("grouped", {1, 24, 6, 6}, {12, 8, 3, 3}, true, 3, same3),
      make("depthwise", {2, 19, 7, 7}, {19, 1, 3, 3}, false, 19, same3),
      make("one channel", {1, 1, 5, 6}, {1, 1, 2, 2}, true, 1, {}),
      make("1-D", {2, 6, 21}, {8, 6, 7}, true, 1, {{1, 7}, {1, 3}, {1, 1}, {0, 3}, {0, 3}}),
  };
}

}  // namespace parity
