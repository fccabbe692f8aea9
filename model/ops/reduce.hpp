#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Axes collapsed into one element, ONNX `GlobalAveragePool`, `GlobalMaxPool`, `ReduceMean`,
/// `ReduceSum`, `ReduceMax`, `ReduceMin`, `ReduceL1`, `ReduceL2`, `ReduceSumSquare` and `ReduceProd`.
///
/// Formula  y[…] = sum x, sum x / n, max x, min x, sum |x|, sqrt(sum x*x), sum x*x or prod x over the
///          n elements whose indices agree on the axes that are kept.
/// Shapes   x any; y with the reduced axes of extent 1 (`kept`) or gone (`dropped`). float32.
/// Order    the n elements row-major over the reduced axes, ascending. sum: `lanes32`: n <= 4096:
///          lane l adds the elements i = l mod 32 ascending from +0, then acc_l += acc_(l xor d),
///          d = 16, 8, 4, 2, 1, lane 0; more: blocks of 4096, their sums as a new list. mean:
///          div(sum, float(n)). L1: the same on |x|. Sum of squares: acc = fma(x, x, acc) in the
///          lanes, sums of lanes and blocks as above; L2: sqrt.rn of it. prod: mul from 1 in place
///          of add from +0. max, min: IEEE 754-2019 (any NaN gives NaN, +0 > -0), which has no order.
/// Error    sum, L1: gamma(d) * sum |x|, d = ceil(min(n,4096)/32) + 5 per level; squares: the same of
///          sum x*x; mean, L2: one more rounding (the root halves what is relative; of what
///          underflowed, t, it makes sqrt(t) at most); prod: n roundings, gamma(n) * M', M' the
///          product of max(|x|, 1), because what underflows on the way may grow again by every later
///          factor; max, min: none. Magnitudes: the same on |x|; min: max |x|; prod: M'.
/// Source   ONNX operator specification; CONTRACTS section 3, 4 and 7; Higham, 2nd ed.,
///          section 4.2.
struct Reduce {
  enum class Function { sum, mean, max, min, l1, l2, sum_square, prod };
  enum class Axes { kept, dropped };
  Function function = Function::mean;
  std::vector<std::int64_t> axes;  ///< ascending, counted from the front; empty: y = x
  Axes reduced = Axes::kept;

  static constexpr Family family = Family::reduction;
  static std::span<const std::string_view> onnx_types();
  static Imported<Reduce> from_onnx(const NodeView& node);
  std::string_view kind() const;
  /// Whether it adds or multiplies; a maximum selects and has no order to promise.
  bool sums() const { return function != Function::max && function != Function::min; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// Elements that one element of y collapses.
  std::int64_t terms(const TensorType& x) const;
  static std::vector<Case<Reduce>> cases();
};

}  // namespace parity
