#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Two tensors combined element by element with broadcasting, ONNX `Add` and `Mul`. A constant
/// operand is the step's parameter, so that it may ride on the step before; which side it stood on
/// is not kept, because both functions commute to the bit.
///
/// Formula  y[i] = a[i] + b[i], or a[i] * b[i]; an extent of 1 (or an absent leading axis) is read
/// again and again. Shapes   values a, b of any rank; or one value x and one parameter of rank 0 or
/// of x's rank; y the broadcast
///          shape. float32.
/// Order    one rounded operation per element (`elementwise`).
/// Error    one rounding: u|y| + 2^-150. An error of the input passes an addition unchanged; a
/// multiplication by a
///          constant c grows it by at most max|c|. Magnitudes: |a| + |b|, |a||b|.
/// Source   ONNX operator specification, Add, Mul; CONTRACTS section 2 (epilogue) and 7.
struct Binary {
  enum class Function { add, mul };
  Function function = Function::add;

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<Binary> from_onnx(const NodeView& node);
  std::string_view kind() const { return function == Function::add ? "Add" : "Mul"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<Binary>> cases();
};

}  // namespace parity
