#include "model/ops/movement.hpp"

#include <algorithm>
#include <vector>

#include "cpu/ops.hpp"
#include "cpu/threads.hpp"

// Shares the storage where nothing moves: identity always, the reshaping ones on row-major values.
// A transpose is one strided copy from the layout that x has; NHWC to NCHW comes out channels-last,
// where the copy is contiguous.

namespace parity::cpu {
namespace {

template <class T>
Value transposed(const Movement& op, const Job& job) {
  const Value& input = job.inputs[0];
  const Layout layout = layout_of(input);
  const Elements<T> x = elements<T>(input, layout, job.execution);
  const Shape& shape = job.output.shape;
  const std::size_t rank = shape.size();
  const std::vector<std::size_t> axes = op.permutation(rank);
  if (std::is_sorted(axes.begin(), axes.end())) return x.value;

  Fresh fresh(job.output,
              brings_channels_forward(axes, layout) ? Layout::channels_last : Layout::row_major,
              &job.memory);
  T* const y = fresh.data<T>();
  const std::vector<std::int64_t> from = memory_strides(input.shape(), layout);
  std::vector<std::int64_t> extents, strides;  // of y as it lies; of x along the same axes
  for (const std::size_t axis : memory_order(rank, fresh.layout())) {
    extents.push_back(shape[axis]);
    strides.push_back(from[axes[axis]]);
  }
  const std::int64_t columns = extents.back(), rows = element_count(extents, 0, rank - 1);
  if (columns == 0) return std::move(fresh).value();
  parallel_for(rows, std::max<std::int64_t>(1, 4096 / columns), job.execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t row = first; row < last; ++row) {
                   std::int64_t at = 0, left = row;
                   for (std::size_t axis = rank - 1; axis-- > 0;) {
                     at += left % extents[axis] * strides[axis];
                     left /= extents[axis];
                   }
                   for (std::int64_t i = 0; i < columns; ++i)
                     y[row * columns + i] = x.data[at + i * strides.back()];
                 }
               });
  return std::move(fresh).value();
}

template <class T>
Value moved(const Movement& op, const Job& job) {
  const Value& input = job.inputs[0];
  if (op.function == Movement::Function::identity)
    return elements<T>(input, layout_of(input), job.execution).value;
  if (op.function == Movement::Function::transpose) return transposed<T>(op, job);
  return {job.output, elements<T>(input, Layout::row_major, job.execution).value.storage()};
}

}  // namespace

Value run(const Movement& op, const Job& job) {
  return job.in_double() ? moved<double>(op, job) : moved<float>(op, job);
}

}  // namespace parity::cpu
