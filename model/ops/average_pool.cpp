#include "model/ops/average_pool.hpp"

#include "model/arithmetic/bounds.hpp"

namespace parity {

std::span<const std::string_view> AveragePool::onnx_types() {
  static constexpr std::string_view types[] = {"AveragePool"};
  return types;
}

Imported<AveragePool> AveragePool::from_onnx(const NodeView& node) {
  node.only_attributes({"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape",
                        "pads", "strides"});
  const PoolWindow pool = pool_from_onnx(node);
  return {{pool.window, pool.beyond,
           node.integer("count_include_pad", 0) != 0 ? Pads::included : Pads::excluded},
          {0},
          {}};
}

std::vector<TensorType> AveragePool::infer(const OperandTypes& types) const {
  return {pooled(types, window, "AveragePool", "there is no mean")};
}

StepAllowance AveragePool::allowance(const OperandTypes&,
                                     std::span<const std::shared_ptr<const Tensor>>,
                                     const Contract& contract) const {
  return {chain_allowance(contract, window.kernel[0] * window.kernel[1]) + rounded(contract, 1), 1};
}

std::vector<Case<AveragePool>> AveragePool::cases() {
  using enum Pads;
  const auto pooling = [](std::string name, AveragePool op, Shape x) {
    return Case<AveragePool>{
        "AveragePool " + std::move(name), op, {{TensorType{Type::float32, std::move(x)}}, {}}};
  };
  // kernel, stride, dilation, pads before, pads after
  const SlidingWindow padded{{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
      lopsided{{3, 2}, {2, 1}, {1, 3}, {0, 1}, {2, 0}},
      ceiled{{3, 3}, {2, 2}, {1, 1}, {1, 0}, {2, 1}};
  return {
      pooling("2x2 stride 2", {{{2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}}, {2, 19, 6, 8}),
      pooling("3x3 stride 2 padded", {padded}, {2, 16, 7, 9}),
      pooling("3x3 stride 2, pads counted", {padded, {0, 0}, included}, {2, 16, 7, 9}),
      pooling("lopsided", {lopsided}, {1, 5, 8, 9}),
      pooling("lopsided, pads counted", {lopsided, {0, 0}, included}, {1, 5, 8, 9}),
      pooling("rounded up", {ceiled, {1, 1}}, {2, 5, 6, 6}),
      pooling("rounded up, pads counted", {ceiled, {1, 1}, included}, {2, 5, 6, 6}),
      pooling("of the whole image", {{{4, 5}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}}, {2, 3, 4, 5}),
      pooling("1-D", {{{1, 3}, {1, 2}, {1, 1}, {0, 1}, {0, 1}}}, {2, 7, 20}),
  };
}

}  // namespace parity
