#include "model/ops/numbers.hpp"

#include <string>

namespace parity {

std::vector<std::int64_t> required_numbers(const NodeView& node, int index, std::string_view role) {
  const Tensor tensor = node.required_constant(index, role);
  if (tensor.type().type != Type::int64)
    node.refuse("its " + std::string(role) + " is " + to_string(tensor.type().type) +
                ", not int64");
  const auto numbers = tensor.values<std::int64_t>();
  return {numbers.begin(), numbers.end()};
}

std::optional<std::vector<std::int64_t>> numbers_from_onnx(const NodeView& node, int index,
                                                           int since, std::string_view name) {
  if (node.opset() >= since) {
    if (!node.has_input(index)) return std::nullopt;
    return required_numbers(node, index, name);
  }
  if (!node.has_attribute(name)) return std::nullopt;
  return node.integers(name, {});
}

}  // namespace parity
