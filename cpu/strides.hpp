#pragma once

#include <cstdint>
#include <vector>

#include "cpu/storage.hpp"

namespace parity::cpu {

/// The axes of a shape in the order of memory, outermost first.
inline std::vector<std::size_t> memory_order(std::size_t rank, Layout layout) {
  std::vector<std::size_t> axes;
  for (std::size_t axis = 0; axis < rank; ++axis)
    if (layout == Layout::row_major || axis != 1) axes.push_back(axis);
  if (layout == Layout::channels_last) axes.push_back(1);
  return axes;
}

/// Elements to step over per index of each ONNX axis.
inline std::vector<std::int64_t> memory_strides(const Shape& shape, Layout layout) {
  const std::vector<std::size_t> order = memory_order(shape.size(), layout);
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= shape[order[i]];
  }
  return strides;
}

}  // namespace parity::cpu
