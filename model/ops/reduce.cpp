#include "model/ops/reduce.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "model/arithmetic/bounds.hpp"
#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

struct Named {
  std::string_view type;
  Reduce::Function function;
};
constexpr std::array<Named, 10> named{{{"GlobalAveragePool", Reduce::Function::mean},
                                       {"GlobalMaxPool", Reduce::Function::max},
                                       {"ReduceMean", Reduce::Function::mean},
                                       {"ReduceSum", Reduce::Function::sum},
                                       {"ReduceMax", Reduce::Function::max},
                                       {"ReduceMin", Reduce::Function::min},
                                       {"ReduceL1", Reduce::Function::l1},
                                       {"ReduceL2", Reduce::Function::l2},
                                       {"ReduceSumSquare", Reduce::Function::sum_square},
                                       {"ReduceProd", Reduce::Function::prod}}};
constexpr std::size_t first_with_axes = 2;

}  // namespace

std::span<const std::string_view> Reduce::onnx_types() {
  static constexpr auto types = [] {
    std::array<std::string_view, named.size()> all;
    for (std::size_t i = 0; i < named.size(); ++i) all[i] = named[i].type;
    return all;
  }();
  return types;
}

Imported<Reduce> Reduce::from_onnx(const NodeView& node) {
  const std::string& type = node.op_type();
  const std::size_t rank = node.input_type(0).shape.size();
  const auto* const row = std::find_if(named.begin(), named.end(),
                                       [&](const Named& each) { return each.type == type; });
  Reduce op;
  op.function = row->function;
  std::vector<std::int64_t> every(rank);
  std::iota(every.begin(), every.end(), 0);
  if (row < named.begin() + first_with_axes) {
    node.only_attributes({});
    if (rank < 3)
      node.refuse("its input has rank " + std::to_string(rank) + " and so no spatial axes");
    op.axes.assign(every.begin() + 2, every.end());
    return {op, {0}, {}};
  }
  node.only_attributes({"axes", "keepdims", "noop_with_empty_axes"});
  op.reduced = node.integer("keepdims", 1) != 0 ? Axes::kept : Axes::dropped;
  const int since = type == "ReduceSum" ? 13 : 18;
  for (const std::int64_t axis :
       numbers_from_onnx(node, 1, since, "axes").value_or(std::vector<std::int64_t>{}))
    op.axes.push_back(static_cast<std::int64_t>(
        normalised_axis(axis, rank, "node '" + node.name() + "' (" + type + ")")));
  std::sort(op.axes.begin(), op.axes.end());
  if (std::adjacent_find(op.axes.begin(), op.axes.end()) != op.axes.end())
    node.refuse("its axes repeat");
  if (op.axes.empty() && node.integer("noop_with_empty_axes", 0) == 0) op.axes = std::move(every);
  return {op, {0}, {}};
}

std::string_view Reduce::kind() const {
  return std::find_if(named.begin() + first_with_axes, named.end(),
                      [&](const Named& each) { return each.function == function; })
      ->type;
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
    case Function::l1:
      return {sum_allowance(contract, n), static_cast<double>(n)};
    case Function::sum_square:
      // One term more: the magnitude's own squares may have underflowed.
      return {sum_allowance(contract, n + 1), 1};
    case Function::l2: {
      // |sqrt(s(1 + c) + t) - sqrt(s)| <= c*sqrt(s) + sqrt(t)
      Allowance squares = sum_allowance(contract, n + 1);
      squares.underflow = std::sqrt(squares.underflow);
      return {squares + rounded(contract, 1), 1};
    }
    case Function::mean:
      return {sum_allowance(contract, n) + rounded(contract, 1), 1};
    case Function::prod:
      return {rounded(contract, n), 1};
    case Function::max:
    case Function::min:
      return {};
  }
  return {};
}

std::vector<Case<Reduce>> Reduce::cases() {
  std::vector<Case<Reduce>> cases;
  for (std::size_t i = first_with_axes; i < named.size(); ++i) {
    const Function function = named[i].function;
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
