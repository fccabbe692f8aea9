#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Exponentials divided by their sum, and the logarithm of that, ONNX `Softmax` and `LogSoftmax`.
///
/// Formula  y_i = exp(x_i - m) / S, S = sum over j of exp(x_j - m), m = max x_j, over the n elements of a
///          row; log_softmax: y_i = x_i - m - log S.
/// Shapes   x any; y the same. A row runs along one axis, before opset 13 over that axis and all after
///          it. float32.
/// Order    m = max; e_i = exp(sub(x_i, m)) by the sequence of model/arithmetic/sequences.hpp; S =
///          `lanes32` of e, the n elements in ascending index; y_i = div(e_i, S), or sub(sub(x_i, m),
///          log(S)).
/// Error    With s_i = x_i - m <= 0, D the depth of `lanes32` and K = D + ln n + 8: |y^ - y| <= u (1 +
///          2^-9) M + (n + 4) 2^-148, M = y^ (min(-s_i, 105) + K), or -2 s_i + 4 log S + K. Derivation:
///          sub moves s_i by u|s_i|, so e_i by the same relatively; the sequence adds 1.1325 ULP, at most
///          2.27u relatively; so e_i is off by (|s_i| + 2.27)u. The sum is off by gamma(D) and by the mean
///          of its terms' errors weighted by them, (R + 2.27)u with R = sum y_j |s_j| = H - ln S <= ln n:
///          H is the entropy of y and S >= 1. The division adds u. Together (|s_i| + ln n + D + 5.54)u to
///          first order; the rest, of the order (105 + D)u of it, is in 2^-9 and in the 8. The logarithm
///          takes S's relative error as it is and adds 2u log S, the two subtractions u (|s_i| + |y|),
///          |y| <= |s_i| + log S. Below s = -104, where exp is cut off, and among subnormal numbers e is
///          off by 2^-148 at most, a sum of them by n * 2^-148; S >= 1, so no more of it reaches y. In
///          double libm's functions stay within 1 ULP, 2 * 2^-53 relatively.
/// Source   ONNX operator specification, Softmax, LogSoftmax; CONTRACTS section 5; Higham, 2nd ed.,
///          section 4.2.
struct Softmax {
  enum class Function { softmax, log_softmax };
  enum class Row { along_the_axis, from_the_axis_on };
  Function function = Function::softmax;
  std::int64_t axis = 0;  ///< counted from the front
  Row row = Row::along_the_axis;

  static constexpr Family family = Family::reduction;
  bool bounds_itself() const { return true; }
  bool keeps_items(const OperandTypes&) const { return axis != 0; }
  static std::span<const std::string_view> onnx_types();
  static Imported<Softmax> from_onnx(const NodeView& node);
  std::string_view kind() const { return function == Function::softmax ? "Softmax" : "LogSoftmax"; }
  std::string function_clause() const {
    return function == Function::softmax ? "exp=paritylab" : "exp=paritylab,log=paritylab";
  }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<Softmax>> cases();
};

/// Element i of row (outer, inner) of a softmax is x[(outer * n + i) * inner_count + inner].
struct SoftmaxExtents {
  std::int64_t outer, n, inner;
};
SoftmaxExtents extents(const Softmax& op, const Shape& x);

/// K of the magnitudes, D + ln n + 8, rounded up.
float softmax_magnitude_term(std::int64_t n);

}  // namespace parity
