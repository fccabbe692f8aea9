#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Axes collapsed into one element, ONNX `GlobalAveragePool`, `GlobalMaxPool`, `ReduceMean`,
/// `ReduceSum` and `ReduceMax`.
///
/// Formula  y[…] = sum, sum / n or max over the n elements whose indices agree on the axes that are
/// kept. Shapes   x any; y with the reduced axes of extent 1 (`kept`) or gone (`dropped`). float32.
/// Order    the n elements row-major over the reduced axes, ascending. sum: `lanes32`: n <= 4096:
/// lane l adds the
///          elements i = l mod 32 ascending from +0, then acc_l += acc_(l xor d), d = 16, 8, 4, 2,
///          1, lane 0; more: blocks of 4096, their sums as a new list. mean: div(sum, float(n)).
///          max: IEEE 754-2019 maximum (any NaN gives NaN, +0 > -0), which has no order.
/// Error    sum: gamma(d) * sum |x|, d = ceil(min(n,4096)/32) + 5 per level; mean: one more
/// rounding; max: none.
///          Magnitudes: the same on |x|.
/// Source   ONNX operator specification; CONTRACTS section 3, 4 and 7; Higham, 2nd ed.,
/// section 4.2.
struct Reduce {
  enum class Function { sum, mean, max };
  enum class Axes { kept, dropped };
  Function function = Function::mean;
  std::vector<std::int64_t> axes;  ///< ascending, counted from the front; empty: y = x
  Axes reduced = Axes::kept;

  static constexpr Family family = Family::reduction;
  static std::span<const std::string_view> onnx_types();
  static Imported<Reduce> from_onnx(const NodeView& node);
  std::string_view kind() const;
  /// Whether it adds; a maximum selects and has no order to promise.
  bool sums() const { return function != Function::max; }
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
