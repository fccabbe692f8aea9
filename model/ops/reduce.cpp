#include "model/ops/reduce.hpp"

#include <algorithm>
#include <numeric>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

bool global(std::string_view type) {
  return type == "GlobalAveragePool" || type == "GlobalMaxPool";
}

/// The axes a Reduce node names: an attribute before opset 18 (ReduceSum: 13), a constant input
/// since.
std::optional<std::vector<std::int64_t>> named_axes(const NodeView& node) {
  const int since = node.op_type() == "ReduceSum" ? 13 : 18;
  if (node.opset() < since) {
    if (!node.has_attribute("axes")) return std::nullopt;
    return node.integers("axes", {});
  }
  if (!node.has_input(1)) return std::nullopt;
  const Tensor axes = node.required_constant(1, "axes");
  if (axes.type().type != Type::int64)
    node.refuse("its axes are " + to_string(axes.type().type) + ", not int64");
  const auto numbers = axes.values<std::int64_t>();
  return std::vector<std::int64_t>(numbers.begin(), numbers.end());
}

}  // namespace

std::span<const std::string_view> Reduce::onnx_types() {
  static constexpr std::string_view types[] = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean",
                                               "ReduceSum", "ReduceMax"};
  return types;
}

Imported<Reduce> Reduce::from_onnx(const NodeView& node) {
  const std::string& type = node.op_type();
  const std::size_t rank = node.input_type(0).shape.size();
  Reduce op;
  op.function = type == "GlobalMaxPool" || type == "ReduceMax" ? Function::max
                : type == "ReduceSum"                          ? Function::sum
                                                               : Function::mean;
  std::vector<std::int64_t> every(rank);
  std::iota(every.begin(), every.end(), 0);
  if (global(type)) {
    node.only_attributes({});
    if (rank < 3)
      node.refuse("its input has rank " + std::to_string(rank) + " and so no spatial axes");
    op.axes.assign(every.begin() + 2, every.end());
    return {op, {0}, {}};
  }
  node.only_attributes({"axes", "keepdims", "noop_with_empty_axes"});
  op.reduced = node.integer("keepdims", 1) != 0 ? Axes::kept : Axes::dropped;
  for (const std::int64_t axis : named_axes(node).value_or(std::vector<std::int64_t>{}))
    op.axes.push_back(static_cast<std::int64_t>(
        normalised_axis(axis, rank, "node '" + node.name() + "' (" + type + ")")));
  std::sort(op.axes.begin(), op.axes.end());
  if (std::adjacent_find(op.axes.begin(), op.axes.end()) != op.axes.end())
    node.refuse("its axes repeat");
  if (op.axes.empty() && node.integer("noop_with_empty_axes", 0) == 0) op.axes = std::move(every);
  return {op, {0}, {}};
}

std::string_view Reduce::kind() const {
  switch (function) {
    case Function::sum:
      return "ReduceSum";
    case Function::mean:
      return "ReduceMean";
    case Function::max:
      return "ReduceMax";
  }
  return "Reduce";
}

std::vector<TensorType> Reduce::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, std::string(kind()));
  const TensorType& x = types.inputs[0];
  require_float32(x, std::string(kind()) + " input");
  if (!std::is_sorted(axes.begin(), axes.end()) ||
      (!axes.empty() &&
       (axes.front() < 0 || axes.back() >= static_cast<std::int64_t>(x.shape.size()))))
    throw Error(Fault::bad_model, std::string(kind()) + " names axes that a tensor of shape " +
                                      to_string(x.shape) + " lacks, or in no ascending order");
  if (terms(x) == 0)
    throw Error(Fault::bad_model, std::string(kind()) +
                                      " would reduce no element at all of a tensor of shape " +
                                      to_string(x.shape));
  TensorType y{x.type, {}};
  for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
    const bool collapsed =
        std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(axis));
    if (!collapsed) y.shape.push_back(x.shape[axis]);
    if (collapsed && reduced == Axes::kept) y.shape.push_back(1);
  }
  return {y};
}

std::int64_t Reduce::terms(const TensorType& x) const {
  std::int64_t n = 1;
  for (const std::int64_t axis : axes) n *= x.shape[static_cast<std::size_t>(axis)];
  return n;
}

StepAllowance Reduce::allowance(const OperandTypes& types,
                                std::span<const std::shared_ptr<const Tensor>>,
                                const Contract& contract) const {
  const std::int64_t n = terms(types.inputs[0]);
  switch (function) {
    case Function::sum:
      return {sum_allowance(contract, n), static_cast<double>(n)};
    case Function::mean:
      return {sum_allowance(contract, n) + rounded(contract, 1), 1};
    case Function::max:
      return {};
  }
  return {};
}

std::vector<Case<Reduce>> Reduce::cases() {
  std::vector<Case<Reduce>> cases;
  for (const Function function : {Function::sum, Function::mean, Function::max}) {
    const auto reducing = [&](const std::string& what, std::vector<std::int64_t> axes, Axes reduced,
                              Shape x) {
      const Reduce op{function, std::move(axes), reduced};
      cases.push_back({std::string(op.kind()) + " " + what,
                       op,
                       {{TensorType{Type::float32, std::move(x)}}, {}}});
    };
    reducing("over space", {2, 3}, Axes::kept, {2, 19, 5, 7});
    reducing("over space, dropped", {2, 3}, Axes::dropped, {2, 70, 3, 5});
    reducing("over space of more than 4096", {2, 3}, Axes::kept, {1, 3, 65, 67});
    reducing("over one element", {2, 3}, Axes::kept, {2, 5, 1, 1});
    reducing("over points", {1}, Axes::dropped, {3, 20, 17});
    reducing("over channels", {1}, Axes::kept, {2, 37, 3, 5});
    reducing("over the last axis", {3}, Axes::kept, {2, 3, 4, 33});
    reducing("over axes apart", {0, 2}, Axes::kept, {3, 5, 7, 2});
    reducing("over channels and columns", {1, 3}, Axes::kept, {2, 6, 5, 9});
    reducing("over everything", {0, 1, 2, 3}, Axes::dropped, {2, 3, 5, 7});
    reducing("over no axis", {}, Axes::kept, {2, 3, 5, 7});
    reducing("over 9001 in a row", {1}, Axes::kept, {2, 9001});
  }
  return cases;
}

}  // namespace parity
