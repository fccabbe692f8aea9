#include "model/ops/normalization.hpp"

#include <algorithm>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

/// A scale or bias as one element for each of `wanted`: of that shape, or of one that stretches to it.
Tensor stretched(const NodeView& node, int input, const std::string& role, const Shape& wanted) {
  const Tensor given = node.required_constant(input, role);
  if (given.type().type != Type::float32)
    node.refuse("its " + role + " is " + to_string(given.type().type));
  Shape shape = given.shape();
  while (shape.size() > wanted.size() && shape.front() == 1) shape.erase(shape.begin());
  const std::string what = "the " + role + " of node '" + node.name() + "'";
  if (shape.size() > wanted.size() || broadcast(shape, wanted, what) != wanted)
    node.refuse("its " + role + " has shape " + to_string(given.shape()) + ", which is not " +
                to_string(wanted));
  if (shape == wanted) return given.reshaped({element_count(wanted)});
  const std::vector<std::int64_t> strides = broadcast_strides(shape, wanted.size());
  const auto from = given.values<float>();
  std::vector<float> values(static_cast<std::size_t>(element_count(wanted)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    std::int64_t at = 0;
    for (std::size_t k = wanted.size(); k-- > 0; rest /= wanted[k])
      at += rest % wanted[k] * strides[k];
    values[i] = from[static_cast<std::size_t>(at)];
  }
  return Tensor::of({element_count(wanted)}, std::move(values));
}

/// Before opset 21 a GroupNormalization has one scale per group: each channel's its group's.
Tensor per_channel(const Tensor& per_group, std::int64_t channels) {
  const auto from = per_group.values<float>();
  const std::int64_t each = channels / static_cast<std::int64_t>(from.size());
  std::vector<float> values;
  for (const float value : from) values.insert(values.end(), static_cast<std::size_t>(each), value);
  return Tensor::of({channels}, std::move(values));
}

Imported<Normalization> layer(const NodeView& node) {
  node.only_attributes({"axis", "epsilon", "stash_type"});
  if (node.integer("stash_type", 1) != 1)
    node.refuse("its stash_type is " + std::to_string(node.integer("stash_type", 1)) +
                "; the lab computes mean and deviation in float32 (1)");
  const Shape& x = node.input_type(0).shape;
  Normalization op;
  op.axis = static_cast<std::int64_t>(normalised_axis(
      node.integer("axis", -1), x.size(), "node '" + node.name() + "' (LayerNormalization)"));
  op.outputs.clear();
  for (int i = 0; i < node.output_count(); ++i)
    if (node.has_output(i)) op.outputs.push_back(i);
  const Shape row(x.begin() + static_cast<std::ptrdiff_t>(op.axis), x.end());
  Imported<Normalization> imported{
      op, {0}, {stretched(node, 1, "scale", row), std::nullopt}, op.outputs};
  if (node.has_input(2)) imported.parameters[1] = stretched(node, 2, "bias", row);
  return imported;
}

Imported<Normalization> grouped(const NodeView& node) {
  const bool instance = node.op_type() == "InstanceNormalization";
  Normalization op;
  op.rows = instance ? Normalization::Rows::instance : Normalization::Rows::group;
  if (instance)
    node.only_attributes({"epsilon"});
  else
    node.only_attributes({"epsilon", "num_groups", "stash_type"});
  if (node.integer("stash_type", 1) != 1)
    node.refuse("its stash_type is " + std::to_string(node.integer("stash_type", 1)) +
                "; the lab computes mean and deviation in float32 (1)");
  const Shape& x = node.input_type(0).shape;
  if (x.size() < 2) node.refuse("its input has shape " + to_string(x) + " and so no channels");
  if (!instance) op.groups = node.integer("num_groups", 0);
  if (op.groups < 1 || x[1] % op.groups != 0)
    node.refuse("its " + std::to_string(x[1]) + " channels make no " + std::to_string(op.groups) +
                " groups of the same size");
  const bool of_groups = !instance && node.opset() < 21;
  const Shape wanted{of_groups ? op.groups : x[1]};
  Imported<Normalization> imported{op, {0}, {}};
  for (int i = 1; i <= 2; ++i) {
    const Tensor given = stretched(node, i, i == 1 ? "scale" : "bias", wanted);
    imported.parameters.emplace_back(of_groups ? per_channel(given, x[1]) : given);
  }
  return imported;
}

}  // namespace

std::span<const std::string_view> Normalization::onnx_types() {
  static constexpr std::string_view types[] = {"LayerNormalization", "InstanceNormalization",
                                               "GroupNormalization"};
  return types;
}

Imported<Normalization> Normalization::from_onnx(const NodeView& node) {
  if (node.input_type(0).type != Type::float32)
    node.refuse("its input is " + to_string(node.input_type(0)));
  Imported<Normalization> imported =
      node.op_type() == "LayerNormalization" ? layer(node) : grouped(node);
  imported.op.epsilon = node.real("epsilon", 1e-5F);
  return imported;
}

std::string_view Normalization::kind() const {
  switch (rows) {
    case Rows::layer:
      return "LayerNorm";
    case Rows::instance:
      return "InstanceNorm";
    case Rows::group:
      return "GroupNorm";
  }
  return "Normalization";
}

NormalizationExtents extents(const Normalization& op, const Shape& x) {
  if (op.rows == Normalization::Rows::layer) {
    const auto axis = static_cast<std::size_t>(op.axis);
    return {element_count(x, 0, axis), 1, element_count(x, axis, x.size()), 1};
  }
  const std::int64_t G = op.rows == Normalization::Rows::instance ? x[1] : op.groups;
  return {x[0], G, x[1] / G, element_count(x, 2, x.size())};
}

std::vector<TensorType> Normalization::infer(const OperandTypes& types) const {
  require_operands(types, 1, 2, std::string(kind()));
  const TensorType& x = types.inputs[0];
  require_float32(x, std::string(kind()) + " input");
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  const bool fits = rows == Rows::layer ? axis >= 0 && axis < rank
                                        : rank >= 2 && groups >= 1 && x.shape[1] % groups == 0;
  if (!fits)
    throw Error(Fault::bad_model,
                std::string(kind()) + " does not fit a tensor of shape " + to_string(x.shape));
  const NormalizationExtents e = extents(*this, x.shape);
  for (const auto& parameter : types.parameters)
    if (parameter && parameter->shape != Shape{e.G * e.C})
      throw Error(Fault::bad_model, std::string(kind()) + " of shape " + to_string(x.shape) +
                                        " needs a scale and bias of " + std::to_string(e.G * e.C) +
                                        " elements, not " + to_string(parameter->shape));
  if (!types.parameters[0]) throw Error(Fault::internal, std::string(kind()) + " has no scale");
  if (e.n() == 0)
    throw Error(Fault::bad_model, std::string(kind()) +
                                      " would normalise no element at all of a tensor of shape " +
                                      to_string(x.shape));
  TensorType statistics = x;
  if (rows == Rows::layer)
    std::fill(statistics.shape.begin() + static_cast<std::ptrdiff_t>(axis), statistics.shape.end(),
              1);
  std::vector<TensorType> made;
  for (const int output : outputs) made.push_back(output == 0 ? x : statistics);
  return made;
}

StepAllowance Normalization::allowance(const OperandTypes&,
                                       std::span<const std::shared_ptr<const Tensor>>,
                                       const Contract& contract) const {
  return {{in_double(contract) ? unit_roundoff_double : unit_roundoff,
           in_double(contract) ? 0 : smallest_rounding},
          1};
}

NormalizationBound normalization_bound(const Normalization& op, const Shape& x) {
  const std::int64_t n = extents(op, x).n(), depth = lanes32_depth(n);
  return {gamma(depth + 1) / unit_roundoff, gamma((depth + 5) / 2 + 3) / unit_roundoff,
          static_cast<double>(n), static_cast<double>(op.epsilon)};
}

std::vector<Case<Normalization>> Normalization::cases() {
  std::vector<Case<Normalization>> cases;
  const auto make = [&](std::string name, Normalization op, Shape x, bool biased = true) {
    const NormalizationExtents e = extents(op, x);
    const TensorType affine{Type::float32, {e.G * e.C}};
    cases.push_back({std::move(name),
                     op,
                     {{{Type::float32, std::move(x)}},
                      {affine, biased ? std::optional(affine) : std::nullopt}}});
  };
  make("LayerNorm of tokens", {Rows::layer, 2}, {2, 9, 67});
  make("LayerNorm without bias", {Rows::layer, 1}, {5, 96}, false);
  make("LayerNorm of two axes", {Rows::layer, 2}, {3, 2, 5, 7});
  make("LayerNorm with its statistics", {Rows::layer, 1, 1, 1e-5F, {0, 1, 2}}, {4, 33});
  make("LayerNorm of one element", {Rows::layer, 1}, {3, 1});
  make("LayerNorm of more than 4096", {Rows::layer, 1, 1, 1e-3F}, {2, 4500});
  make("LayerNorm with a small epsilon", {Rows::layer, 1, 1, 1e-12F}, {6, 40});
  make("InstanceNorm", {Rows::instance}, {2, 5, 7, 9});
  make("InstanceNorm of rank 3", {Rows::instance}, {2, 3, 70});
  make("GroupNorm", {Rows::group, 0, 3}, {2, 12, 5, 4});
  make("GroupNorm of rank 3", {Rows::group, 0, 2}, {3, 10, 11});
  make("GroupNorm in one group", {Rows::group, 0, 1}, {2, 6, 3, 3});
  make("GroupNorm without space", {Rows::group, 0, 2}, {3, 70});
  return cases;
}

}  // namespace parity
