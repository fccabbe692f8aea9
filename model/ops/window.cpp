#include "model/ops/window.hpp"

#include <algorithm>
#include <string>

#include "model/shapes.hpp"

namespace parity {
namespace {

constexpr std::int64_t largest_attribute = std::int64_t{1} << 31;

/// An attribute with one entry per spatial axis, right-aligned into two.
std::array<std::int64_t, 2> per_axis(const NodeView& node, const std::string& attribute,
                                     const std::vector<std::int64_t>& values, std::size_t rank,
                                     std::int64_t least) {
  if (values.size() != rank)
    node.refuse(attribute + " has " + std::to_string(values.size()) + " entries for " +
                std::to_string(rank) + " spatial axes");
  std::array<std::int64_t, 2> result{1, 1};
  for (std::size_t i = 0; i < rank; ++i) {
    if (values[i] < least || values[i] > largest_attribute)
      node.refuse(attribute + " has the entry " + std::to_string(values[i]) +
                  ", which is out of range");
    result[2 - rank + i] = values[i];
  }
  return result;
}

}  // namespace

SlidingWindow window_from_onnx(const NodeView& node, const std::vector<std::int64_t>& spatial,
                               const std::vector<std::int64_t>& kernel) {
  const std::size_t rank = spatial.size();
  if (rank != 1 && rank != 2)
    node.refuse("it works on " + std::to_string(rank) +
                " spatial axes; the lab runs 1-D and 2-D windows");
  const std::vector<std::int64_t> ones(rank, 1);
  SlidingWindow window;
  const std::vector<std::int64_t> shape = node.integers("kernel_shape", kernel);
  if (!kernel.empty() && shape != kernel)
    node.refuse("kernel_shape " + to_string(shape) + " contradicts the weights, whose kernel is " +
                to_string(kernel));
  window.kernel = per_axis(node, "kernel_shape", shape, rank, 1);
  window.stride = per_axis(node, "strides", node.integers("strides", ones), rank, 1);
  window.dilation = per_axis(node, "dilations", node.integers("dilations", ones), rank, 1);

  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET") {
    const std::vector<std::int64_t> pads =
        node.integers("pads", std::vector<std::int64_t>(2 * rank, 0));
    if (pads.size() != 2 * rank)
      node.refuse("pads has " + std::to_string(pads.size()) + " entries for " +
                  std::to_string(rank) + " spatial axes");
    window.pad_begin = {0, 0};
    window.pad_end = {0, 0};
    for (std::size_t i = 0; i < 2 * rank; ++i)
      if (pads[i] < 0 || pads[i] > largest_attribute)
        node.refuse("pads has the entry " + std::to_string(pads[i]) +
                    "; negative or huge pads are not supported");
    for (std::size_t i = 0; i < rank; ++i) {
      window.pad_begin[2 - rank + i] = pads[i];
      window.pad_end[2 - rank + i] = pads[rank + i];
    }
    return window;
  }
  if (auto_pad == "VALID") return window;
  if (auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER")
    node.refuse("auto_pad '" + auto_pad + "' is unknown");
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t axis = 2 - rank + i;
    const std::int64_t outputs = (spatial[i] + window.stride[axis] - 1) / window.stride[axis];
    const std::int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    const std::int64_t total =
        std::max<std::int64_t>(0, (outputs - 1) * window.stride[axis] + reach - spatial[i]);
    const std::int64_t smaller = total / 2;
    window.pad_begin[axis] = auto_pad == "SAME_UPPER" ? smaller : total - smaller;
    window.pad_end[axis] = total - window.pad_begin[axis];
  }
  return window;
}

namespace {

/// Pads the far end of an axis so that flooring gives what ceil_mode asks for.
void round_up(SlidingWindow& window, std::size_t axis, std::int64_t extent) {
  const std::int64_t stride = window.stride[axis];
  const std::int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
  const std::int64_t room = extent + window.pad_begin[axis] + window.pad_end[axis] - reach;
  if (room < 0) return;
  std::int64_t count = (room + stride - 1) / stride + 1;
  // A window that would start past the image and its leading pads is dropped.
  if ((count - 1) * stride >= extent + window.pad_begin[axis]) --count;
  window.pad_end[axis] = std::max(window.pad_end[axis],
                                  (count - 1) * stride + reach - extent - window.pad_begin[axis]);
}

}  // namespace

PoolWindow pool_from_onnx(const NodeView& node) {
  const Shape& x = node.input_type(0).shape;
  if (x.size() != 3 && x.size() != 4)
    node.refuse("its input has shape " + to_string(x) +
                "; the lab runs 1-D and 2-D pools (rank 3 and 4)");
  if (!node.has_attribute("kernel_shape")) node.refuse("it has no kernel_shape");
  const std::vector<std::int64_t> spatial(x.begin() + 2, x.end());
  PoolWindow pool{window_from_onnx(node, spatial, {}), {0, 0}};
  const std::array<std::int64_t, 2> asked = pool.window.pad_end;
  if (node.integer("ceil_mode", 0) != 0)
    for (std::size_t i = 0; i < spatial.size(); ++i)
      round_up(pool.window, 2 - spatial.size() + i, spatial[i]);
  for (std::size_t axis = 0; axis < 2; ++axis)
    pool.beyond[axis] = pool.window.pad_end[axis] - asked[axis];
  return pool;
}

TensorType pooled(const OperandTypes& types, const SlidingWindow& window, const std::string& kind,
                  const std::string& nothing) {
  require_operands(types, 1, 0, kind);
  const TensorType& x = types.inputs[0];
  require_float32(x, kind + "'s input");
  const std::size_t rank = x.shape.size();
  if (rank != 3 && rank != 4)
    throw Error(Fault::bad_model, kind + " reads a tensor of shape " + to_string(x.shape) +
                                      "; the lab runs 1-D and 2-D pools (rank 3 and 4)");
  TensorType y = x;
  for (std::size_t axis = 2; axis < rank; ++axis) {
    const std::size_t slide = axis + 2 - rank;  // of the window
    const std::int64_t extent = x.shape[axis], stride = window.stride[slide],
                       dilation = window.dilation[slide];
    const std::int64_t count = windowed_extent(extent, window, slide);
    if (count == 0)
      throw Error(Fault::bad_model, kind + "'s window is wider than axis " + std::to_string(axis) +
                                        " of a tensor of shape " + to_string(x.shape) +
                                        " with its padding");
    for (std::int64_t position = 0; position < count; ++position) {
      const std::int64_t start = position * stride - window.pad_begin[slide];
      const std::int64_t before =
          start >= 0 ? 0 : (-start + dilation - 1) / dilation;  // taps before the image
      if (before >= window.kernel[slide] || start + before * dilation >= extent)
        throw Error(Fault::bad_model, kind + "'s window at position " + std::to_string(position) +
                                          " of axis " + std::to_string(axis) +
                                          " lies wholly in the padding, where " + nothing);
    }
    y.shape[axis] = count;
  }
  return y;
}

ConvolutionConstants constants_from_onnx(const NodeView& node) {
  const TensorType& x = node.input_type(0);
  if (x.type != Type::float32) node.refuse("its input is " + to_string(x));
  if (x.shape.size() != 3 && x.shape.size() != 4)
    node.refuse("its input has shape " + to_string(x.shape) +
                "; the lab runs 1-D and 2-D convolutions (rank 3 and 4)");
  ConvolutionConstants constants{node.required_constant(1, "weights"), std::nullopt};
  const Shape& w = constants.weights.shape();
  if (w.size() != x.shape.size())
    node.refuse("its weights of shape " + to_string(w) + " do not fit an input of shape " +
                to_string(x.shape));
  if (node.has_input(2)) constants.bias = node.required_constant(2, "bias");
  return constants;
}

void require_bias(const NodeView& node, const std::optional<Tensor>& bias, std::int64_t channels) {
  if (bias && bias->shape() != Shape{channels})
    node.refuse("its bias has shape " + to_string(bias->shape()) + " for " +
                std::to_string(channels) + " output channels");
}

std::int64_t windowed_extent(std::int64_t input, const SlidingWindow& window, std::size_t axis) {
  const std::int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
  const std::int64_t room = input + window.pad_begin[axis] + window.pad_end[axis] - reach;
  return room < 0 ? 0 : room / window.stride[axis] + 1;
}

Window window_of(const ConvExtents& e, const SlidingWindow& sliding, Window::Direction direction) {
  Window window;
  window.direction = direction;
  window.N = e.N;
  window.G = e.G;
  window.IC = e.IC / e.G;
  window.IH = e.IH;
  window.IW = e.IW;
  window.OC = e.OC / e.G;
  window.OH = e.OH;
  window.OW = e.OW;
  window.KH = e.KH;
  window.KW = e.KW;
  window.sh = sliding.stride[0];
  window.sw = sliding.stride[1];
  window.ph = sliding.pad_begin[0];
  window.pw = sliding.pad_begin[1];
  window.dh = sliding.dilation[0];
  window.dw = sliding.dilation[1];
  return window;
}

}  // namespace parity
