#include "model/ops/indexed_rows.hpp"

#include "model/error.hpp"
#include "model/layout.hpp"

namespace parity {

std::int64_t IndexedRows::rows() const {
  std::int64_t count = 1;
  for (const Axis& axis : axes) count *= axis.extent;
  return count;
}

IndexedRows rows_along(const Shape& x, const Shape& indices, std::size_t axis) {
  IndexedRows rows;
  rows.run = element_count(x, axis + 1, x.size());
  rows.axes = {{element_count(x, 0, axis), x[axis] * rows.run, 0}, {element_count(indices), 0, 1}};
  rows.components = {{x[axis], rows.run}};
  return rows;
}

IndexedRows rows_of_elements(const Shape& x, const Shape& indices, std::size_t axis) {
  const std::vector<std::int64_t> of_x = memory_strides(x, Layout::row_major),
                                  of_indices = memory_strides(indices, Layout::row_major);
  IndexedRows rows;
  for (std::size_t k = 0; k < x.size(); ++k)
    rows.axes.push_back({indices[k], k == axis ? 0 : of_x[k], of_indices[k]});
  rows.components = {{x[axis], of_x[axis]}};
  return rows;
}

IndexedRows rows_at_points(const Shape& x, const Shape& indices, std::size_t batch_axes) {
  const std::vector<std::int64_t> of_x = memory_strides(x, Layout::row_major),
                                  of_indices = memory_strides(indices, Layout::row_major);
  IndexedRows rows;
  for (std::size_t k = 0; k + 1 < indices.size(); ++k)
    rows.axes.push_back({indices[k], k < batch_axes ? of_x[k] : 0, of_indices[k]});
  const auto points = static_cast<std::size_t>(indices.back());
  for (std::size_t k = batch_axes; k < batch_axes + points; ++k)
    rows.components.push_back({x[k], of_x[k]});
  rows.run = element_count(x, batch_axes + points, x.size());
  return rows;
}

std::int64_t first_outside(const IndexedRows& rows, std::span<const std::int64_t> indices) {
  std::size_t component = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::int64_t extent = rows.components[component].extent;
    if (indices[i] < -extent || indices[i] >= extent) return static_cast<std::int64_t>(i);
    if (++component == rows.components.size()) component = 0;
  }
  return -1;
}

void require_inside(const IndexedRows& rows, std::span<const std::int64_t> indices,
                    const std::string& what) {
  if (const std::int64_t at = first_outside(rows, indices); at >= 0)
    throw Error(Fault::bad_input,
                outside_sentence(rows, at, indices[static_cast<std::size_t>(at)], what));
}

std::string outside_sentence(const IndexedRows& rows, std::int64_t position, std::int64_t index,
                             const std::string& what) {
  const auto component = static_cast<std::size_t>(position) % rows.components.size();
  return what + " reads index " + std::to_string(index) + " at position " +
         std::to_string(position) + " of its indices, outside an axis of " +
         std::to_string(rows.components[component].extent) +
         " elements; give indices that lie inside";
}

std::vector<std::int64_t> row_starts(const IndexedRows& rows,
                                     std::span<const std::int64_t> indices) {
  std::vector<std::int64_t> starts(static_cast<std::size_t>(rows.rows()));
  std::vector<std::int64_t> index(rows.axes.size(), 0);
  std::int64_t fixed = 0, at = 0;
  for (std::int64_t& start : starts) {
    start = fixed;
    for (std::size_t c = 0; c < rows.components.size(); ++c) {
      const IndexedRows::Component& component = rows.components[c];
      const std::int64_t place = indices[static_cast<std::size_t>(at) + c];
      start += (place < 0 ? place + component.extent : place) * component.step;
    }
    for (std::size_t k = index.size(); k-- > 0;) {
      const IndexedRows::Axis& axis = rows.axes[k];
      fixed += axis.x_step;
      at += axis.index_step;
      if (++index[k] < axis.extent) break;
      fixed -= axis.x_step * axis.extent;
      at -= axis.index_step * axis.extent;
      index[k] = 0;
    }
  }
  return starts;
}

}  // namespace parity
