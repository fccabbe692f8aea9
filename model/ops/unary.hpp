#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// One function applied to every element, ONNX `Relu` and `Sigmoid`.
///
/// Formula  relu(x) = x > 0 ? x : (x != x ? x : +0), so -0 becomes +0 and NaN passes; sigmoid(x) =
/// 1 / (1 + exp(-x)),
///          by the sequence of model/arithmetic/elementary.hpp.
/// Shapes   x any; y the same. float32.
/// Order    one rounded sequence per element (`elementwise`); NaN gives NaN.
/// Error    relu: exact, and 1-Lipschitz. sigmoid: 2.41 ULP of y (all 2^32 inputs measured), hence
///          2.41 * 2^-23 * y; Lipschitz constant 1/4. In magnitudes relu is the identity and
///          sigmoid m -> m/4 + 1, which bounds both its value and the error it inherits.
/// Source   ONNX operator specification, Relu, Sigmoid; CONTRACTS section 4.
struct Unary {
  enum class Function { relu, sigmoid };
  Function function = Function::relu;

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<Unary> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// Whose sequence computes an elementary function ("sigmoid=paritylab"); empty for relu.
  std::string function_clause() const;
  static std::vector<Case<Unary>> cases();
};

}  // namespace parity
