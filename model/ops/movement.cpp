#include "model/ops/movement.hpp"

#include <algorithm>

#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

void require_inference_dropout(const NodeView& node) {
  node.only_attributes({"ratio", "seed"});
  if (node.has_output(1)) node.refuse("its second output, the mask, exists in training only");
  if (!node.has_input(2)) return;
  const Tensor training = node.required_constant(2, "training_mode");
  if (training.type().type != Type::boolean || training.size() != 1)
    node.refuse("its training_mode is not one boolean");
  if (training.values<std::uint8_t>()[0] != 0)
    node.refuse("its training_mode is true; export the model with training disabled");
}

Shape reshaped(const Movement& op, const Shape& x) {
  Shape y = op.numbers;
  const std::string what = "Reshape of " + to_string(x) + " to [" + [&] {
    std::string text;
    for (const std::int64_t n : op.numbers) text += (text.empty() ? "" : ",") + std::to_string(n);
    return text;
  }() + "]";
  std::size_t open = y.size();
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    if (y[axis] == 0 && op.zero == Movement::Zero::copies_the_extent) {
      if (axis >= x.size())
        throw Error(Fault::bad_model, what + " copies an extent that the input lacks");
      y[axis] = x[axis];
    } else if (y[axis] == -1) {
      if (open != y.size()) throw Error(Fault::bad_model, what + " leaves two extents open");
      open = axis;
    } else if (y[axis] < 0) {
      throw Error(Fault::bad_model, what + " has a negative extent");
    }
  }
  if (open != y.size()) {
    y[open] = 1;
    const std::int64_t rest = element_count(y), all = element_count(x);
    if (rest == 0 ? all != 0 : all % rest != 0)
      throw Error(Fault::bad_model, what + " cannot be: " + std::to_string(all) +
                                        " elements are no multiple of " + std::to_string(rest));
    y[open] = rest == 0 ? 0 : all / rest;
  }
  if (element_count(y) != element_count(x))
    throw Error(Fault::bad_model, what + " cannot be: " + std::to_string(element_count(x)) +
                                      " elements against " + std::to_string(element_count(y)));
  return y;
}

/// The axes `numbers` of a tensor of `rank`, each once, as marks.
std::vector<bool> marked(const std::vector<std::int64_t>& numbers, std::size_t rank,
                         const std::string& what) {
  std::vector<bool> marks(rank, false);
  for (const std::int64_t number : numbers) {
    const std::size_t axis = normalised_axis(number, rank, what);
    if (marks[axis])
      throw Error(Fault::bad_model, what + " names axis " + std::to_string(number) + " twice");
    marks[axis] = true;
  }
  return marks;
}

Shape squeezed(const Movement& op, const Shape& x) {
  std::vector<bool> marks = marked(op.numbers, x.size(), "Squeeze");
  Shape y;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    if (op.numbers.empty()) marks[axis] = x[axis] == 1;
    if (!marks[axis]) y.push_back(x[axis]);
    if (marks[axis] && x[axis] != 1)
      throw Error(Fault::bad_model, "Squeeze would drop axis " + std::to_string(axis) +
                                        " of extent " + std::to_string(x[axis]) +
                                        " of a tensor of shape " + to_string(x));
  }
  return y;
}

Shape unsqueezed(const Movement& op, const Shape& x) {
  const std::vector<bool> marks = marked(op.numbers, x.size() + op.numbers.size(), "Unsqueeze");
  Shape y;
  auto next = x.begin();
  for (const bool fresh : marks) y.push_back(fresh ? 1 : *next++);
  return y;
}

}  // namespace

std::span<const std::string_view> Movement::onnx_types() {
  static constexpr std::string_view types[] = {"Reshape",   "Flatten",  "Squeeze", "Unsqueeze",
                                               "Transpose", "Identity", "Dropout"};
  return types;
}

Imported<Movement> Movement::from_onnx(const NodeView& node) {
  const std::string& type = node.op_type();
  Movement op;
  if (type == "Reshape") {
    node.only_attributes({"allowzero"});
    op.function = Function::reshape;
    op.numbers = required_numbers(node, 1, "shape");
    if (node.integer("allowzero", 0) != 0) op.zero = Zero::is_the_extent;
  } else if (type == "Flatten") {
    node.only_attributes({"axis"});
    op.function = Function::flatten;
    op.numbers = {node.integer("axis", 1)};
  } else if (type == "Squeeze") {
    node.only_attributes({"axes"});
    op.function = Function::squeeze;
    op.numbers = numbers_from_onnx(node, 1, 13, "axes").value_or(std::vector<std::int64_t>{});
  } else if (type == "Unsqueeze") {
    node.only_attributes({"axes"});
    op.function = Function::unsqueeze;
    op.numbers = numbers_from_onnx(node, 1, 13, "axes").value_or(std::vector<std::int64_t>{});
  } else if (type == "Transpose") {
    node.only_attributes({"perm"});
    op.function = Function::transpose;
    op.numbers = node.integers("perm", {});
  } else if (type == "Dropout") {
    require_inference_dropout(node);
  } else {
    node.only_attributes({});
  }
  return {op, {0}, {}};
}

std::string_view Movement::kind() const {
  switch (function) {
    case Function::identity:
      return "Identity";
    case Function::reshape:
      return "Reshape";
    case Function::flatten:
      return "Flatten";
    case Function::squeeze:
      return "Squeeze";
    case Function::unsqueeze:
      return "Unsqueeze";
    case Function::transpose:
      return "Transpose";
  }
  return "Movement";
}

std::vector<std::size_t> Movement::permutation(std::size_t rank) const {
  std::vector<std::size_t> axes;
  if (numbers.empty()) {
    for (std::size_t axis = rank; axis-- > 0;) axes.push_back(axis);
    return axes;
  }
  if (numbers.size() != rank)
    throw Error(Fault::bad_model, "Transpose permutes " + std::to_string(numbers.size()) +
                                      " axes of a tensor of rank " + std::to_string(rank));
  marked(numbers, rank, "Transpose");
  for (const std::int64_t number : numbers)
    axes.push_back(normalised_axis(number, rank, "Transpose"));
  return axes;
}

Places Movement::transposed(const Shape& x) const {
  Places places;
  const std::vector<std::size_t> axes = permutation(x.size());
  for (std::size_t k = 0; k < axes.size(); ++k) places.parts.push_back({k, axes[k], x[axes[k]]});
  return places;
}

std::vector<TensorType> Movement::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, std::string(kind()));
  const TensorType& x = types.inputs[0];
  const std::size_t rank = x.shape.size();
  switch (function) {
    case Function::identity:
      return {x};
    case Function::reshape:
      return {{x.type, reshaped(*this, x.shape)}};
    case Function::squeeze:
      return {{x.type, squeezed(*this, x.shape)}};
    case Function::unsqueeze:
      return {{x.type, unsqueezed(*this, x.shape)}};
    case Function::flatten: {
      const auto extent = static_cast<std::int64_t>(rank);
      if (numbers.size() != 1 || numbers[0] < -extent || numbers[0] > extent)
        throw Error(Fault::bad_model,
                    "Flatten's axis is none of a tensor of rank " + std::to_string(rank));
      const auto axis = static_cast<std::size_t>(numbers[0] < 0 ? numbers[0] + extent : numbers[0]);
      return {{x.type, {element_count(x.shape, 0, axis), element_count(x.shape, axis, rank)}}};
    }
    case Function::transpose:
      return {{x.type, transposed(x.shape).shape()}};
  }
  return {};
}

std::vector<Case<Movement>> Movement::cases() {
  using enum Function;
  const auto moving = [](std::string name, Function function, std::vector<std::int64_t> numbers,
                         Shape x, Zero zero = Zero::copies_the_extent) {
    return Case<Movement>{std::move(name),
                          {function, std::move(numbers), zero},
                          {{TensorType{Type::float32, std::move(x)}}, {}}};
  };
  return {
      moving("Identity", identity, {}, {2, 5, 3, 7}),
      moving("Reshape to rows", reshape, {0, -1}, {2, 5, 3, 7}),
      moving("Reshape splitting channels", reshape, {2, 2, 3, -1}, {2, 6, 5, 3}),
      moving("Reshape to one axis", reshape, {-1}, {2, 3, 5}),
      moving("Reshape to a scalar", reshape, {}, {1, 1}),
      moving("Reshape to an image", reshape, {0, 4, 3, 5}, {2, 60}),
      moving("Reshape with literal extents", reshape, {3, 10}, {2, 15}, Zero::is_the_extent),
      moving("Flatten", flatten, {1}, {2, 5, 3, 7}),
      moving("Flatten everything", flatten, {0}, {2, 5, 3, 7}),
      moving("Flatten from the back", flatten, {-1}, {2, 5, 3, 7}),
      moving("Squeeze every axis of one", squeeze, {}, {2, 5, 1, 1}),
      moving("Squeeze the last axis", squeeze, {-1}, {2, 5, 1, 1}),
      moving("Unsqueeze both ends", unsqueeze, {0, -1}, {5, 7}),
      moving("Transpose a matrix", transpose, {}, {5, 37}),
      moving("Transpose to channels last", transpose, {0, 2, 3, 1}, {2, 5, 3, 7}),
      moving("Transpose to channels first", transpose, {0, 3, 1, 2}, {2, 5, 3, 7}),
      moving("Transpose tokens", transpose, {0, 2, 1}, {2, 33, 18}),
      moving("Transpose reversed", transpose, {3, 2, 1, 0}, {2, 3, 4, 5}),
      moving("Transpose heads", transpose, {0, 2, 1, 3}, {2, 3, 4, 9}),
      moving("Transpose five axes", transpose, {0, 3, 1, 4, 2}, {2, 3, 2, 4, 5}),
  };
}

}  // namespace parity
