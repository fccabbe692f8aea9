#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// A question about every element, answered by a boolean: ONNX `And`, `Equal`, `Greater`,
/// `GreaterOrEqual`, `IsNaN`, `Less`, `LessOrEqual`, `Not`, `Or`, `Xor`.
///
/// Formula  y[i] = a[i] = b[i], a[i] > b[i], a[i] >= b[i], a[i] < b[i], a[i] <= b[i]; a[i] and b[i], a[i] or
///          b[i], either but not both; not a[i], a[i] is NaN; with broadcasting. -0 equals +0, and every
///          comparison with a NaN is false.
/// Shapes   values a, b of any rank, or one value and one parameter of rank 0 or of the value's rank; Not
///          and IsNaN one value; y the broadcast shape, boolean. Comparisons take float32 or int64, Equal
///          booleans too; And, Or, Xor, Not booleans; IsNaN float32.
/// Order    nothing is rounded (`elementwise`).
/// Error    exact. An answer jumps, so no slope bounds what an error of an operand makes of it: every
///          predicate heads its stage, where both sides read the same operands and must give the same
///          answers.
/// Source   ONNX operator specification.
struct Predicate {
  enum class Function {
    both,
    equal,
    greater,
    greater_or_equal,
    is_nan,
    less,
    less_or_equal,
    negation,
    either,
    exactly_one
  };
  enum class Side { left, right };
  Function function = Function::equal;
  Side constant = Side::right;  ///< where the parameter stands, if there is one

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<Predicate> from_onnx(const NodeView& node);
  std::string_view kind() const;
  bool takes_one() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {{0, 0}, 0};
  }
  bool bounds_itself() const { return true; }
  static std::vector<Case<Predicate>> cases();
};

}  // namespace parity
