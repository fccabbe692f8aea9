#include "model/ops/choice.hpp"

#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Choice::onnx_types() {
  static constexpr std::string_view types[] = {"Where"};
  return types;
}

Imported<Choice> Choice::from_onnx(const NodeView& node) {
  node.only_attributes({});
  if (node.input_count() != 3)
    node.refuse("it has " + std::to_string(node.input_count()) + " inputs instead of 3");
  Imported<Choice> imported;
  for (int i = 0; i < 3; ++i) {
    std::optional<Tensor> constant = node.constant(i);
    imported.op.constant[static_cast<std::size_t>(i)] = constant.has_value();
    if (constant)
      imported.parameters.push_back(std::move(constant));
    else
      imported.inputs.push_back(i);
  }
  return imported;
}

std::vector<TensorType> Choice::infer(const OperandTypes& types) const {
  std::size_t values = 0, parameters = 0;
  for (const bool is_constant : constant) ++(is_constant ? parameters : values);
  require_operands(types, values, parameters, "Where");
  std::array<TensorType, 3> operands;
  values = parameters = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!constant[i]) {
      operands[i] = types.inputs[values++];
      continue;
    }
    if (!types.parameters[parameters]) throw Error(Fault::internal, "Where lacks a constant");
    operands[i] = *types.parameters[parameters++];
  }
  const auto& [c, a, b] = operands;
  if (c.type != Type::boolean || a.type != b.type)
    throw Error(Fault::bad_model, "Where reads " + to_string(c) + ", " + to_string(a) + " and " +
                                      to_string(b) +
                                      "; it takes a boolean mask and two tensors of "
                                      "one type");
  return {{a.type, broadcast(c.shape, broadcast(a.shape, b.shape, "Where"), "Where")}};
}

std::vector<Case<Choice>> Choice::cases() {
  std::vector<Case<Choice>> cases;
  const auto of = [&](const std::string& what, Type type, std::array<bool, 3> constant,
                      const std::array<Shape, 3>& shapes) {
    OperandTypes types;
    for (std::size_t i = 0; i < 3; ++i) {
      const TensorType operand{i == 0 ? Type::boolean : type, shapes[i]};
      if (constant[i])
        types.parameters.push_back(operand);
      else
        types.inputs.push_back(operand);
    }
    cases.push_back({"Where " + what, {constant}, std::move(types)});
  };
  of("of equal shapes", Type::float32, {}, {Shape{2, 9, 3, 5}, {2, 9, 3, 5}, {2, 9, 3, 5}});
  of("that stretches all three", Type::float32, {}, {Shape{3, 1, 5}, {4, 1}, {3, 4, 5}});
  of("that masks with a scalar", Type::float32, {false, true, false},
     {Shape{2, 1, 7, 7}, {}, {2, 3, 7, 7}});
  of("with a constant mask", Type::float32, {true, false, true}, {Shape{7, 7}, {2, 3, 7, 7}, {}});
  of("of integers", Type::int64, {}, {Shape{3, 5}, {3, 5}, {5}});
  of("of booleans", Type::boolean, {false, false, true}, {Shape{3, 5}, {3, 1}, {}});
  return cases;
}

}  // namespace parity
