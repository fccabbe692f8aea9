#include "model/ops/binary.hpp"

#include <algorithm>
#include <cmath>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Binary::onnx_types() {
  static constexpr std::string_view types[] = {"Add", "Mul"};
  return types;
}

Imported<Binary> Binary::from_onnx(const NodeView& node) {
  node.only_attributes({});
  Binary op;
  op.function = node.op_type() == "Add" ? Function::add : Function::mul;
  if (node.input_count() != 2)
    node.refuse("it has " + std::to_string(node.input_count()) + " inputs instead of 2");
  for (const int constant : {1, 0}) {
    const int value = 1 - constant;
    std::optional<Tensor> operand = node.constant(constant);
    if (!operand) continue;
    const std::size_t rank = node.input_type(value).shape.size();
    // A constant of higher rank than the value stays a value: as a parameter it would change the
    // rank of what it rides on.
    if (operand->shape().size() > rank) continue;
    const bool scalar = operand->size() == 1;
    Tensor parameter = operand->reshaped(scalar ? Shape{} : with_rank(operand->shape(), rank));
    return {op, {value}, {std::move(parameter)}};
  }
  return {op, {0, 1}, {}};
}

std::vector<TensorType> Binary::infer(const OperandTypes& types) const {
  const std::string what(kind());
  const bool constant = !types.parameters.empty();
  require_operands(types, constant ? 1 : 2, constant ? 1 : 0, what);
  const TensorType& a = types.inputs[0];
  if (constant && !types.parameters[0]) throw Error(Fault::internal, what + " lacks its constant");
  const TensorType& b = constant ? *types.parameters[0] : types.inputs[1];
  require_float32(a, what + " input");
  require_float32(b, what + (constant ? " constant" : " input"));
  if (constant && !b.shape.empty() && b.shape.size() != a.shape.size())
    throw Error(Fault::internal, what + " has a constant of shape " + to_string(b.shape) +
                                     " for a value of shape " + to_string(a.shape) +
                                     "; the constant's rank must be 0 or the value's");
  return {{Type::float32, broadcast(a.shape, b.shape, what)}};
}

StepAllowance Binary::allowance(const OperandTypes&,
                                std::span<const std::shared_ptr<const Tensor>> parameters,
                                const Contract& contract) const {
  StepAllowance allowance{rounded(contract, 1), 1};
  if (function == Function::mul && !parameters.empty()) {
    allowance.gain = 0;
    for (const float c : parameters[0]->values<float>())
      if (std::isfinite(c)) allowance.gain = std::max<double>(allowance.gain, std::abs(c));
  }
  return allowance;
}

std::vector<Case<Binary>> Binary::cases() {
  const auto float32 = [](Shape shape) { return TensorType{Type::float32, std::move(shape)}; };
  std::vector<Case<Binary>> cases;
  for (const Function function : {Function::add, Function::mul}) {
    const Binary op{function};
    const std::string name(op.kind());
    const auto values = [&](const std::string& what, Shape a, Shape b) {
      cases.push_back(
          {name + " " + what, op, {{float32(std::move(a)), float32(std::move(b))}, {}}});
    };
    const auto constant = [&](const std::string& what, Shape x, Shape c) {
      cases.push_back({name + " " + what, op, {{float32(std::move(x))}, {float32(std::move(c))}}});
    };
    values("of equal shapes", {2, 19, 5, 7}, {2, 19, 5, 7});
    values("of vectors", {3, 37}, {3, 37});
    values("stretching both ways", {2, 1, 5, 3}, {2, 4, 1, 3});
    values("of different ranks", {2, 7, 3, 5}, {3, 1});
    values("of a value and its channel gate", {2, 17, 3, 5}, {2, 17, 1, 1});
    values("of rank five", {1, 2, 1, 3, 5}, {2, 1, 4, 1, 5});
    constant("with a scalar", {2, 9, 3, 5}, {});
    constant("with one per channel", {2, 33, 3, 5}, {1, 33, 1, 1});
    constant("with one per feature", {3, 37}, {1, 37});
    constant("with one per last axis", {2, 5, 19}, {1, 1, 19});
    constant("with a whole tensor", {1, 4, 3, 7}, {1, 4, 3, 7});
    constant("with a constant that stretches the value", {1, 3, 1, 5}, {1, 1, 4, 1});
  }
  return cases;
}

}  // namespace parity
