#include "model/ops/gather.hpp"

#include "model/shapes.hpp"

namespace parity {
namespace {

const TensorType& type_of_operand(const OperandTypes& types, Gather::Operand operand,
                                  std::size_t slot, std::size_t& next) {
  if (operand == Gather::Operand::value) return types.inputs.at(next++);
  if (!types.parameters.at(slot)) throw Error(Fault::internal, "a Gather lacks its constant");
  return *types.parameters[slot];
}

struct Types {
  TensorType x, index;
};
Types types_of(const Gather& op, const OperandTypes& types) {
  std::size_t next = 0;
  const TensorType x = type_of_operand(types, op.data, 0, next);
  const TensorType index = type_of_operand(types, op.indices, 1, next);
  return {x, index};
}

}  // namespace

std::span<const std::string_view> Gather::onnx_types() {
  static constexpr std::string_view types[] = {"Gather", "GatherElements", "GatherND"};
  return types;
}

Imported<Gather> Gather::from_onnx(const NodeView& node) {
  node.only_attributes({"axis", "batch_dims"});
  Imported<Gather> imported;
  Gather& op = imported.op;
  op.function = node.op_type() == "Gather"           ? Function::along
                : node.op_type() == "GatherElements" ? Function::elements
                                                     : Function::points;
  op.axis = node.integer("axis", 0);
  op.batch_axes = node.integer("batch_dims", 0);
  imported.parameters = {node.constant(0), node.constant(1)};
  for (int i = 0; i < 2; ++i) {
    if (imported.parameters[static_cast<std::size_t>(i)])
      (i == 0 ? op.data : op.indices) = Operand::parameter;
    else
      imported.inputs.push_back(i);
  }
  if (const auto& index = imported.parameters[1]) {
    if (index->type().type != Type::int64)
      node.refuse("its indices are " + to_string(index->type()));
    OperandTypes types{{node.input_type(0), index->type()}, {}};
    Gather values = op;
    values.data = values.indices = Operand::value;
    values.infer({types.inputs, {std::nullopt, std::nullopt}});  // refuses shapes that do not fit
    const IndexedRows rows = op.rows(node.input_type(0).shape, index->shape());
    const auto indices = index->values<std::int64_t>();
    if (const std::int64_t at = first_outside(rows, indices); at >= 0)
      node.refuse(outside_sentence(rows, at, indices[static_cast<std::size_t>(at)], "it"));
  }
  return imported;
}

std::string_view Gather::kind() const {
  switch (function) {
    case Function::along:
      return "Gather";
    case Function::elements:
      return "GatherElements";
    case Function::points:
      return "GatherND";
  }
  return "Gather";
}

std::vector<TensorType> Gather::infer(const OperandTypes& types) const {
  const std::string what(kind());
  const auto values = static_cast<std::size_t>(data == Operand::value) +
                      static_cast<std::size_t>(indices == Operand::value);
  require_operands(types, values, 2, what);
  const auto [x, index] = types_of(*this, types);
  if (index.type != Type::int64)
    throw Error(Fault::bad_model, what + " reads indices of type " + to_string(index.type));
  const auto refuse = [&, x = x, index = index](const std::string& why) {
    throw Error(Fault::bad_model, what + " cannot read a tensor of shape " + to_string(x.shape) +
                                      " at indices of shape " + to_string(index.shape) + ": " +
                                      why);
  };
  TensorType y{x.type, {}};
  const auto append = [&](const Shape& shape, std::size_t first, std::size_t last) {
    y.shape.insert(y.shape.end(), shape.begin() + static_cast<std::ptrdiff_t>(first),
                   shape.begin() + static_cast<std::ptrdiff_t>(last));
  };
  if (function == Function::points) {
    const std::size_t rank = x.shape.size(), batch = static_cast<std::size_t>(batch_axes);
    if (batch_axes < 0 || index.shape.empty() || batch + 1 > index.shape.size() || batch > rank)
      refuse("there are " + std::to_string(batch_axes) + " batch axes");
    for (std::size_t k = 0; k < batch; ++k)
      if (x.shape[k] != index.shape[k]) refuse("their batch axes differ");
    const std::int64_t points = index.shape.back();
    if (points < 1 || points > static_cast<std::int64_t>(rank - batch))
      refuse("an index has " + std::to_string(points) + " components");
    append(index.shape, 0, index.shape.size() - 1);
    append(x.shape, batch + static_cast<std::size_t>(points), rank);
    return {y};
  }
  const std::size_t at = normalised_axis(axis, x.shape.size(), what);
  if (function == Function::along) {
    append(x.shape, 0, at);
    append(index.shape, 0, index.shape.size());
    append(x.shape, at + 1, x.shape.size());
    return {y};
  }
  if (index.shape.size() != x.shape.size()) refuse("their ranks differ");
  for (std::size_t k = 0; k < x.shape.size(); ++k)
    if (k != at && index.shape[k] > x.shape[k])
      refuse("axis " + std::to_string(k) + " is longer in the indices");
  y.shape = index.shape;
  return {y};
}

IndexedRows Gather::rows(const Shape& x, const Shape& index) const {
  switch (function) {
    case Function::along:
      return rows_along(x, index, normalised_axis(axis, x.size(), std::string(kind())));
    case Function::elements:
      return rows_of_elements(x, index, normalised_axis(axis, x.size(), std::string(kind())));
    case Function::points:
      return rows_at_points(x, index, static_cast<std::size_t>(batch_axes));
  }
  return {};
}

bool Gather::keeps_items(const OperandTypes& types) const {
  if (data == Operand::parameter) return true;  // indices keep their places
  if (function == Function::points) return batch_axes > 0;
  return normalised_axis(axis, types.inputs[0].shape.size(), std::string(kind())) != 0;
}

std::vector<Case<Gather>> Gather::cases() {
  // Made indices lie in [-4, 4], so an axis that is indexed has 5 elements at least.
  using enum Function;
  using enum Operand;
  std::vector<Case<Gather>> cases;
  const auto add = [&](const std::string& what, Gather op, Shape x, Shape index) {
    const TensorType data{Type::float32, std::move(x)}, indices{Type::int64, std::move(index)};
    Case<Gather> each{std::string(op.kind()) + " " + what, op, {{}, {std::nullopt, std::nullopt}}};
    if (op.data == value)
      each.types.inputs.push_back(data);
    else
      each.types.parameters[0] = data;
    if (op.indices == value)
      each.types.inputs.push_back(indices);
    else
      each.types.parameters[1] = indices;
    cases.push_back(std::move(each));
  };
  add("of channels", {along, 1, 0, value, parameter}, {2, 9, 3, 5}, {7});
  add("of one channel", {along, -3, 0, value, parameter}, {2, 9, 3, 5}, {});
  add("of rows by a value", {along, 0}, {17, 6}, {3, 4});
  add("of an embedding", {along, 0, 0, parameter, value}, {17, 6}, {3, 4});
  add("of the last axis by a value", {along, -1}, {2, 3, 9}, {5});
  add("of an axis", {elements, 1, 0, value, parameter}, {3, 9, 4}, {3, 5, 4});
  add("by a value", {elements, -1}, {3, 4, 9}, {2, 4, 11});
  add("of rows", {points, 0, 0, value, parameter}, {9, 7, 5}, {3, 2});
  add("of elements by a value", {points}, {5, 7}, {6, 2});
  add("in a batch", {points, 0, 1}, {3, 9, 5}, {3, 2, 1});
  return cases;
}

}  // namespace parity
