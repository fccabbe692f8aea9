#pragma once

#include <cstdint>
#include <vector>

#include "model/tensor.hpp"

namespace parity {

/// How the elements of a value lie in memory. channels_last: {N, C, spatial…} stored as N,
/// spatial…, C; only for rank 3 and 4. Layout is Execution: it never changes a bit.
enum class Layout { row_major, channels_last };

/// channels_last means nothing for other ranks: they have one layout.
inline Layout meaningful(const Shape& shape, Layout layout) {
  return shape.size() == 3 || shape.size() == 4 ? layout : Layout::row_major;
}

/// N, C and the product of the spatial extents of a rank-3 or rank-4 type.
struct Planes {
  std::int64_t N, C, S;
};
inline Planes planes_of(const Shape& shape) {
  return {shape[0], shape[1], element_count(shape, 2, shape.size())};
}

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

/// Whether a transpose by `axes` only renames the layout: {N, …, C} row-major is {N, C, …} channels-last.
inline bool brings_channels_forward(const std::vector<std::size_t>& axes, Layout layout) {
  return layout == Layout::row_major && (axes == std::vector<std::size_t>{0, 3, 1, 2} ||
                                         axes == std::vector<std::size_t>{0, 2, 1});
}

}  // namespace parity
