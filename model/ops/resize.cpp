#include "model/ops/resize.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/arithmetic/bounds.hpp"
#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

/// Where index i of y lies on an axis of x.
double place_of(const Resize& op, const Resize::Axis& axis, std::int64_t extent, std::int64_t i) {
  const auto I = static_cast<double>(extent), O = static_cast<double>(axis.extent),
             at = static_cast<double>(i);
  const double half_pixel = (at + 0.5) / axis.scale - 0.5;
  switch (op.coordinates) {
    case Resize::Coordinates::half_pixel:
      return half_pixel;
    case Resize::Coordinates::half_pixel_symmetric:
      return I / 2 * (1 - O / (axis.scale * I)) + half_pixel;
    case Resize::Coordinates::pytorch_half_pixel:
      return axis.extent > 1 ? half_pixel : 0;
    case Resize::Coordinates::align_corners:
      return axis.extent > 1 ? at * (I - 1) / (O - 1) : 0;
    case Resize::Coordinates::asymmetric:
      return at / axis.scale;
    case Resize::Coordinates::tf_half_pixel_for_nn:
      return (at + 0.5) / axis.scale;
  }
  return 0;
}

std::int64_t nearest_to(Resize::Nearest how, double place, std::int64_t extent) {
  double whole = 0;
  switch (how) {
    case Resize::Nearest::prefer_floor:
      whole = std::ceil(place - 0.5);
      break;
    case Resize::Nearest::prefer_ceil:
      whole = std::floor(place + 0.5);
      break;
    case Resize::Nearest::floor:
      whole = std::floor(place);
      break;
    case Resize::Nearest::ceil:
      whole = std::ceil(place);
      break;
  }
  return static_cast<std::int64_t>(std::clamp(whole, 0.0, static_cast<double>(extent - 1)));
}

/// Keys' kernel at a distance of at most 2.
double keys(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

constexpr std::array all_modes{Resize::Mode::nearest, Resize::Mode::linear, Resize::Mode::cubic};
constexpr std::array<std::string_view, 3> mode_names{"nearest", "linear", "cubic"};
constexpr std::array all_coordinates{
    Resize::Coordinates::half_pixel,         Resize::Coordinates::half_pixel_symmetric,
    Resize::Coordinates::pytorch_half_pixel, Resize::Coordinates::align_corners,
    Resize::Coordinates::asymmetric,         Resize::Coordinates::tf_half_pixel_for_nn};
constexpr std::array<std::string_view, 6> coordinate_names{
    "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
    "align_corners", "asymmetric",           "tf_half_pixel_for_nn"};
constexpr std::array all_roundings{Resize::Nearest::prefer_floor, Resize::Nearest::prefer_ceil,
                                   Resize::Nearest::floor, Resize::Nearest::ceil};
constexpr std::array<std::string_view, 4> rounding_names{"round_prefer_floor", "round_prefer_ceil",
                                                         "floor", "ceil"};

/// What an attribute names, or a refusal.
template <class T, std::size_t n>
T named(const NodeView& node, std::string_view attribute, std::string_view otherwise,
        const std::array<T, n>& values, const std::array<std::string_view, n>& names) {
  const std::string text = node.text(attribute, otherwise);
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end())
    node.refuse("its " + std::string(attribute) + " '" + text + "' is not supported");
  return values[static_cast<std::size_t>(found - names.begin())];
}

/// An input that may be left out by naming an empty tensor.
std::optional<Tensor> given(const NodeView& node, int index, std::string_view role) {
  if (!node.has_input(index)) return std::nullopt;
  Tensor tensor = node.required_constant(index, role);
  if (tensor.size() == 0) return std::nullopt;
  return tensor;
}

/// The axes that change, by scales: extents are floor(extent * scale), the product in float32 as
/// ONNX's shape inference has it.
void scale(const NodeView& node, Resize& op, const Shape& x, const std::vector<std::int64_t>& axes,
           const std::vector<float>& scales) {
  if (scales.size() != axes.size())
    node.refuse("it has " + std::to_string(scales.size()) + " scales for " +
                std::to_string(axes.size()) + " axes");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!(scales[i] > 0) || std::isinf(scales[i]))
      node.refuse("it has the scale " + std::to_string(scales[i]));
    const std::int64_t extent = x[static_cast<std::size_t>(axes[i])];
    const float scaled = std::floor(static_cast<float>(extent) * scales[i]);
    if (scaled > static_cast<float>(largest_element_count))
      node.refuse("it has the scale " + std::to_string(scales[i]));
    if (scales[i] != 1) op.axes.push_back({axes[i], static_cast<std::int64_t>(scaled), scales[i]});
  }
}

/// The axes that change, by the extents asked for.
void fit(const NodeView& node, Resize& op, const Shape& x, const std::vector<std::int64_t>& axes,
         std::vector<std::int64_t> sizes) {
  if (sizes.size() != axes.size())
    node.refuse("it has " + std::to_string(sizes.size()) + " sizes for " +
                std::to_string(axes.size()) + " axes");
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  std::vector<double> scales;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t extent = x[static_cast<std::size_t>(axes[i])];
    if (sizes[i] < 0 || sizes[i] > largest_element_count || extent == 0)
      node.refuse("it has the size " + std::to_string(sizes[i]));
    scales.push_back(static_cast<double>(sizes[i]) / static_cast<double>(extent));
  }
  if (policy != "stretch") {
    if (policy != "not_larger" && policy != "not_smaller")
      node.refuse("its keep_aspect_ratio_policy '" + policy + "' is unknown");
    const double common = policy == "not_larger" ? *std::min_element(scales.begin(), scales.end())
                                                 : *std::max_element(scales.begin(), scales.end());
    for (std::size_t i = 0; i < axes.size(); ++i) {
      scales[i] = common;
      sizes[i] = static_cast<std::int64_t>(
          std::floor(common * static_cast<double>(x[static_cast<std::size_t>(axes[i])]) + 0.5));
    }
  }
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (scales[i] != 1) op.axes.push_back({axes[i], sizes[i], scales[i]});
}

}  // namespace

std::string_view name(Resize::Mode mode) { return mode_names[static_cast<std::size_t>(mode)]; }
std::string_view name(Resize::Coordinates of) {
  return coordinate_names[static_cast<std::size_t>(of)];
}
std::string_view name(Resize::Nearest nearest) {
  return rounding_names[static_cast<std::size_t>(nearest)];
}

std::span<const std::string_view> Resize::onnx_types() {
  static constexpr std::string_view types[] = {"Resize", "Upsample"};
  return types;
}

Imported<Resize> Resize::from_onnx(const NodeView& node) {
  node.only_attributes({"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a",
                        "exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy",
                        "mode", "nearest_mode", "scales"});
  // Upsample, and Resize as it began.
  const bool elder = node.op_type() == "Upsample" || node.opset() < 11;
  Resize op;
  op.mode = named(node, "mode", "nearest", all_modes, mode_names);
  if (elder && op.mode == Mode::cubic) node.refuse("its mode 'cubic' came with opset 11");
  op.coordinates = elder ? Coordinates::asymmetric
                         : named(node, "coordinate_transformation_mode", "half_pixel",
                                 all_coordinates, coordinate_names);
  op.nearest =
      elder ? Nearest::floor
            : named(node, "nearest_mode", "round_prefer_floor", all_roundings, rounding_names);
  if (node.integer("antialias", 0) != 0)
    node.refuse("it smooths before it shrinks (antialias), which is not supported");
  if (node.integer("exclude_outside", 0) != 0) op.outside = Outside::excluded;
  op.cubic_a = node.real("cubic_coeff_a", -0.75F);

  const Shape& x = node.input_type(0).shape;
  std::vector<std::int64_t> axes = node.integers("axes", {});
  if (axes.empty())
    for (std::size_t axis = 0; axis < x.size(); ++axis)
      axes.push_back(static_cast<std::int64_t>(axis));
  for (std::int64_t& axis : axes)
    axis = static_cast<std::int64_t>(normalised_axis(axis, x.size(), "Resize"));
  const bool as_attribute = node.op_type() == "Upsample" && node.opset() < 9;
  std::optional<Tensor> scales, sizes;
  if (!as_attribute) scales = given(node, elder ? 1 : 2, "scales");
  if (!elder) sizes = given(node, 3, "sizes");
  if (as_attribute) {
    scale(node, op, x, axes, node.reals("scales"));
  } else if (scales && !sizes) {
    if (scales->type().type != Type::float32)
      node.refuse("its scales are " + to_string(scales->type().type));
    const auto values = scales->values<float>();
    scale(node, op, x, axes, {values.begin(), values.end()});
  } else if (sizes && !scales) {
    fit(node, op, x, axes, required_numbers(node, 3, "sizes"));
  } else {
    node.refuse("it has neither scales nor sizes, or both");
  }
  std::sort(op.axes.begin(), op.axes.end(),
            [](const Axis& a, const Axis& b) { return a.axis < b.axis; });
  return {op, {0}, {}};
}

std::vector<TensorType> Resize::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, "Resize");
  TensorType y = types.inputs[0];
  require_float32(y, "Resize's input");
  std::int64_t before = -1;
  for (const Axis& axis : axes) {
    if (axis.axis <= before || axis.axis >= static_cast<std::int64_t>(y.shape.size()) ||
        axis.extent < 0 || y.shape[static_cast<std::size_t>(axis.axis)] == 0)
      throw Error(Fault::bad_model, "Resize cannot resize axis " + std::to_string(axis.axis) +
                                        " of a tensor of shape " + to_string(y.shape));
    before = axis.axis;
    y.shape[static_cast<std::size_t>(axis.axis)] = axis.extent;
  }
  return {y};
}

Places Resize::places(const Shape& x) const {
  Places places;
  for (std::size_t k = 0; k < x.size(); ++k) places.parts.push_back({k, k, x[k]});
  for (const Axis& axis : axes) {
    const auto k = static_cast<std::size_t>(axis.axis);
    places.parts[k].extent = axis.extent;
    for (std::int64_t i = 0; i < axis.extent; ++i)
      places.parts[k].table.push_back(nearest_to(nearest, place_of(*this, axis, x[k], i), x[k]));
  }
  return places;
}

Resize::Table Resize::table(const Axis& axis, std::int64_t extent) const {
  Table table{mode == Mode::cubic ? 4 : 2, {}, {}};
  const auto last = static_cast<double>(extent - 1);
  for (std::int64_t i = 0; i < axis.extent; ++i) {
    double place = place_of(*this, axis, extent, i);
    if (mode == Mode::linear && outside == Outside::clamped) place = std::clamp(place, 0.0, last);
    const double whole = std::floor(place), rest = place - whole;
    double weights[4], sum = 0;
    for (std::int64_t t = 0; t < table.taps; ++t) {
      const double offset = static_cast<double>(t - (table.taps / 2 - 1));
      const double at = whole + offset;
      double& weight = weights[t];
      weight = mode == Mode::cubic ? keys(offset - rest, static_cast<double>(cubic_a))
               : t == 0            ? 1 - rest
                                   : rest;
      if (outside == Outside::excluded && (at < 0 || at > last)) weight = 0;
      sum += weight;
      table.at.push_back(static_cast<std::int64_t>(std::clamp(at, 0.0, last)));
    }
    for (std::int64_t t = 0; t < table.taps; ++t)
      table.weights.push_back(outside == Outside::excluded ? weights[t] / sum : weights[t]);
  }
  return table;
}

StepAllowance Resize::allowance(const OperandTypes& types,
                                std::span<const std::shared_ptr<const Tensor>>,
                                const Contract& contract) const {
  if (mode == Mode::nearest) return {};
  double gain = 1;
  std::int64_t roundings = 0;
  for (const Axis& axis : axes) {
    const Table t = table(axis, types.inputs[0].shape[static_cast<std::size_t>(axis.axis)]);
    double largest = 1;
    for (std::size_t i = 0; i < t.weights.size(); i += static_cast<std::size_t>(t.taps)) {
      double sum = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(t.taps); ++k)
        sum += std::abs(t.weights[i + k]);
      largest = std::max(largest, sum);
    }
    gain *= largest;
    roundings += t.taps + 1;
  }
  Allowance own = chain_allowance(contract, roundings);
  own.underflow *= gain;
  return {own, gain};
}

std::vector<Case<Resize>> Resize::cases() {
  using enum Coordinates;
  std::vector<Case<Resize>> cases;
  const auto add = [&](std::string name, Resize op, Shape x) {
    cases.push_back(
        {std::move(name), std::move(op), {{TensorType{Type::float32, std::move(x)}}, {}}});
  };
  // Both axes of an image from {5, 6} to {10, 9}, by scales of 2 and 1.5.
  const std::vector<Axis> larger{{2, 10, 2}, {3, 9, 1.5}}, smaller{{2, 3, 0.6}, {3, 3, 0.5}};
  add("Resize nearest, twice",
      {Mode::nearest, asymmetric, {{2, 10, 2}, {3, 12, 2}}, Nearest::floor}, {2, 17, 5, 6});
  for (const auto& [how, name] : {std::pair{Nearest::prefer_floor, "half to floor"},
                                  {Nearest::prefer_ceil, "half to ceil"},
                                  {Nearest::floor, "floor"},
                                  {Nearest::ceil, "ceil"}})
    add(std::string("Resize nearest, ") + name, {Mode::nearest, half_pixel, larger, how},
        {2, 3, 5, 6});
  for (const auto& [coordinates, name] : {std::pair{half_pixel, "half pixel"},
                                          {half_pixel_symmetric, "symmetric"},
                                          {pytorch_half_pixel, "PyTorch"},
                                          {align_corners, "corners"},
                                          {asymmetric, "asymmetric"},
                                          {tf_half_pixel_for_nn, "TensorFlow"}})
    add(std::string("Resize linear, ") + name, {Mode::linear, coordinates, larger}, {2, 19, 5, 6});
  add("Resize linear, smaller", {Mode::linear, half_pixel, smaller}, {2, 5, 5, 6});
  add("Resize linear to one pixel", {Mode::linear, pytorch_half_pixel, {{2, 1, 0.2}, {3, 1, 0.2}}},
      {1, 3, 5, 5});
  add("Resize a sequence, linear", {Mode::linear, half_pixel, {{2, 13, 13.0 / 9}}}, {2, 6, 9});
  add("Resize cubic", {Mode::cubic, half_pixel, larger}, {2, 18, 5, 6});
  add("Resize cubic, excluding",
      {Mode::cubic, half_pixel, smaller, Nearest::prefer_floor, Outside::excluded, -0.5F},
      {2, 3, 5, 6});
  add("Resize a volume, linear",
      {Mode::linear, align_corners, {{2, 4, 2}, {3, 5, 5.0 / 3}, {4, 7, 7.0 / 4}}},
      {1, 2, 2, 3, 4});
  add("Resize nothing", {Mode::linear, half_pixel, {}}, {2, 3, 4, 5});
  return cases;
}

}  // namespace parity
