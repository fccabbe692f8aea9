#include "model/onnx/fold.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "model/ops/gather.hpp"
#include "model/ops/movement.hpp"
#include "model/ops/pieces.hpp"
#include "model/ops/placement.hpp"
#include "model/ops/reduce.hpp"
#include "model/shapes.hpp"

namespace parity::onnx_import {
namespace {

using Numbers = std::vector<std::int64_t>;

// TensorProto::DataType, as Cast's attribute `to` gives it
enum : std::int64_t { onnx_float = 1, onnx_int32 = 6, onnx_int64 = 7, onnx_bool = 9 };

/// One node being evaluated: its operands, the budget, and refusals in its name.
class Folder {
 public:
  Folder(const NodeView& node, std::int64_t& budget) : node_(node), budget_(budget) {}

  bool has(int i) const { return i < node_.input_count() && node_.has_input(i); }
  Tensor operand(int i) const { return *node_.constant(i); }
  const NodeView& node() const { return node_; }
  [[noreturn]] void refuse(const std::string& why) const {
    node_.refuse(why);
    std::abort();  // a virtual call that never returns is not seen as such by every compiler
  }

  /// The elements of an int64 operand.
  Numbers numbers(int i, std::string_view role) const {
    const Tensor tensor = operand(i);
    if (tensor.type().type != Type::int64)
      refuse("its " + std::string(role) + " is " + to_string(tensor.type()) + ", not int64");
    const std::span<const std::int64_t> values = tensor.values<std::int64_t>();
    return {values.begin(), values.end()};
  }
  std::int64_t number(int i, std::string_view role) const {
    const Numbers all = numbers(i, role);
    if (all.size() != 1)
      refuse("its " + std::string(role) + " has " + std::to_string(all.size()) +
             " elements, not one");
    return all[0];
  }
  std::size_t axis(std::int64_t given, std::size_t rank) const {
    const auto extent = static_cast<std::int64_t>(rank);
    if (given < -extent || given >= extent)
      refuse("axis " + std::to_string(given) + " is none of a tensor of rank " +
             std::to_string(rank));
    return static_cast<std::size_t>(given < 0 ? given + extent : given);
  }

  /// Takes the bytes of a result from the budget before it is allocated.
  std::int64_t spend(const TensorType& type) const {
    const std::int64_t elements = element_count(type.shape);
    const std::int64_t bytes = elements * static_cast<std::int64_t>(byte_width(type.type));
    if (bytes > budget_)
      refuse("its constant result, " + to_string(type) +
             ", is larger than what is left for folded constants (" + std::to_string(budget_) +
             " bytes)");
    budget_ -= bytes;
    return elements;
  }

  /// A tensor moved as `places` says, whatever the element type; `fill` where they say nothing.
  Tensor placed(const Tensor& x, const Places& places, double fill = 0) const {
    const TensorType type{x.type().type, places.shape()};
    const std::int64_t count = spend(type);
    const std::size_t width = byte_width(type.type);
    auto bytes = buffer(static_cast<std::size_t>(count) * width);
    if (count > 0) {
      const PlacedWalk walk = placed_walk(places, x.shape(), Layout::row_major, Layout::row_major);
      const std::uint64_t word = word_of(type.type, fill);
      copy_placed(walk, width, x.data(), bytes.get(), &word, 0, walk.rows());
    }
    return Tensor(type, std::shared_ptr<const void>(bytes, bytes.get()), bytes.get());
  }

  static std::shared_ptr<char[]> buffer(std::size_t bytes) {
    return std::shared_ptr<char[]>(new char[bytes]);
  }

 private:
  const NodeView& node_;
  std::int64_t& budget_;
};

Tensor expanded(const Folder& f, const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return f.placed(x, Placement{Placement::Function::expand, {}, shape}.places(x.shape()));
}

Shape broadcast(const Folder& f, const Shape& a, const Shape& b) {
  return parity::broadcast(a, b, f.node().op_type());
}

// ---- shapes and movement

Tensor shape_of(const Folder& f) {
  f.node().only_attributes({"start", "end"});
  const Shape& shape = f.node().input_type(0).shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clamped = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clamped(f.node().integer("start", 0)),
                     end = clamped(f.node().integer("end", rank));
  Numbers dims;
  for (std::int64_t k = start; k < end; ++k) dims.push_back(shape[static_cast<std::size_t>(k)]);
  const auto count = static_cast<std::int64_t>(dims.size());
  return Tensor::of<std::int64_t>({count}, std::move(dims));
}

Tensor size_of(const Folder& f) {
  f.node().only_attributes({});
  return Tensor::of<std::int64_t>({}, {element_count(f.node().input_type(0).shape)});
}

Tensor constant(const Folder& f) {
  const NodeView& node = f.node();
  node.only_attributes({"value", "value_int", "value_ints", "value_float", "value_floats"});
  if (std::optional<Tensor> value = node.tensor("value")) return *value;
  if (node.has_attribute("value_int"))
    return Tensor::of<std::int64_t>({}, {node.integer("value_int", 0)});
  if (node.has_attribute("value_float"))
    return Tensor::of<float>({}, {node.real("value_float", 0)});
  if (node.has_attribute("value_ints")) {
    Numbers values = node.integers("value_ints", {});
    const auto count = static_cast<std::int64_t>(values.size());
    return Tensor::of<std::int64_t>({count}, std::move(values));
  }
  if (node.has_attribute("value_floats")) {
    std::vector<float> values = node.reals("value_floats");
    const auto count = static_cast<std::int64_t>(values.size());
    return with_canonical_nan(Tensor::of<float>({count}, std::move(values)));
  }
  f.refuse("it has no value");
}

// What only moves does so by its op's own contract, now instead of in a step.

Tensor moved(const Folder& f) {
  const Movement op = Movement::from_onnx(f.node()).op;
  const Tensor x = f.operand(0);
  if (op.function == Movement::Function::transpose) return f.placed(x, op.transposed(x.shape()));
  return x.reshaped(op.infer({{x.type()}, {}}).front().shape);
}

Tensor rearranged(const Folder& f) {
  const Placement op = Placement::from_onnx(f.node()).op;
  const Tensor x = f.operand(0);
  return f.placed(x, op.places(x.shape()), op.fill);
}

std::vector<Tensor> pieces(const Folder& f) {
  const Pieces op = Pieces::from_onnx(f.node()).op;
  const Tensor x = f.operand(0);
  std::vector<Tensor> made;
  for (const Places& places : op.places(x.shape())) made.push_back(f.placed(x, places));
  return made;
}

Tensor gathered(const Folder& f) {
  const Imported<Gather> imported = Gather::from_onnx(f.node());
  const Tensor &x = *imported.parameters[0], &index = *imported.parameters[1];
  const TensorType type = imported.op.infer({{}, {x.type(), index.type()}}).front();
  const IndexedRows rows = imported.op.rows(x.shape(), index.shape());
  const std::size_t width = byte_width(type.type), run = static_cast<std::size_t>(rows.run) * width;
  const auto bytes = Folder::buffer(static_cast<std::size_t>(f.spend(type)) * width);
  char* to = bytes.get();
  if (run > 0)
    for (const std::int64_t start : row_starts(rows, index.values<std::int64_t>())) {
      std::memcpy(to, static_cast<const char*>(x.data()) + static_cast<std::size_t>(start) * width,
                  run);
      to += run;
    }
  return Tensor(type, std::shared_ptr<const void>(bytes, bytes.get()), bytes.get());
}

Tensor concat(const Folder& f) {
  f.node().only_attributes({"axis"});
  std::vector<Tensor> parts;
  for (int i = 0; i < f.node().input_count(); ++i)
    if (f.has(i)) parts.push_back(f.operand(i));
  if (parts.empty()) f.refuse("it has no inputs");
  TensorType type = parts[0].type();
  if (!f.node().has_attribute("axis")) f.refuse("it has no axis");
  const std::size_t axis = f.axis(f.node().integer("axis", 0), type.shape.size());
  type.shape[axis] = 0;
  for (const Tensor& part : parts) {
    Shape rest = part.shape();
    if (part.type().type != type.type || rest.size() != type.shape.size())
      f.refuse("its inputs differ in type or rank");
    type.shape[axis] += std::exchange(rest[axis], type.shape[axis]);
    rest[axis] = type.shape[axis];
    if (rest != type.shape)
      f.refuse("its inputs of shapes " + to_string(parts[0].shape()) + " and " +
               to_string(part.shape()) + " do not fit together");
  }
  const auto bytes_total = static_cast<std::size_t>(f.spend(type)) * byte_width(type.type);
  const auto bytes = Folder::buffer(bytes_total);
  const std::int64_t rows = element_count(type.shape, 0, axis);
  char* to = bytes.get();
  for (std::int64_t row = 0; row < rows; ++row)
    for (const Tensor& part : parts) {
      const std::size_t run = part.size_bytes() / static_cast<std::size_t>(rows);  // rows > 0 here
      if (run > 0)
        std::memcpy(to, static_cast<const char*>(part.data()) + static_cast<std::size_t>(row) * run,
                    run);
      to += run;
    }
  return Tensor(type, std::shared_ptr<const void>(bytes, bytes.get()), bytes.get());
}

Tensor constant_of_shape(const Folder& f) {
  f.node().only_attributes({"value"});
  const Tensor value = f.node().tensor("value").value_or(Tensor::of<float>({1}, {0.0F}));
  if (value.size() != 1)
    f.refuse("its value has " + std::to_string(value.size()) + " elements, not one");
  return expanded(f, value.reshaped({}), f.numbers(0, "shape"));
}

Tensor range(const Folder& f) {
  f.node().only_attributes({});
  const std::int64_t start = f.number(0, "start"), limit = f.number(1, "limit"),
                     delta = f.number(2, "delta");
  std::int64_t span = 0;
  if (delta == 0 || delta == std::numeric_limits<std::int64_t>::min() ||
      __builtin_sub_overflow(limit, start, &span))
    f.refuse("its start, limit and delta make no range");
  const std::int64_t size = delta > 0 ? delta : -delta;
  if (delta < 0) span = span == std::numeric_limits<std::int64_t>::min() ? 0 : -span;
  const std::int64_t count = span <= 0 ? 0 : (span - 1) / size + 1;
  f.spend({Type::int64, {count}});
  Numbers values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = start + i * delta;
  return Tensor::of<std::int64_t>({count}, std::move(values));
}

// ---- conversion

Tensor cast(const Folder& f) {
  f.node().only_attributes({"to", "saturate", "round_mode"});
  const Tensor x = f.operand(0);
  const std::int64_t to = f.node().integer("to", 0);
  const Type from = x.type().type;
  if (to != onnx_float && to != onnx_int32 && to != onnx_int64 && to != onnx_bool)
    f.refuse("it casts a constant to element type " + std::to_string(to) +
             "; the lab folds casts to float32, int32, int64 and bool");
  const auto integer = [&](double value) {
    const double limit = to == onnx_int32 ? 0x1p31 : 0x1p63;
    const double whole = std::trunc(value);
    if (!(whole >= -limit && whole < limit))
      f.refuse("it casts " + std::to_string(value) + " to an integer it does not fit");
    return static_cast<std::int64_t>(whole);
  };
  const auto convert = [&]<class From>(std::span<const From> values) -> Tensor {
    if (to == onnx_float) {
      f.spend({Type::float32, x.shape()});
      return Tensor::of(x.shape(), std::vector<float>(values.begin(), values.end()));
    }
    if (to == onnx_bool) {
      f.spend({Type::boolean, x.shape()});
      std::vector<std::uint8_t> flags;
      for (const From value : values) flags.push_back(value != 0);
      return Tensor::of(x.shape(), std::move(flags));
    }
    f.spend({Type::int64, x.shape()});
    Numbers numbers;
    for (const From value : values) {
      if constexpr (std::is_floating_point_v<From>) {
        numbers.push_back(integer(value));
      } else {
        const auto whole = static_cast<std::int64_t>(value);
        if (to == onnx_int32 && whole != static_cast<std::int32_t>(whole))
          f.refuse("it casts " + std::to_string(whole) + " to int32, which it does not fit");
        numbers.push_back(whole);
      }
    }
    return Tensor::of(x.shape(), std::move(numbers));
  };
  switch (from) {
    case Type::float32:
      return to == onnx_float ? x : convert(x.values<float>());
    case Type::int64:
      return to == onnx_int64 ? x : convert(x.values<std::int64_t>());
    case Type::boolean:
      return to == onnx_bool ? x : convert(x.values<std::uint8_t>());
    case Type::float64:
      break;
  }
  f.refuse("it casts a float64 constant, which the lab does not hold");
}

// ---- arithmetic on integers and booleans

bool all_of(const Folder& f, Type type) {
  for (int i = 0; i < f.node().input_count(); ++i)
    if (f.operand(i).type().type != type) return false;
  return f.node().input_count() > 0;
}

/// Both operands broadcast, element by element.
template <class In, class Out, class F>
Tensor binary(const Folder& f, int first, F&& function) {
  const Tensor a = f.operand(first), b = f.operand(first + 1);
  const Shape shape = broadcast(f, a.shape(), b.shape());
  const Tensor wide_a = expanded(f, a, shape), wide_b = expanded(f, b, shape);
  f.spend({type_of<Out>(), shape});
  const std::span<const In> x = wide_a.values<In>(), y = wide_b.values<In>();
  std::vector<Out> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) result[i] = function(x[i], y[i]);
  return Tensor::of(shape, std::move(result));
}

std::int64_t arithmetic(const Folder& f, std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == "Add") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "Sub") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "Mul") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "Min") {
    return std::min(a, b);
  } else if (op == "Max") {
    return std::max(a, b);
  } else {
    if (b == 0) f.refuse("it divides the integer " + std::to_string(a) + " by zero");
    if (b == -1) {
      overflow = op == "Div" && __builtin_sub_overflow(std::int64_t{0}, a, &result);
    } else if (op == "Div") {
      result = a / b;
    } else {
      result = a % b;
      // ONNX Mod takes the sign of the divisor, unless fmod asks for the dividend's
      if (f.node().integer("fmod", 0) == 0 && result != 0 && (result < 0) != (b < 0)) result += b;
    }
  }
  if (overflow)
    f.refuse("its integer result overflows (" + std::to_string(a) + ", " + std::to_string(b) + ")");
  return result;
}

/// Add, Sub, Mul, Div, Mod; Min and Max of two.
std::optional<Tensor> integer_arithmetic(const Folder& f) {
  if (!all_of(f, Type::int64) || f.node().input_count() != 2) return std::nullopt;
  f.node().only_attributes({"fmod"});
  const std::string& op = f.node().op_type();
  return binary<std::int64_t, std::int64_t>(
      f, 0, [&](std::int64_t a, std::int64_t b) { return arithmetic(f, op, a, b); });
}

std::optional<Tensor> negate(const Folder& f) {
  if (!all_of(f, Type::int64)) return std::nullopt;
  f.node().only_attributes({});
  const Tensor x = f.operand(0);
  f.spend(x.type());
  Numbers result;
  for (const std::int64_t value : x.values<std::int64_t>())
    result.push_back(f.node().op_type() == "Abs" && value >= 0 ? value
                                                               : arithmetic(f, "Sub", 0, value));
  return Tensor::of(x.shape(), std::move(result));
}

std::optional<Tensor> comparison(const Folder& f) {
  f.node().only_attributes({});
  const std::string& op = f.node().op_type();
  const auto compare = [&](auto a, auto b) -> std::uint8_t {
    if (op == "Equal") return a == b;
    if (op == "Less") return a < b;
    if (op == "Greater") return a > b;
    if (op == "LessOrEqual") return a <= b;
    return a >= b;
  };
  if (all_of(f, Type::int64)) return binary<std::int64_t, std::uint8_t>(f, 0, compare);
  if (all_of(f, Type::float32)) return binary<float, std::uint8_t>(f, 0, compare);
  if (all_of(f, Type::boolean)) return binary<std::uint8_t, std::uint8_t>(f, 0, compare);
  f.refuse("its inputs differ in type");
}

std::optional<Tensor> logic(const Folder& f) {
  f.node().only_attributes({});
  if (!all_of(f, Type::boolean)) f.refuse("its inputs are not bool");
  const std::string& op = f.node().op_type();
  if (op == "Not") {
    const Tensor x = f.operand(0);
    f.spend(x.type());
    std::vector<std::uint8_t> result;
    for (const std::uint8_t flag : x.values<std::uint8_t>()) result.push_back(flag == 0);
    return Tensor::of(x.shape(), std::move(result));
  }
  return binary<std::uint8_t, std::uint8_t>(
      f, 0, [&](std::uint8_t a, std::uint8_t b) -> std::uint8_t {
        return op == "And" ? a & b : op == "Or" ? a | b : a ^ b;
      });
}

std::optional<Tensor> where(const Folder& f) {
  f.node().only_attributes({});
  const Tensor condition = f.operand(0), x = f.operand(1), y = f.operand(2);
  if (condition.type().type != Type::boolean || x.type().type != y.type().type)
    f.refuse("its condition is not bool or its branches differ in type");
  const Shape shape = broadcast(f, broadcast(f, condition.shape(), x.shape()), y.shape());
  const Tensor wide_condition = expanded(f, condition, shape), wide_x = expanded(f, x, shape),
               wide_y = expanded(f, y, shape);
  const TensorType type{x.type().type, shape};
  const auto count = static_cast<std::size_t>(f.spend(type));
  const std::size_t width = byte_width(type.type);
  const auto bytes = Folder::buffer(count * width);
  const std::span<const std::uint8_t> flags = wide_condition.values<std::uint8_t>();
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(bytes.get() + i * width,
                static_cast<const char*>((flags[i] ? wide_x : wide_y).data()) + i * width, width);
  return Tensor(type, std::shared_ptr<const void>(bytes, bytes.get()), bytes.get());
}

/// ReduceProd, ReduceSum, ReduceMin, ReduceMax of an integer tensor.
std::optional<Tensor> integer_reduction(const Folder& f) {
  if (f.operand(0).type().type != Type::int64) return std::nullopt;
  const Reduce op = Reduce::from_onnx(f.node()).op;
  const Tensor x = f.operand(0);
  if (op.axes.empty()) return x;
  const std::size_t rank = x.shape().size();
  // The reduced axes brought to the end: every result's elements then stand in a row.
  Places last;
  Shape shape;
  for (const bool reduced : {false, true})
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const bool collapses =
          std::binary_search(op.axes.begin(), op.axes.end(), static_cast<std::int64_t>(axis));
      if (collapses == reduced) last.parts.push_back({last.parts.size(), axis, x.shape()[axis]});
      if (!reduced && (!collapses || op.reduced == Reduce::Axes::kept))
        shape.push_back(collapses ? 1 : x.shape()[axis]);
    }
  const auto n = static_cast<std::size_t>(op.terms(x.type()));
  if (n == 0) f.refuse("it reduces a constant without elements");
  const Tensor ordered = f.placed(x, last);
  const std::span<const std::int64_t> values = ordered.values<std::int64_t>();
  const std::string_view step = op.function == Reduce::Function::prod  ? "Mul"
                                : op.function == Reduce::Function::sum ? "Add"
                                : op.function == Reduce::Function::min ? "Min"
                                                                       : "Max";
  f.spend({Type::int64, shape});
  Numbers results;
  for (std::size_t row = 0; row < values.size(); row += n) {
    std::int64_t result = values[row];
    for (const std::int64_t value : values.subspan(row + 1, n - 1))
      result = arithmetic(f, step, result, value);
    results.push_back(result);
  }
  return Tensor::of(shape, std::move(results));
}

/// How a row of the table evaluates, and what it needs to know.
enum class Needs { values, types };
/// What a row makes: one tensor, several, or nothing, so that the node becomes a step.
struct Folded {
  std::optional<std::vector<Tensor>> tensors;
  Folded(Tensor one) : tensors(std::vector{std::move(one)}) {}
  Folded(std::vector<Tensor> all) : tensors(std::move(all)) {}
  Folded(std::optional<Tensor> perhaps) {
    if (perhaps) tensors = std::vector{*std::move(perhaps)};
  }
};
struct Row {
  std::string_view op;
  Needs needs;
  int inputs_least, inputs_most;
  std::function<Folded(const Folder&)> evaluate;
};

constexpr int any = std::numeric_limits<int>::max();

const Row* row_of(std::string_view op) {
  static const std::vector<Row> rows = {
      {"Shape", Needs::types, 1, 1, shape_of},
      {"Size", Needs::types, 1, 1, size_of},
      {"Constant", Needs::values, 0, 0, constant},
      {"Identity", Needs::values, 1, 1, moved},
      {"Dropout", Needs::values, 1, 3, moved},
      {"Cast", Needs::values, 1, 1, cast},
      {"Reshape", Needs::values, 2, 2, moved},
      {"Flatten", Needs::values, 1, 1, moved},
      {"Squeeze", Needs::values, 1, 2, moved},
      {"Unsqueeze", Needs::values, 1, 2, moved},
      {"Transpose", Needs::values, 1, 1, moved},
      {"Concat", Needs::values, 1, any, concat},
      {"Split", Needs::values, 1, 2, pieces},
      {"Gather", Needs::values, 2, 2, gathered},
      {"GatherElements", Needs::values, 2, 2, gathered},
      {"GatherND", Needs::values, 2, 2, gathered},
      {"Slice", Needs::values, 1, 5, rearranged},
      {"Pad", Needs::values, 1, 4, rearranged},
      {"Expand", Needs::values, 2, 2, rearranged},
      {"Tile", Needs::values, 2, 2, rearranged},
      {"DepthToSpace", Needs::values, 1, 1, rearranged},
      {"SpaceToDepth", Needs::values, 1, 1, rearranged},
      {"ConstantOfShape", Needs::values, 1, 1, constant_of_shape},
      {"Range", Needs::values, 3, 3, range},
      {"Add", Needs::values, 2, 2, integer_arithmetic},
      {"Sub", Needs::values, 2, 2, integer_arithmetic},
      {"Mul", Needs::values, 2, 2, integer_arithmetic},
      {"Div", Needs::values, 2, 2, integer_arithmetic},
      {"Mod", Needs::values, 2, 2, integer_arithmetic},
      {"Min", Needs::values, 1, any, integer_arithmetic},
      {"Max", Needs::values, 1, any, integer_arithmetic},
      {"Neg", Needs::values, 1, 1, negate},
      {"Abs", Needs::values, 1, 1, negate},
      {"Equal", Needs::values, 2, 2, comparison},
      {"Less", Needs::values, 2, 2, comparison},
      {"Greater", Needs::values, 2, 2, comparison},
      {"LessOrEqual", Needs::values, 2, 2, comparison},
      {"GreaterOrEqual", Needs::values, 2, 2, comparison},
      {"Not", Needs::values, 1, 1, logic},
      {"And", Needs::values, 2, 2, logic},
      {"Or", Needs::values, 2, 2, logic},
      {"Xor", Needs::values, 2, 2, logic},
      {"Where", Needs::values, 3, 3, where},
      {"ReduceProd", Needs::values, 1, 2, integer_reduction},
      {"ReduceSum", Needs::values, 1, 2, integer_reduction},
      {"ReduceMin", Needs::values, 1, 2, integer_reduction},
      {"ReduceMax", Needs::values, 1, 2, integer_reduction},
  };
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.op == op; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

bool is_foldable(std::string_view op_type) { return row_of(op_type) != nullptr; }

std::optional<std::vector<Tensor>> fold(const NodeView& node, std::int64_t& budget_bytes) {
  const Row* row = row_of(node.op_type());
  if (row == nullptr) return std::nullopt;
  const int inputs = node.input_count();
  const bool fits = inputs >= row->inputs_least && inputs <= row->inputs_most &&
                    (inputs == 0 || node.has_input(0));
  if (!fits)
    node.refuse("it has " + std::to_string(inputs) + " inputs, which is no form of the operator");
  for (int i = 0; i < inputs; ++i) {
    if (i < row->inputs_least && !node.has_input(i))
      node.refuse("input " + std::to_string(i + 1) + " is missing");
    if (row->needs == Needs::values && node.has_input(i) && !node.constant(i)) return std::nullopt;
  }
  return row->evaluate(Folder(node, budget_bytes)).tensors;
}

}  // namespace parity::onnx_import
