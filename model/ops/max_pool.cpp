#include "model/ops/max_pool.hpp"

#include <algorithm>

#include "model/shapes.hpp"

namespace parity {
namespace {

/// Pads the far end of an axis so that flooring gives what ceil_mode asks for: padding is no term
/// of a maximum, so nothing else changes.
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

std::span<const std::string_view> MaxPool::onnx_types() {
  static constexpr std::string_view types[] = {"MaxPool"};
  return types;
}

Imported<MaxPool> MaxPool::from_onnx(const NodeView& node) {
  node.only_attributes(
      {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"});
  if (node.has_output(1))
    node.refuse("its second output, the indices of the maxima, is not supported");
  const Shape& x = node.input_type(0).shape;
  if (x.size() != 3 && x.size() != 4)
    node.refuse("its input has shape " + to_string(x) +
                "; the lab runs 1-D and 2-D pools (rank 3 and 4)");
  if (!node.has_attribute("kernel_shape")) node.refuse("it has no kernel_shape");
  const std::vector<std::int64_t> spatial(x.begin() + 2, x.end());
  MaxPool op{window_from_onnx(node, spatial, {})};
  if (node.integer("ceil_mode", 0) != 0)
    for (std::size_t i = 0; i < spatial.size(); ++i)
      round_up(op.window, 2 - spatial.size() + i, spatial[i]);
  return {op, {0}, {}};
}

std::vector<TensorType> MaxPool::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, "MaxPool");
  const TensorType& x = types.inputs[0];
  require_float32(x, "MaxPool's input");
  const std::size_t rank = x.shape.size();
  if (rank != 3 && rank != 4)
    throw Error(Fault::bad_model, "MaxPool reads a tensor of shape " + to_string(x.shape) +
                                      "; the lab runs 1-D and 2-D pools (rank 3 and 4)");
  TensorType y = x;
  for (std::size_t axis = 2; axis < rank; ++axis) {
    const std::size_t slide = axis + 2 - rank;  // of the window
    const std::int64_t extent = x.shape[axis], stride = window.stride[slide],
                       dilation = window.dilation[slide];
    const std::int64_t count = windowed_extent(extent, window, slide);
    if (count == 0)
      throw Error(Fault::bad_model, "MaxPool's window is wider than axis " + std::to_string(axis) +
                                        " of a tensor of shape " + to_string(x.shape) +
                                        " with its padding");
    for (std::int64_t position = 0; position < count; ++position) {
      const std::int64_t start = position * stride - window.pad_begin[slide];
      const std::int64_t before =
          start >= 0 ? 0 : (-start + dilation - 1) / dilation;  // taps before the image
      if (before >= window.kernel[slide] || start + before * dilation >= extent)
        throw Error(Fault::bad_model, "MaxPool's window at position " + std::to_string(position) +
                                          " of axis " + std::to_string(axis) +
                                          " lies wholly in the padding, where there is no maximum");
    }
    y.shape[axis] = count;
  }
  return {y};
}

std::vector<Case<MaxPool>> MaxPool::cases() {
  const auto pooling = [](std::string name, SlidingWindow window, Shape x) {
    return Case<MaxPool>{
        std::move(name), {window}, {{TensorType{Type::float32, std::move(x)}}, {}}};
  };
  // kernel, stride, dilation, pads before, pads after
  return {
      pooling("2x2 stride 2", {{2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}, {2, 19, 6, 8}),
      pooling("3x3 stride 2 padded", {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, {2, 16, 7, 9}),
      pooling("lopsided", {{3, 2}, {2, 1}, {1, 3}, {0, 1}, {2, 0}}, {1, 5, 8, 9}),
      pooling("dilated", {{3, 3}, {1, 1}, {2, 2}, {2, 2}, {2, 2}}, {1, 33, 6, 7}),
      pooling("of one element", {}, {2, 3, 4, 5}),
      pooling("of the whole image", {{4, 5}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, {2, 3, 4, 5}),
      pooling("1-D", {{1, 3}, {1, 2}, {1, 1}, {0, 1}, {0, 1}}, {2, 7, 20}),
  };
}

}  // namespace parity
