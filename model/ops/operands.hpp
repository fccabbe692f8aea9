#pragma once

#include <optional>

#include "model/op.hpp"

namespace parity {

/// One of two operands that is known at import, for a step's parameter.
struct ConstantOperand {
  int index;  ///< which of the two
  Tensor tensor;
};

/// The second operand when it is constant, else the first; a scalar as rank 0, anything else in the rank
/// of the value. Nothing when both are values, and when the constant's rank is higher than the value's:
/// as a parameter it would change the rank of what it rides on.
std::optional<ConstantOperand> constant_operand(const NodeView& node);

/// The operands in the order of the formula, of an op that keeps one as its parameter.
std::vector<TensorType> both_operands(const OperandTypes& types, bool constant_first,
                                      std::string_view what);

}  // namespace parity
