#include "model/ops/top_k.hpp"

#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> TopK::onnx_types() {
  static constexpr std::string_view types[] = {"TopK", "ArgMax", "ArgMin"};
  return types;
}

Imported<TopK> TopK::from_onnx(const NodeView& node) {
  TopK op;
  if (node.op_type() == "TopK") {
    node.only_attributes({"axis", "k", "largest", "sorted"});
    op.axis = node.integer("axis", -1);
    op.first = node.integer("largest", 1) != 0 ? First::largest : First::smallest;
    if (node.opset() < 10) {
      op.count = node.integer("k", 0);
    } else {
      const std::vector<std::int64_t> k = required_numbers(node, 1, "k");
      if (k.size() != 1)
        node.refuse("its k has " + std::to_string(k.size()) + " elements, not one");
      op.count = k[0];
    }
    return {op, {0}, {}};
  }
  node.only_attributes({"axis", "keepdims", "select_last_index"});
  op.results = Results::indices;
  op.first = node.op_type() == "ArgMax" ? First::largest : First::smallest;
  op.axis = node.integer("axis", 0);
  op.tie = node.integer("select_last_index", 0) != 0 ? Tie::highest : Tie::lowest;
  op.reduced = node.integer("keepdims", 1) != 0 ? Axes::kept : Axes::dropped;
  return {op, {0}, {}};
}

std::string_view TopK::kind() const {
  if (results == Results::values_and_indices) return "TopK";
  return first == First::largest ? "ArgMax" : "ArgMin";
}

std::vector<TensorType> TopK::infer(const OperandTypes& types) const {
  const std::string what(kind());
  require_operands(types, 1, 0, what);
  TensorType y = types.inputs[0];
  require_float32(y, what + "'s input");
  const std::size_t along = normalised_axis(axis, y.shape.size(), what);
  if (count < 0 || count > y.shape[along] || y.shape[along] == 0)
    throw Error(Fault::bad_model, what + " takes " + std::to_string(count) + " elements of axis " +
                                      std::to_string(axis) + " of a tensor of shape " +
                                      to_string(y.shape));
  y.shape[along] = count;
  TensorType indices{Type::int64, y.shape};
  if (results == Results::values_and_indices) return {y, indices};
  if (reduced == Axes::dropped)
    indices.shape.erase(indices.shape.begin() + static_cast<std::ptrdiff_t>(along));
  return {indices};
}

std::vector<Case<TopK>> TopK::cases() {
  std::vector<Case<TopK>> cases;
  const auto add = [&](const std::string& what, TopK op, Shape x) {
    cases.push_back(
        {std::string(op.kind()) + " " + what, op, {{TensorType{Type::float32, std::move(x)}}, {}}});
  };
  using enum Results;
  using enum First;
  add("of features", {values_and_indices, largest, -1, 5}, {3, 37});
  add("of channels, smallest", {values_and_indices, smallest, 1, 4}, {2, 19, 3, 5});
  add("of all", {values_and_indices, largest, 2, 9}, {2, 3, 9});
  add("of one", {values_and_indices, largest, 1, 1}, {4, 33});
  for (const First first : {largest, smallest}) {
    add("of classes", {indices, first, 1}, {2, 19, 3, 5});
    add("of features, dropped", {indices, first, -1, 1, Tie::lowest, Axes::dropped}, {3, 37});
    add("of features, the last", {indices, first, -1, 1, Tie::highest}, {3, 2, 65});
  }
  return cases;
}

}  // namespace parity
