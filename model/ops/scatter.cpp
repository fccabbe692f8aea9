#include "model/ops/scatter.hpp"

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

struct Types {
  TensorType x, index, updates;
};
Types types_of(const Scatter& op, const OperandTypes& types) {
  const bool value = op.indices == Scatter::Operand::value;
  require_operands(types, value ? 3 : 2, 1, std::string(op.kind()));
  if (!value && !types.parameters[0]) throw Error(Fault::internal, "a Scatter lacks its indices");
  return {types.inputs[0], value ? types.inputs[1] : *types.parameters[0], types.inputs.back()};
}

}  // namespace

std::span<const std::string_view> Scatter::onnx_types() {
  static constexpr std::string_view types[] = {"ScatterND", "ScatterElements", "Scatter"};
  return types;
}

Imported<Scatter> Scatter::from_onnx(const NodeView& node) {
  node.only_attributes({"axis", "reduction"});
  Imported<Scatter> imported;
  Scatter& op = imported.op;
  op.function = node.op_type() == "ScatterND" ? Function::points : Function::elements;
  op.axis = node.integer("axis", 0);
  const std::string reduction = node.text("reduction", "none");
  if (reduction == "add")
    op.reduction = Reduction::add;
  else if (reduction == "mul")
    op.reduction = Reduction::mul;
  else if (reduction == "max")
    op.reduction = Reduction::max;
  else if (reduction == "min")
    op.reduction = Reduction::min;
  else if (reduction != "none")
    node.refuse("its reduction '" + reduction + "' is unknown");
  imported.parameters = {node.constant(1)};
  imported.inputs = {0, 1, 2};
  if (const auto& index = imported.parameters[0]) {
    op.indices = Operand::parameter;
    imported.inputs = {0, 2};
    op.infer({{node.input_type(0), node.input_type(2)}, {index->type()}});
    const IndexedRows rows = op.rows(node.input_type(0).shape, index->shape());
    const auto indices = index->values<std::int64_t>();
    if (const std::int64_t at = first_outside(rows, indices); at >= 0)
      node.refuse(outside_sentence(rows, at, indices[static_cast<std::size_t>(at)], "it"));
  }
  return imported;
}

std::string_view Scatter::kind() const {
  return function == Function::points ? "ScatterND" : "ScatterElements";
}

std::vector<TensorType> Scatter::infer(const OperandTypes& types) const {
  const std::string what(kind());
  const auto [x, index, updates] = types_of(*this, types);
  require_float32(x, what + " data");
  require_float32(updates, what + " updates");
  if (index.type != Type::int64)
    throw Error(Fault::bad_model, what + " reads indices of type " + to_string(index.type));
  const auto refuse = [&, x = x, index = index, updates = updates](const std::string& why) {
    throw Error(Fault::bad_model, what + " cannot write updates of shape " +
                                      to_string(updates.shape) + " at indices of shape " +
                                      to_string(index.shape) + " into a tensor of shape " +
                                      to_string(x.shape) + ": " + why);
  };
  Shape wanted = index.shape;
  if (function == Function::points) {
    const auto rank = static_cast<std::int64_t>(x.shape.size());
    if (index.shape.empty() || index.shape.back() < 1 || index.shape.back() > rank)
      refuse("an index has no place");
    wanted.pop_back();
    wanted.insert(wanted.end(), x.shape.begin() + static_cast<std::ptrdiff_t>(index.shape.back()),
                  x.shape.end());
  } else {
    const std::size_t at = normalised_axis(axis, x.shape.size(), what);
    if (index.shape.size() != x.shape.size()) refuse("their ranks differ");
    for (std::size_t k = 0; k < x.shape.size(); ++k)
      if (k != at && index.shape[k] > x.shape[k])
        refuse("axis " + std::to_string(k) + " is longer in the indices");
  }
  if (updates.shape != wanted) refuse("the updates should have shape " + to_string(wanted));
  return {x};
}

StepAllowance Scatter::allowance(const OperandTypes& types,
                                 std::span<const std::shared_ptr<const Tensor>>,
                                 const Contract& contract) const {
  if (reduction != Reduction::add && reduction != Reduction::mul) return {};
  const auto [x, index, updates] = types_of(*this, types);
  const std::int64_t most =
      function == Function::points
          ? rows(x.shape, index.shape).rows()
          : index.shape[normalised_axis(axis, x.shape.size(), std::string(kind()))];
  return {rounded(contract, most), 1};
}

IndexedRows Scatter::rows(const Shape& x, const Shape& index) const {
  if (function == Function::points) return rows_at_points(x, index, 0);
  return rows_of_elements(x, index, normalised_axis(axis, x.size(), std::string(kind())));
}

bool Scatter::keeps_items(const OperandTypes& types) const {
  const std::size_t rank = types.inputs[0].shape.size();
  return function == Function::elements && normalised_axis(axis, rank, std::string(kind())) != 0;
}

std::vector<Case<Scatter>> Scatter::cases() {
  // Made indices lie in [-4, 4], so an axis that is indexed has 5 elements at least.
  using enum Function;
  using enum Operand;
  std::vector<Case<Scatter>> cases;
  const auto add = [&](const std::string& what, Scatter op, Shape x, Shape index, Shape updates) {
    const TensorType data{Type::float32, std::move(x)}, indices{Type::int64, std::move(index)},
        written{Type::float32, std::move(updates)};
    Case<Scatter> each{std::string(op.kind()) + " " + what, op, {{data}, {std::nullopt}}};
    if (op.indices == value)
      each.types.inputs.push_back(indices);
    else
      each.types.parameters[0] = indices;
    each.types.inputs.push_back(written);
    cases.push_back(std::move(each));
  };
  add("of rows", {points, Reduction::replace, 0, parameter}, {9, 7}, {3, 1}, {3, 7});
  add("of rows that meet", {points}, {5, 7}, {12, 1}, {12, 7});
  add("of points", {points}, {5, 6, 3}, {7, 2}, {7, 3});
  add("adding", {points, Reduction::add}, {5, 7}, {12, 1}, {12, 7});
  add("multiplying", {points, Reduction::mul}, {5, 7}, {6, 1}, {6, 7});
  add("keeping the largest", {points, Reduction::max}, {5, 7}, {12, 1}, {12, 7});
  add("keeping the smallest", {points, Reduction::min}, {5, 7}, {12, 1}, {12, 7});
  add("in columns", {elements, Reduction::replace, 1, parameter}, {3, 9}, {3, 6}, {3, 6});
  add("in rows", {elements, Reduction::replace, 0}, {9, 5}, {4, 5}, {4, 5});
  add("in a batch", {elements, Reduction::replace, 1}, {3, 9}, {3, 4}, {3, 4});
  add("in columns, adding", {elements, Reduction::add, -1}, {3, 6}, {2, 8}, {2, 8});
  return cases;
}

}  // namespace parity
