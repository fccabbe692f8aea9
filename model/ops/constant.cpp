#include "model/ops/constant.hpp"

#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Constant::onnx_types() {
  static constexpr std::string_view types[] = {"Constant"};
  return types;
}

Imported<Constant> Constant::from_onnx(const NodeView& node) {
  node.only_attributes({"value", "value_float", "value_floats"});
  if (std::optional<Tensor> value = node.tensor("value")) return {{}, {}, {std::move(value)}};
  if (node.has_attribute("value_float"))
    return {{}, {}, {Tensor::of<float>({}, {node.real("value_float", 0)})}};
  if (!node.has_attribute("value_floats"))
    node.refuse("it has none of the attributes value, value_float and value_floats");
  std::vector<float> values = node.reals("value_floats");
  const auto count = static_cast<std::int64_t>(values.size());
  return {{}, {}, {Tensor::of<float>({count}, std::move(values))}};
}

std::vector<TensorType> Constant::infer(const OperandTypes& types) const {
  require_operands(types, 0, 1, "Constant");
  if (!types.parameters[0]) throw Error(Fault::internal, "Constant lacks its tensor");
  return {*types.parameters[0]};
}

std::vector<Case<Constant>> Constant::cases() {
  const auto holding = [](std::string name, Shape shape, Type type = Type::float32) {
    return Case<Constant>{std::move(name), {}, {{}, {TensorType{type, std::move(shape)}}}};
  };
  return {holding("Constant scalar", {}), holding("Constant vector", {37}),
          holding("Constant image", {1, 5, 3, 7}),
          holding("Constant of integers", {5, 3}, Type::int64),
          holding("Constant of booleans", {5, 3}, Type::boolean)};
}

}  // namespace parity
