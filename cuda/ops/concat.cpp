#include "model/ops/concat.hpp"

#include <algorithm>

#include "cuda/ops.hpp"
#include "cuda/walk_of.hpp"
#include "model/shapes.hpp"

// Copies each input into its share of the joined axis. Inputs that all lie channels-last stay so.

namespace parity::cuda {

Value run(const Concat& op, const Job& job) {
  const bool last = std::all_of(job.inputs.begin(), job.inputs.end(), [](const Value& x) {
    return layout_of(x) == Layout::channels_last;
  });
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const Shape& shape = job.output.shape;
  const std::size_t axis = normalised_axis(op.axis, shape.size(), "Concat");
  const auto width = static_cast<std::int64_t>(byte_width(job.output.type));
  Fresh fresh = job.fresh(layout);
  const std::vector<std::size_t> order = memory_order(shape.size(), layout);
  const auto in_order = [&](const std::vector<std::int64_t>& of) {
    std::vector<std::int64_t> result;
    for (const std::size_t each : order) result.push_back(of[each]);
    return result;
  };
  const std::vector<std::int64_t> to = memory_strides(shape, layout);
  char* y = fresh.data<char>();
  for (const Value& input : job.inputs) {
    const Value x = job.in_double() ? elements<double>(input, layout, job.session).value
                                    : with_layout(input, layout, job.session);
    const Walked walked =
        walk_of(in_order(input.shape()),
                {in_order(memory_strides(input.shape(), layout)), in_order(to)}, "a concatenation");
    job.check(launch_strided_copy(
                  job.queue(), {storage_of(x).data(), y, element_count(input.shape()), walked.walk,
                                walked.steps[0], walked.steps[1], static_cast<int>(width)}),
              "launching a concatenation");
    y += input.shape()[axis] * to[axis] * width;
  }
  return std::move(fresh).value();
}

}  // namespace parity::cuda
