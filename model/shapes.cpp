#include "model/shapes.hpp"

#include <algorithm>

namespace parity {

Shape broadcast(const Shape& a, const Shape& b, const std::string& what) {
  const std::size_t rank = std::max(a.size(), b.size());
  const Shape left = with_rank(a, rank), right = with_rank(b, rank);
  Shape shape(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (left[axis] != right[axis] && left[axis] != 1 && right[axis] != 1)
      throw Error(Fault::bad_model, what + " cannot broadcast shapes " + to_string(a) + " and " +
                                        to_string(b) + ": extents " + std::to_string(left[axis]) +
                                        " and " + std::to_string(right[axis]) +
                                        " differ and neither is 1");
    shape[axis] = left[axis] == 1 ? right[axis] : left[axis];
  }
  return shape;
}

Shape with_rank(const Shape& shape, std::size_t rank) {
  Shape padded(rank - shape.size(), 1);
  padded.insert(padded.end(), shape.begin(), shape.end());
  return padded;
}

std::vector<std::int64_t> broadcast_strides(const Shape& shape, std::size_t rank) {
  const Shape padded = with_rank(shape, rank);
  std::vector<std::int64_t> strides(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t axis = rank; axis-- > 0;) {
    if (padded[axis] != 1) strides[axis] = stride;
    stride *= padded[axis];
  }
  return strides;
}

std::size_t normalised_axis(std::int64_t axis, std::size_t rank, const std::string& what) {
  const auto extent = static_cast<std::int64_t>(rank);
  if (axis < -extent || axis >= extent)
    throw Error(Fault::bad_model, what + " names axis " + std::to_string(axis) +
                                      " of a tensor of rank " + std::to_string(rank));
  return static_cast<std::size_t>(axis < 0 ? axis + extent : axis);
}

void require_float32(const TensorType& type, const std::string& what) {
  if (type.type != Type::float32)
    throw Error(Fault::bad_model,
                what + " is " + to_string(type.type) +
                    "; the lab computes on float32 values. Export the model in float32.");
}

void require_operands(const OperandTypes& types, std::size_t inputs, std::size_t parameters,
                      const std::string& what) {
  if (types.inputs.size() != inputs || types.parameters.size() != parameters)
    throw Error(Fault::internal, what + " was given " + std::to_string(types.inputs.size()) +
                                     " values and " + std::to_string(types.parameters.size()) +
                                     " parameters; it takes " + std::to_string(inputs) + " and " +
                                     std::to_string(parameters));
}

}  // namespace parity
