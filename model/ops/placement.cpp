#include "model/ops/placement.hpp"

#include <algorithm>
#include <limits>

#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

[[noreturn]] void cannot(const Placement& op, const Shape& x, const std::string& why) {
  throw Error(Fault::bad_model, std::string(op.kind()) + " of a tensor of shape " + to_string(x) +
                                    " cannot be: " + why);
}

/// Every axis as it is.
Places identity(const Shape& x) {
  Places places;
  for (std::size_t axis = 0; axis < x.size(); ++axis) places.parts.push_back({axis, axis, x[axis]});
  return places;
}

Places sliced(const Placement& op, const Shape& x) {
  Places places = identity(x);
  std::vector<bool> named(x.size(), false);
  for (const Placement::Range& range : op.ranges) {
    const std::size_t axis = normalised_axis(range.axis, x.size(), "Slice");
    if (named[axis]) cannot(op, x, "it names axis " + std::to_string(range.axis) + " twice");
    named[axis] = true;
    const std::int64_t extent = x[axis], step = range.step;
    if (step == 0 || step == lowest) cannot(op, x, "its step is " + std::to_string(step));
    // ONNX clamps to [0, extent] for forward steps and to [-1, extent - 1] for backward ones.
    const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
    const auto clamped = [&](std::int64_t at) {
      return std::clamp(at < 0 ? at + extent : at, low, std::max(low, high));
    };
    const std::int64_t start = clamped(range.start), end = clamped(range.end);
    const std::int64_t span = step > 0 ? end - start : start - end;
    Places::Part& part = places.parts[axis];
    part.extent = span <= 0 ? 0 : (span - 1) / (step > 0 ? step : -step) + 1;
    part.first = start;
    part.step = step;
  }
  return places;
}

/// Place `at` of an axis of `extent` elements that lies outside it, inside again.
std::int64_t inside_again(Placement::Padding padding, std::int64_t at, std::int64_t extent) {
  switch (padding) {
    case Placement::Padding::constant:
      return Places::outside;
    case Placement::Padding::edge:
      return std::clamp<std::int64_t>(at, 0, extent - 1);
    case Placement::Padding::wrap:
      return (at % extent + extent) % extent;
    case Placement::Padding::reflect: {
      const std::int64_t period = std::max<std::int64_t>(1, 2 * (extent - 1));
      const std::int64_t folded = (at % period + period) % period;
      return std::min(folded, period - folded);
    }
  }
  return Places::outside;
}

Places padded(const Placement& op, const Shape& x) {
  const std::size_t rank = x.size();
  if (op.numbers.size() != 2 * rank)
    cannot(op, x,
           "it has " + std::to_string(op.numbers.size()) + " pads for " + std::to_string(rank) +
               " axes");
  Places places = identity(x);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t before = op.numbers[axis], after = op.numbers[rank + axis], extent = x[axis];
    constexpr std::int64_t limit = largest_element_count;
    if (std::abs(before) > limit || std::abs(after) > limit || extent + before + after < 0)
      cannot(op, x,
             "axis " + std::to_string(axis) + " is padded by " + std::to_string(before) + " and " +
                 std::to_string(after));
    if (before == 0 && after == 0) continue;
    Places::Part& part = places.parts[axis];
    part.extent = extent + before + after;
    if (before <= 0 && after <= 0) {
      part.first = -before;
      continue;
    }
    element_count(places.shape());  // a hostile pad never reaches the table
    if (extent == 0 && op.padding != Placement::Padding::constant)
      cannot(op, x, "axis " + std::to_string(axis) + " has no element to pad with");
    for (std::int64_t i = 0; i < part.extent; ++i) {
      const std::int64_t at = i - before;
      part.table.push_back(at >= 0 && at < extent ? at : inside_again(op.padding, at, extent));
    }
  }
  return places;
}

Places expanded(const Placement& op, const Shape& x) {
  const Shape y = broadcast(x, op.numbers, "Expand");
  Places places;
  const std::size_t fresh = y.size() - x.size();
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    const bool of_x = axis >= fresh;
    Places::Part part{axis, of_x ? axis - fresh : Places::nowhere, y[axis]};
    part.step = of_x && x[axis - fresh] != 1 ? 1 : 0;
    places.parts.push_back(part);
  }
  return places;
}

Places tiled(const Placement& op, const Shape& x) {
  if (op.numbers.size() != x.size())
    cannot(
        op, x,
        "it repeats " + std::to_string(op.numbers.size()) + " axes of " + std::to_string(x.size()));
  Places places;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const std::int64_t times = op.numbers[axis];
    if (times < 0) cannot(op, x, "it repeats an axis " + std::to_string(times) + " times");
    places.parts.push_back({axis, Places::nowhere, times});
    places.parts.push_back({axis, axis, x[axis]});
  }
  return places;
}

Places depth_moved(const Placement& op, const Shape& x) {
  const bool to_space = op.function == Placement::Function::depth_to_space;
  const std::int64_t b = op.numbers.size() == 1 ? op.numbers[0] : 0;
  if (x.size() != 4) cannot(op, x, "it moves the depth of {N, C, H, W} only");
  if (b < 1 || b > largest_element_count) cannot(op, x, "its block is " + std::to_string(b));
  if (to_space) {
    // b * b may not overflow, so it is divided by twice.
    if (x[1] % b != 0 || x[1] / b % b != 0)
      cannot(op, x, "its channels are no multiple of the block's square, " + std::to_string(b));
    const std::int64_t C = x[1] / b / b;
    const bool dcr = op.depth == Placement::Depth::dcr;
    return {{{0, 0, x[0]},
             {1, 1, C, 0, dcr ? 1 : b * b},
             {2, 2, x[2]},
             {2, 1, b, 0, dcr ? b * C : b},
             {3, 3, x[3]},
             {3, 1, b, 0, dcr ? C : 1}}};
  }
  if (x[2] % b != 0 || x[3] % b != 0)
    cannot(op, x, "its image is no multiple of the block, " + std::to_string(b));
  return {{{0, 0, x[0]},
           {1, 2, b},
           {1, 3, b},
           {1, 1, x[1]},
           {2, 2, x[2] / b, 0, b},
           {3, 3, x[3] / b, 0, b}}};
}

Placement slice_from_onnx(const NodeView& node) {
  node.only_attributes({"starts", "ends", "axes"});
  Placement op{Placement::Function::slice};
  const auto starts = numbers_from_onnx(node, 1, 10, "starts"),
             ends = numbers_from_onnx(node, 2, 10, "ends"),
             axes = numbers_from_onnx(node, 3, 10, "axes");
  std::optional<Numbers> steps;
  if (node.opset() >= 10) steps = numbers_from_onnx(node, 4, 10, "steps");
  if (!starts || !ends || starts->size() != ends->size() ||
      (axes && axes->size() != starts->size()) || (steps && steps->size() != starts->size()))
    node.refuse("its starts, ends, axes and steps differ in length");
  for (std::size_t i = 0; i < starts->size(); ++i)
    op.ranges.push_back({axes ? (*axes)[i] : static_cast<std::int64_t>(i), (*starts)[i], (*ends)[i],
                         steps ? (*steps)[i] : 1});
  return op;
}

/// One number of any type that a tensor holds.
double number_of(const NodeView& node, const Tensor& tensor) {
  if (tensor.size() != 1)
    node.refuse("its padding value has " + std::to_string(tensor.size()) + " elements, not one");
  switch (tensor.type().type) {
    case Type::float32:
      return tensor.values<float>()[0];
    case Type::float64:
      return tensor.values<double>()[0];
    case Type::int64:
      return static_cast<double>(tensor.values<std::int64_t>()[0]);
    case Type::boolean:
      return tensor.values<std::uint8_t>()[0];
  }
  return 0;
}

Placement pad_from_onnx(const NodeView& node) {
  node.only_attributes({"mode", "pads", "value"});
  Placement op{Placement::Function::pad};
  const std::string mode = node.text("mode", "constant");
  op.padding = mode == "constant"  ? Placement::Padding::constant
               : mode == "reflect" ? Placement::Padding::reflect
               : mode == "edge"    ? Placement::Padding::edge
               : mode == "wrap"    ? Placement::Padding::wrap
                                   : (node.refuse("its mode '" + mode + "' is unknown"),
                                   Placement::Padding::constant);
  const std::optional<Numbers> pads = numbers_from_onnx(node, 1, 11, "pads");
  if (!pads) node.refuse("it has no pads");
  if (node.opset() < 11)
    op.fill = node.real("value", 0);
  else if (node.has_input(2))
    op.fill = number_of(node, node.required_constant(2, "padding value"));
  const std::size_t rank = node.input_type(0).shape.size();
  if (!node.has_input(3)) {
    op.numbers = *pads;
    return op;
  }
  const Numbers axes = required_numbers(node, 3, "axes");
  if (pads->size() != 2 * axes.size()) node.refuse("its pads do not fit its axes");
  op.numbers.assign(2 * rank, 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = normalised_axis(axes[i], rank, "Pad");
    op.numbers[axis] = (*pads)[i];
    op.numbers[rank + axis] = (*pads)[axes.size() + i];
  }
  return op;
}

}  // namespace

std::span<const std::string_view> Placement::onnx_types() {
  static constexpr std::string_view types[] = {"Slice", "Pad",          "Expand",
                                               "Tile",  "DepthToSpace", "SpaceToDepth"};
  return types;
}

Imported<Placement> Placement::from_onnx(const NodeView& node) {
  const std::string& type = node.op_type();
  if (type == "Slice") return {slice_from_onnx(node), {0}, {}};
  if (type == "Pad") return {pad_from_onnx(node), {0}, {}};
  Placement op;
  if (type == "Expand") {
    node.only_attributes({});
    op.function = Function::expand;
    op.numbers = required_numbers(node, 1, "shape");
  } else if (type == "Tile") {
    node.only_attributes({});
    op.function = Function::tile;
    op.numbers = required_numbers(node, 1, "repeats");
  } else {
    node.only_attributes({"blocksize", "mode"});
    op.function = type == "DepthToSpace" ? Function::depth_to_space : Function::space_to_depth;
    if (!node.has_attribute("blocksize")) node.refuse("it has no blocksize");
    op.numbers = {node.integer("blocksize", 0)};
    const std::string mode = node.text("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") node.refuse("its mode '" + mode + "' is unknown");
    op.depth = mode == "DCR" ? Depth::dcr : Depth::crd;
  }
  return {op, {0}, {}};
}

std::string_view Placement::kind() const {
  switch (function) {
    case Function::slice:
      return "Slice";
    case Function::pad:
      return "Pad";
    case Function::expand:
      return "Expand";
    case Function::tile:
      return "Tile";
    case Function::depth_to_space:
      return "DepthToSpace";
    case Function::space_to_depth:
      return "SpaceToDepth";
  }
  return "Placement";
}

Places Placement::places(const Shape& x) const {
  switch (function) {
    case Function::slice:
      return sliced(*this, x);
    case Function::pad:
      return padded(*this, x);
    case Function::expand:
      return expanded(*this, x);
    case Function::tile:
      return tiled(*this, x);
    case Function::depth_to_space:
    case Function::space_to_depth:
      return depth_moved(*this, x);
  }
  return {};
}

std::vector<TensorType> Placement::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, std::string(kind()));
  const TensorType& x = types.inputs[0];
  return {{x.type, places(x.shape).shape()}};
}

std::vector<Case<Placement>> Placement::cases() {
  using enum Function;
  std::vector<Case<Placement>> cases;
  const auto add = [&](const std::string& what, Placement op, Shape x) {
    const std::string name = std::string(op.kind()) + " " + what;
    cases.push_back({name, std::move(op), {{TensorType{Type::float32, std::move(x)}}, {}}});
  };
  const auto slicing = [&](const std::string& what, std::vector<Range> ranges, Shape x) {
    add(what, {slice, std::move(ranges)}, std::move(x));
  };
  constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();
  slicing("of channels", {{1, 3, 19, 1}}, {2, 37, 3, 5});
  slicing("of a window", {{2, 1, -1, 1}, {3, 2, all, 1}}, {2, 9, 5, 7});
  slicing("of every other pixel", {{-2, 0, all, 2}, {-1, 1, all, 2}}, {2, 8, 6, 7});
  slicing("backwards", {{1, -1, lowest, -1}, {3, 4, 0, -2}}, {2, 5, 3, 7});
  slicing("of nothing less", {}, {2, 5, 3});
  slicing("of rows of a matrix", {{1, 1, 30, 3}}, {3, 37});
  slicing("of five axes", {{2, 1, 3, 1}, {4, 0, 2, 1}}, {1, 2, 3, 2, 3});
  const auto padding = [&](const std::string& what, Numbers pads, Padding how, double fill,
                           Shape x) {
    add(what, {pad, {}, std::move(pads), how, fill}, std::move(x));
  };
  padding("of an image with zeros", {0, 0, 1, 2, 0, 0, 1, 3}, Padding::constant, 0, {2, 9, 5, 7});
  padding("with a number", {0, 1, 0, 2, 0, 3, 1, 0}, Padding::constant, -1.5, {2, 3, 4, 5});
  padding("reflecting", {0, 0, 2, 3, 0, 0, 1, 3}, Padding::reflect, 0, {2, 17, 3, 4});
  padding("with edges", {0, 0, 1, 0, 0, 0, 2, 4}, Padding::edge, 0, {2, 5, 3, 4});
  padding("wrapping", {0, 2, 0, 5}, Padding::wrap, 0, {3, 4});
  padding("and cropping", {0, 0, -1, 2, 0, 0, 1, -2}, Padding::constant, 0, {2, 3, 4, 5});
  padding("of a sequence", {0, 0, 3, 0, 0, 3}, Padding::reflect, 0, {2, 6, 9});
  add("of a channel gate", {expand, {}, {2, 17, 3, 5}}, {2, 17, 1, 1});
  add("to a higher rank", {expand, {}, {2, 1, 4, 1}}, {3, 1, 5});
  add("of a row", {expand, {}, {1, 6, 1}}, {3, 1, 7});
  add("of an image", {tile, {}, {1, 2, 1, 3}}, {2, 5, 3, 4});
  add("of a vector", {tile, {}, {1, 4}}, {3, 7});
  for (const Depth depth : {Depth::dcr, Depth::crd}) {
    const std::string how = depth == Depth::dcr ? "depth first" : "columns first";
    add(how, {depth_to_space, {}, {2}, Padding::constant, 0, depth}, {2, 20, 3, 4});
  }
  add("in blocks of three", {depth_to_space, {}, {3}}, {1, 9, 2, 2});
  add("in blocks of two", {space_to_depth, {}, {2}}, {2, 5, 4, 6});
  return cases;
}

}  // namespace parity
