#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Tensors combined element by element with broadcasting: ONNX `Add`, `Div`, `Max`, `Mean`, `Min`, `Mul`,
/// `PRelu`, `Pow`, `Sub`, `Sum`. A constant operand is the step's parameter, so that the step may ride on
/// the one before; where the order of operands matters, the side on which it stood is kept.
///
/// Formula  y[i] = a[i] + b[i], a[i] - b[i], a[i] * b[i], a[i] / b[i], the larger or smaller of both,
///          a[i] to the power b[i], or b[i] * a[i] where a[i] is not above 0 (PRelu); an extent of 1 (or
///          an absent leading axis) is read again and again. Of more than two operands (Max, Mean, Min,
///          Sum) the result so far is the left operand of the next; Mean divides the sum by their number.
/// Shapes   values a, b, … of any rank; or one value and one parameter of rank 0 or of the value's rank;
///          y the broadcast shape. float32, or int64 for add, sub, mul, div, max and min.
/// Order    one rounded operation per element and pair (`elementwise`). Max and Min are those of IEEE
///          754-2019: a NaN gives NaN, +0 > -0. Pow with the exponents 2, 1/2, 1 and -1 is x x, sqrt(x), x
///          and 1/x, else the sequence of model/arithmetic/sequences.hpp. Integers wrap around; they
///          are divided toward zero, and by 0 to 0.
/// Error    add, sub, mul, div, PRelu: one rounding, u|y| + 2^-150; max, min and integers: none; Pow: 0.501
///          ULP (measured, as Unary's); Mean of n: n roundings. An error of the one value beside a constant
///          c passes an addition, a maximum and a minimum as it is, grows by at most |c| in a product,
///          1/|c| in a quotient, max(1, |c|) in a PRelu. Pow and division of a constant have no
///          largest slope and head their stage, like everything with two values. Magnitudes: |a| + |b|,
///          |a||b|, max(|a|, |b|), |a| max(1, |b|), |a|/|c|; of a quotient of values, a constant's
///          quotient and Pow |y| itself.
/// Source   ONNX operator specification; CONTRACTS section 2 (epilogue), 4 and 7.
struct Binary {
  enum class Function { add, sub, mul, div, max, min, pow, prelu, mean };
  enum class Side { left, right };
  Function function = Function::add;
  Side constant = Side::right;  ///< where the parameter stands, if there is one

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<Binary> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// Whether no slope bounds it in the operand that is a value.
  bool heads_stage() const;
  bool bounds_itself() const { return heads_stage(); }
  /// Whether exchanged operands give the same bits.
  bool commutes() const;
  /// The power's sequence ("pow=paritylab"); empty for the rest.
  std::string function_clause() const;
  static std::vector<Case<Binary>> cases();
};

}  // namespace parity
