#include "model/ops/conv_transpose2d.hpp"

#include <algorithm>
#include <numeric>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

/// One row or column extent of y without pads.
std::int64_t stretched(std::int64_t extent, const ConvTranspose2d& op, std::size_t axis) {
  return (extent - 1) * op.window.stride[axis] +
         (op.window.kernel[axis] - 1) * op.window.dilation[axis] + 1 + op.extra[axis];
}

/// Pads that make y as wide as asked; where even none are too many, rows past the last tap.
void fit(ConvTranspose2d& op, std::size_t axis, std::int64_t extent, std::int64_t wanted,
         bool more_at_end) {
  const std::int64_t total = stretched(extent, op, axis) - wanted;
  op.extra[axis] += std::max<std::int64_t>(0, -total);
  const std::int64_t pads = std::max<std::int64_t>(0, total);
  op.window.pad_begin[axis] = more_at_end ? pads / 2 : pads - pads / 2;
  op.window.pad_end[axis] = pads - op.window.pad_begin[axis];
}

}  // namespace

std::span<const std::string_view> ConvTranspose2d::onnx_types() {
  static constexpr std::string_view types[] = {"ConvTranspose"};
  return types;
}

Imported<ConvTranspose2d> ConvTranspose2d::from_onnx(const NodeView& node) {
  node.only_attributes({"auto_pad", "dilations", "group", "kernel_shape", "output_padding",
                        "output_shape", "pads", "strides"});
  const auto [w, bias] = constants_from_onnx(node);
  const Shape& x = node.input_type(0).shape;
  const std::vector<std::int64_t> spatial(x.begin() + 2, x.end());
  const std::size_t axes = spatial.size();
  ConvTranspose2d op;
  op.group = node.integer("group", 1);
  op.window = window_from_onnx(node, spatial, {w.shape().begin() + 2, w.shape().end()});
  if (op.group < 1 || w.shape()[0] != x[1] || x[1] % op.group != 0)
    node.refuse("weights of shape " + to_string(w.shape()) + " in " + std::to_string(op.group) +
                " groups do not fit an input of shape " + to_string(x));
  require_bias(node, bias, w.shape()[1] * op.group);

  const auto extra = node.integers("output_padding", std::vector<std::int64_t>(axes, 0));
  const auto wanted = node.integers("output_shape", {});
  if (extra.size() != axes || (!wanted.empty() && wanted.size() != axes))
    node.refuse("its output_padding or output_shape does not have one number per spatial axis (" +
                std::to_string(axes) + ")");
  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t axis = 2 - axes + i;
    if (extra[i] < 0 || extra[i] > largest_element_count)
      node.refuse("its output_padding holds " + std::to_string(extra[i]));
    op.extra[axis] = extra[i];
    if (!wanted.empty() && (wanted[i] < 1 || wanted[i] > largest_element_count))
      node.refuse("its output_shape holds " + std::to_string(wanted[i]));
    if (!wanted.empty())
      fit(op, axis, spatial[i], wanted[i], auto_pad == "SAME_UPPER");
    else if (same)
      fit(op, axis, spatial[i], spatial[i] * op.window.stride[axis], auto_pad == "SAME_UPPER");
  }
  return {op, {0}, {w, bias}};
}

ConvExtents extents(const ConvTranspose2d& op, const TensorType& x, const TensorType& w) {
  const bool flat = x.shape.size() == 3;
  ConvExtents e{};
  e.N = x.shape[0];
  e.IC = x.shape[1];
  e.IH = flat ? 1 : x.shape[2];
  e.IW = x.shape.back();
  e.OC = w.shape[1] * op.group;
  e.KH = op.window.kernel[0];
  e.KW = op.window.kernel[1];
  e.G = op.group;
  e.OH = stretched(e.IH, op, 0) - op.window.pad_begin[0] - op.window.pad_end[0];
  e.OW = stretched(e.IW, op, 1) - op.window.pad_begin[1] - op.window.pad_end[1];
  return e;
}

Window window_of(const ConvTranspose2d& op, const TensorType& x, const TensorType& w) {
  return window_of(extents(op, x, w), op.window, Window::Direction::transposed);
}

WeightStrides weight_strides(const ConvTranspose2d&, const Window& window) {
  // w[ic, oc, kh, kw], row-major; ic runs over the groups
  const std::int64_t taps = window.KH * window.KW;
  return {window.IC * window.OC * taps, 1, window.OC * taps, taps};
}

std::vector<TensorType> ConvTranspose2d::infer(const OperandTypes& types) const {
  require_operands(types, 1, 2, "ConvTranspose");
  const TensorType& x = types.inputs[0];
  const TensorType& w = types.parameters[0].value();
  require_float32(x, "ConvTranspose's input");
  require_float32(w, "ConvTranspose's weights");
  if (x.shape.size() != w.shape.size() || (x.shape.size() != 3 && x.shape.size() != 4) ||
      w.shape[0] != x.shape[1] || group < 1 || x.shape[1] % group != 0)
    throw Error(Fault::bad_model, "ConvTranspose's weights of shape " + to_string(w.shape) +
                                      " in " + std::to_string(group) +
                                      " groups do not fit an input of shape " + to_string(x.shape));
  const ConvExtents e = extents(*this, x, w);
  if (e.OH < 1 || e.OW < 1)
    throw Error(Fault::bad_model, "ConvTranspose's pads leave nothing of its output");
  if (x.shape.size() == 3) return {{x.type, {e.N, e.OC, e.OW}}};
  return {{x.type, {e.N, e.OC, e.OH, e.OW}}};
}

std::int64_t ConvTranspose2d::macs(const OperandTypes& types) const {
  const ConvExtents e = extents(*this, types.inputs.at(0), *types.parameters.at(0));
  return e.N * e.IC * e.IH * e.IW * (e.OC / e.G) * e.KH * e.KW;
}

std::int64_t ConvTranspose2d::group_channels(const OperandTypes& types) const {
  return types.parameters.at(0)->shape.at(0) / group;
}

std::int64_t ConvTranspose2d::most_taps() const {
  std::int64_t taps = 1;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    // p + pad - r*dilation = 0 mod stride holds for one r in every stride / gcd(stride, dilation),
    // or for none.
    const std::int64_t period =
        window.stride[axis] / std::gcd(window.stride[axis], window.dilation[axis]);
    taps *= (window.kernel[axis] + period - 1) / period;
  }
  return taps;
}

StepAllowance ConvTranspose2d::allowance(const OperandTypes& types,
                                         std::span<const std::shared_ptr<const Tensor>> parameters,
                                         const Contract& contract) const {
  const std::int64_t channels = group_channels(types), taps = most_taps();
  Allowance own = mac_allowance(contract, channels * taps, tensor_steps(contract, channels, taps));
  if (parameters[1]) own = own + rounded(contract, 1);
  if (contract.batch_norm == BatchNormalisation::folded)
    own = own + rounded(contract, 2);  // w' and b' were rounded once each
  return {own, 1};
}

FoldedWeights ConvTranspose2d::folded(std::span<const std::shared_ptr<const Tensor>> parameters,
                                      const ScaleShift& norm) const {
  const Shape& w = parameters[0]->shape();
  const std::int64_t OCg = w[1], taps = element_count(w, 2, w.size()), ICg = w[0] / group;
  // w[ic, oc in the group, tap], row-major
  return fold(*parameters[0], parameters[1].get(), norm,
              [&](std::int64_t i) { return i / (OCg * taps) / ICg * OCg + i / taps % OCg; });
}

std::vector<Case<ConvTranspose2d>> ConvTranspose2d::cases() {
  enum class Bias { absent, present };
  const auto make = [](std::string name, Shape x, Shape w, Bias bias, std::int64_t group,
                       SlidingWindow window, std::array<std::int64_t, 2> extra = {0, 0}) {
    const std::size_t axes = w.size() - 2;
    window.kernel = {1, 1};
    for (std::size_t i = 0; i < axes; ++i) window.kernel[2 - axes + i] = w[2 + i];
    const TensorType channels{Type::float32, {w[1] * group}};
    OperandTypes types{{TensorType{Type::float32, std::move(x)}},
                       {TensorType{Type::float32, std::move(w)},
                        bias == Bias::present ? std::optional(channels) : std::nullopt}};
    return Case<ConvTranspose2d>{std::move(name), {group, window, extra}, std::move(types)};
  };
  // kernel (filled in), stride, dilation, pads before, pads after
  return {
      make("2x2 stride 2", {2, 40, 5, 6}, {40, 17, 2, 2}, Bias::present, 1,
           {{}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}),
      make("4x4 stride 4", {1, 64, 3, 4}, {64, 33, 4, 4}, Bias::absent, 1,
           {{}, {4, 4}, {1, 1}, {0, 0}, {0, 0}}),
      make("1x1", {2, 33, 4, 5}, {33, 20, 1, 1}, Bias::present, 1, {}),
      make("3x3 stride 2 padded", {1, 19, 5, 7}, {19, 8, 3, 3}, Bias::present, 1,
           {{}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, {1, 1}),
      make("3x3 lopsided", {1, 6, 6, 5}, {6, 9, 3, 2}, Bias::absent, 1,
           {{}, {2, 3}, {1, 2}, {0, 1}, {2, 0}}, {1, 0}),
      make("3x3 dilated", {2, 5, 4, 5}, {5, 6, 3, 3}, Bias::present, 1,
           {{}, {2, 1}, {2, 3}, {1, 2}, {1, 2}}),
      make("stride past the kernel", {1, 3, 4, 4}, {3, 4, 2, 2}, Bias::present, 1,
           {{}, {3, 3}, {1, 1}, {0, 0}, {0, 0}}),
      make("grouped", {2, 12, 4, 3}, {12, 5, 3, 3}, Bias::present, 3,
           {{}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}),
      make("depthwise", {1, 18, 4, 5}, {18, 1, 2, 2}, Bias::absent, 18,
           {{}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}),
      make("1-D", {2, 7, 11}, {7, 6, 5}, Bias::present, 1, {{}, {1, 3}, {1, 1}, {0, 1}, {0, 2}},
           {0, 1}),
  };
}

}  // namespace parity
