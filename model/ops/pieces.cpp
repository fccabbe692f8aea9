#include "model/ops/pieces.hpp"

#include <algorithm>
#include <numeric>

#include "model/ops/numbers.hpp"
#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Pieces::onnx_types() {
  static constexpr std::string_view types[] = {"Split"};
  return types;
}

Imported<Pieces> Pieces::from_onnx(const NodeView& node) {
  node.only_attributes({"axis", "split", "num_outputs"});
  Pieces op;
  op.axis = node.integer("axis", 0);
  op.count = node.output_count();
  op.sizes = numbers_from_onnx(node, 1, 13, "split").value_or(std::vector<std::int64_t>{});
  if (node.integer("num_outputs", op.count) != op.count)
    node.refuse("its num_outputs is " + std::to_string(node.integer("num_outputs", 0)) +
                ", but it has " + std::to_string(op.count) + " outputs");
  const Shape& x = node.input_type(0).shape;
  const std::int64_t extent = x[normalised_axis(op.axis, x.size(), "Split")];
  if (op.sizes.empty() && !node.has_attribute("num_outputs") && extent % op.count != 0)
    node.refuse("it cuts an axis of " + std::to_string(extent) + " into " +
                std::to_string(op.count) + " equal pieces");
  return {op, {0}, {}};
}

std::vector<Places> Pieces::places(const Shape& x) const {
  const std::size_t cut = normalised_axis(axis, x.size(), "Split");
  std::vector<std::int64_t> extents = sizes;
  if (extents.empty()) {
    if (count < 1) throw Error(Fault::bad_model, "Split makes no piece at all");
    const std::int64_t most = (x[cut] + count - 1) / count;
    for (std::int64_t k = 0; k < count; ++k)
      extents.push_back(std::clamp<std::int64_t>(x[cut] - k * most, 0, most));
  }
  const bool negative =
      std::any_of(extents.begin(), extents.end(), [](std::int64_t size) { return size < 0; });
  if (negative || static_cast<std::int64_t>(extents.size()) != count ||
      std::accumulate(extents.begin(), extents.end(), std::int64_t{0}) != x[cut])
    throw Error(Fault::bad_model, "Split cannot cut axis " + std::to_string(axis) +
                                      " of a tensor of shape " + to_string(x) + " into " +
                                      std::to_string(count) + " pieces of " + to_string(extents));
  std::vector<Places> pieces;
  std::int64_t first = 0;
  for (const std::int64_t extent : extents) {
    Places places;
    for (std::size_t k = 0; k < x.size(); ++k) places.parts.push_back({k, k, x[k]});
    places.parts[cut].extent = extent;
    places.parts[cut].first = first;
    first += extent;
    pieces.push_back(std::move(places));
  }
  return pieces;
}

std::vector<TensorType> Pieces::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, "Split");
  std::vector<TensorType> pieces;
  for (const Places& piece : places(types.inputs[0].shape))
    pieces.push_back({types.inputs[0].type, piece.shape()});
  return pieces;
}

bool Pieces::keeps_items(const OperandTypes& types) const {
  const Shape& x = types.inputs[0].shape;
  const std::vector<Places> pieces = places(x);
  return std::all_of(pieces.begin(), pieces.end(),
                     [&](const Places& piece) { return piece.keep_items(x); });
}

std::vector<Case<Pieces>> Pieces::cases() {
  const auto cutting = [](std::string name, Pieces op, Shape x) {
    return Case<Pieces>{
        std::move(name), std::move(op), {{TensorType{Type::float32, std::move(x)}}, {}}};
  };
  return {cutting("Split channels in two", {1, 2}, {2, 38, 3, 5}),
          cutting("Split channels by sizes", {1, 3, {3, 16, 1}}, {2, 20, 5, 7}),
          cutting("Split rows from the back", {-2, 2, {2, 3}}, {2, 3, 5, 7}),
          cutting("Split features, the last less", {1, 3}, {3, 20}),
          cutting("Split a sequence", {2, 2, {4, 5}}, {2, 6, 9}),
          cutting("Split into one", {1, 1}, {2, 3, 4}),
          cutting("Split five axes", {3, 2, {2, 3}}, {1, 2, 3, 5, 2})};
}

}  // namespace parity
