#include "model/ops/max_pool.hpp"

namespace parity {
std::span<const std::string_view> MaxPool::onnx_types() {
  static constexpr std::string_view types[] = {"MaxPool"};
  return types;
}

Imported<MaxPool> MaxPool::from_onnx(const NodeView& node) {
  node.only_attributes(
      {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"});
  if (node.has_output(1))
    node.refuse("its second output, the indices of the maxima, is not supported");
  // Padding is no term of a maximum, so more of it for ceil_mode changes nothing else.
  return {{pool_from_onnx(node).window}, {0}, {}};
}

std::vector<TensorType> MaxPool::infer(const OperandTypes& types) const {
  return {pooled(types, window, "MaxPool", "there is no maximum")};
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
