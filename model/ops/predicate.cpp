#include "model/ops/predicate.hpp"

#include <algorithm>

#include "model/ops/operands.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

using F = Predicate::Function;

constexpr std::string_view names[] = {"And",   "Equal", "Greater",     "GreaterOrEqual",
                                      "IsNaN", "Less",  "LessOrEqual", "Not",
                                      "Or",    "Xor"};

bool takes(F function, Type type) {
  switch (function) {
    case F::both:
    case F::either:
    case F::exactly_one:
    case F::negation:
      return type == Type::boolean;
    case F::is_nan:
      return type == Type::float32;
    case F::equal:
      return type != Type::float64;
    default:
      return type == Type::float32 || type == Type::int64;
  }
}

}  // namespace

std::span<const std::string_view> Predicate::onnx_types() { return names; }

std::string_view Predicate::kind() const { return names[static_cast<std::size_t>(function)]; }

bool Predicate::takes_one() const { return function == F::negation || function == F::is_nan; }

Imported<Predicate> Predicate::from_onnx(const NodeView& node) {
  node.only_attributes({});
  Predicate op;
  op.function = static_cast<F>(std::find(std::begin(names), std::end(names), node.op_type()) -
                               std::begin(names));
  const int wanted = op.takes_one() ? 1 : 2;
  if (node.input_count() != wanted)
    node.refuse("it has " + std::to_string(node.input_count()) + " inputs instead of " +
                std::to_string(wanted));
  for (int i = 0; i < wanted; ++i)
    if (!takes(op.function, node.input_type(i).type))
      node.refuse("its input " + std::to_string(i) + " is " + to_string(node.input_type(i)));
  if (op.takes_one()) return {op, {0}, {}};
  std::optional<ConstantOperand> constant = constant_operand(node);
  if (!constant) return {op, {0, 1}, {}};
  if (constant->index == 0) op.constant = Side::left;
  return {op, {1 - constant->index}, {std::move(constant->tensor)}};
}

std::vector<TensorType> Predicate::infer(const OperandTypes& types) const {
  const std::string what(kind());
  if (takes_one()) require_operands(types, 1, 0, what);
  const std::vector<TensorType> operands =
      takes_one() ? types.inputs : both_operands(types, constant == Side::left, what);
  Shape shape;
  for (const TensorType& operand : operands) {
    if (!takes(function, operand.type) || operand.type != operands[0].type)
      throw Error(Fault::bad_model,
                  what + " reads " + to_string(operand) + "; it does not take that type here");
    shape = broadcast(shape, operand.shape, what);
  }
  return {{Type::boolean, std::move(shape)}};
}

std::vector<Case<Predicate>> Predicate::cases() {
  std::vector<Case<Predicate>> cases;
  const auto of = [&](const Predicate& op, const std::string& what, Type type,
                      const std::vector<Shape>& inputs, const std::vector<Shape>& parameters) {
    OperandTypes types;
    for (const Shape& shape : inputs) types.inputs.push_back({type, shape});
    for (const Shape& shape : parameters) types.parameters.push_back(TensorType{type, shape});
    cases.push_back({std::string(op.kind()) + " " + what, op, std::move(types)});
  };
  for (const F function : {F::equal, F::greater, F::greater_or_equal, F::less, F::less_or_equal}) {
    of({function}, "of values", Type::float32, {{2, 7, 3, 5}, {2, 7, 3, 5}}, {});
    of({function}, "of a value and a row", Type::float32, {{2, 7, 3, 5}, {5}}, {});
    of({function}, "with a scalar", Type::float32, {{2, 19}}, {{}});
    of({function, Side::left}, "of a scalar", Type::float32, {{2, 19}}, {{}});
    of({function}, "of integers", Type::int64, {{3, 1, 5}, {4, 1}}, {});
    of({function, Side::left}, "of an integer constant", Type::int64, {{3, 5}}, {{1, 5}});
  }
  of({F::equal}, "of booleans", Type::boolean, {{3, 5}, {5}}, {});
  for (const F function : {F::both, F::either, F::exactly_one}) {
    of({function}, "of values", Type::boolean, {{3, 1, 5}, {4, 1}}, {});
    of({function}, "with a constant", Type::boolean, {{3, 5}}, {{1, 5}});
  }
  of({F::negation}, "of a mask", Type::boolean, {{3, 37}}, {});
  of({F::is_nan}, "of a tensor", Type::float32, {{2, 33, 3, 5}}, {});
  return cases;
}

}  // namespace parity
