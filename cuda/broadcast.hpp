#pragma once

#include <string>
#include <vector>

#include "cuda/walk_of.hpp"
#include "model/layout.hpp"
#include "model/shapes.hpp"

namespace parity::cuda {

/// Steps of an operand along the axes of a result in memory order; 0 where the operand is stretched.
inline std::vector<std::int64_t> stretched(const Shape& shape, Layout layout,
                                           const std::vector<std::size_t>& order) {
  std::vector<std::int64_t> steps;
  if (layout == Layout::row_major) {
    const std::vector<std::int64_t> logical = broadcast_strides(shape, order.size());
    for (const std::size_t axis : order) steps.push_back(logical[axis]);
    return steps;
  }
  const std::vector<std::int64_t> memory = memory_strides(shape, layout);
  for (const std::size_t axis : order) steps.push_back(shape[axis] == 1 ? 0 : memory[axis]);
  return steps;
}

/// The walk over a result of `shape` as it lies in `layout`, made from operands that lie so too and are
/// read again along their extents of 1.
inline Walked broadcast_walk(const Shape& shape, Layout layout, const std::vector<Shape>& operands,
                             const std::string& what) {
  const std::vector<std::size_t> order = memory_order(shape.size(), layout);
  std::vector<std::int64_t> extents;
  for (const std::size_t axis : order) extents.push_back(shape[axis]);
  std::vector<std::vector<std::int64_t>> steps;
  for (const Shape& operand : operands) steps.push_back(stretched(operand, layout, order));
  return walk_of(extents, steps, what);
}

}  // namespace parity::cuda
