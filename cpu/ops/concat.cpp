#include "model/ops/concat.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/threads.hpp"
#include "model/shapes.hpp"

// Copies each input into its share of the joined axis. Inputs that all lie channels-last stay so.

namespace parity::cpu {
namespace {

/// Elements from the joined axis inward in memory, and how many such runs there are.
struct Runs {
  std::int64_t count, length;
};
Runs runs_of(const Shape& shape, std::size_t axis, Layout layout) {
  const std::int64_t length = memory_strides(shape, layout)[axis] * shape[axis];
  const std::vector<std::size_t> order = memory_order(shape.size(), layout);
  std::int64_t count = 1;
  for (const std::size_t outer : order) {
    if (outer == axis) break;
    count *= shape[outer];
  }
  return {count, length};
}

template <class T>
Value join(const Concat& op, const Job& job) {
  const bool last = std::all_of(job.inputs.begin(), job.inputs.end(), [](const Value& x) {
    return layout_of(x) == Layout::channels_last;
  });
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const std::size_t axis = normalised_axis(op.axis, job.output.shape.size(), "Concat");
  Fresh fresh(job.output, layout, &job.memory);
  T* const y = fresh.data<T>();
  const auto [runs, row] = runs_of(job.output.shape, axis, layout);
  std::int64_t offset = 0;  // of this input's share in a row
  for (const Value& input : job.inputs) {
    const Elements<T> x = elements<T>(input, layout, job.execution);
    const std::int64_t share = runs_of(input.shape(), axis, layout).length;
    if (share > 0)
      parallel_for(runs, std::max<std::int64_t>(1, 4096 / share), job.execution.threads,
                   [&, row = row](std::int64_t first, std::int64_t end) {
                     for (std::int64_t i = first; i < end; ++i)
                       std::memcpy(y + i * row + offset, x.data + i * share,
                                   static_cast<std::size_t>(share) * sizeof(T));
                   });
    offset += share;
  }
  return std::move(fresh).value();
}

}  // namespace

Value run(const Concat& op, const Job& job) {
  return job.in_double() ? join<double>(op, job) : join<float>(op, job);
}

}  // namespace parity::cpu
