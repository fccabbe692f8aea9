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

}  // namespace

Value run(const Concat& op, const Job& job) {
  const bool last = std::all_of(job.inputs.begin(), job.inputs.end(), [](const Value& x) {
    return layout_of(x) == Layout::channels_last;
  });
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const std::size_t axis = normalised_axis(op.axis, job.output.shape.size(), "Concat");
  const auto width = static_cast<std::int64_t>(byte_width(job.output.type));
  Fresh fresh(job.output, layout, &job.memory);
  char* const y = fresh.data<char>();
  const auto [runs, row] = runs_of(job.output.shape, axis, layout);
  std::int64_t offset = 0;  // of this input's share in a row
  for (const Value& input : job.inputs) {
    const Value x = job.in_double() ? elements<double>(input, layout, job.execution).value
                                    : with_layout(input, layout, job.execution, &job.memory);
    const auto* const from = static_cast<const char*>(storage_of(x).data());
    const std::int64_t share = runs_of(input.shape(), axis, layout).length;
    if (share > 0)
      parallel_for(runs, std::max<std::int64_t>(1, 4096 / share), job.execution.threads,
                   [&, row = row](std::int64_t first, std::int64_t end) {
                     for (std::int64_t i = first; i < end; ++i)
                       std::memcpy(y + (i * row + offset) * width, from + i * share * width,
                                   static_cast<std::size_t>(share * width));
                   });
    offset += share;
  }
  return std::move(fresh).value();
}

}  // namespace parity::cpu
