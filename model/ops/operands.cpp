#include "model/ops/operands.hpp"

#include "model/shapes.hpp"

namespace parity {

std::optional<ConstantOperand> constant_operand(const NodeView& node) {
  for (const int constant : {1, 0}) {
    std::optional<Tensor> operand = node.constant(constant);
    if (!operand) continue;
    const std::size_t rank = node.input_type(1 - constant).shape.size();
    if (operand->shape().size() > rank) continue;
    const bool scalar = operand->size() == 1;
    return ConstantOperand{constant,
                           operand->reshaped(scalar ? Shape{} : with_rank(operand->shape(), rank))};
  }
  return std::nullopt;
}

std::vector<TensorType> both_operands(const OperandTypes& types, bool constant_first,
                                      std::string_view what) {
  const bool constant = !types.parameters.empty();
  require_operands(types, constant ? 1 : 2, constant ? 1 : 0, std::string(what));
  std::vector<TensorType> operands = types.inputs;
  if (!constant) return operands;
  if (!types.parameters[0]) throw Error(Fault::internal, std::string(what) + " lacks its constant");
  const TensorType& c = *types.parameters[0];
  if (!c.shape.empty() && c.shape.size() != operands[0].shape.size())
    throw Error(Fault::internal, std::string(what) + " has a constant of shape " +
                                     to_string(c.shape) + " for a value of shape " +
                                     to_string(operands[0].shape) +
                                     "; the constant's rank must be 0 or the value's");
  operands.insert(constant_first ? operands.begin() : operands.end(), c);
  return operands;
}

}  // namespace parity
