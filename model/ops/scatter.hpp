#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/indexed_rows.hpp"

namespace parity {

/// A copy of x with updates at places that a tensor of indices gives, ONNX `ScatterND`,
/// `ScatterElements` and its elder `Scatter`.
///
/// Formula  y = x; then for each update in row-major order, points: y[index[j…, :], k…] = f(y[…],
///          u[j…, k…]); elements: y[i_0, …, index[i_0, …], …] = f(y[…], u[i_0, …]), the index
///          standing on `axis`. f(y, u) is u, y + u, y * u, or the IEEE maximum or minimum.
/// Shapes   x any; index int64, a value or known at import; points: u {index without its last axis} +
///          {axes of x behind the index}; elements: u as index; y as x. float32.
/// Order    one rounded operation per update, ascending (`elementwise`); without a reduction the last
///          update of a place stays. Indices as Gather's.
/// Error    replace, max, min: none. add: rounding per update, at most n on one element: n*u*M. mul:
///          the same on M' = the product of max(|·|, 1), because what underflows on the way may grow
///          again by every later factor. Magnitudes: replace, max, min: the same on |x|, |u|; add:
///          |x| + the |u|; mul: M'.
/// Source   ONNX operator specification; CONTRACTS section 4.
struct Scatter {
  enum class Function { points, elements };
  enum class Reduction { replace, add, mul, max, min };
  enum class Operand { value, parameter };
  Function function = Function::points;
  Reduction reduction = Reduction::replace;
  std::int64_t axis = 0;  ///< elements; negative counts from the back
  Operand indices = Operand::value;

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  /// Values x, index (unless it is known), updates; one parameter, the index where it is known.
  static Imported<Scatter> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  IndexedRows rows(const Shape& x, const Shape& index) const;
  bool keeps_items(const OperandTypes& types) const;
  static std::vector<Case<Scatter>> cases();
};

}  // namespace parity
