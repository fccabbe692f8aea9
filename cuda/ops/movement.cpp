#include "model/ops/movement.hpp"

#include <algorithm>

#include "cuda/ops.hpp"
#include "cuda/walk_of.hpp"

// Shares the storage where nothing moves: identity always, the reshaping ones on row-major values.
// A transpose is one strided copy from the layout that x has; NHWC to NCHW comes out channels-last and
// moves nothing.

namespace parity::cuda {
namespace {

template <class T>
Value transposed(const Movement& op, const Job& job) {
  const Value& input = job.inputs[0];
  const Layout layout = layout_of(input);
  const Elements<T> x = elements<T>(input, layout, job.session);
  const Shape& shape = job.output.shape;
  const std::size_t rank = shape.size();
  const std::vector<std::size_t> axes = op.permutation(rank);
  if (std::is_sorted(axes.begin(), axes.end())) return x.value;
  if (brings_channels_forward(axes, layout))
    return {job.output, std::make_shared<const CudaStorage>(storage_of(x.value).memory(),
                                                            &job.session, Layout::channels_last)};
  Fresh fresh = job.fresh(Layout::row_major);
  const std::vector<std::int64_t> from = memory_strides(input.shape(), layout);
  std::vector<std::int64_t> steps;  // of x along the axes of y
  for (const std::size_t axis : axes) steps.push_back(from[axis]);
  const Walked walked =
      walk_of(shape, {steps, memory_strides(shape, Layout::row_major)}, "a transpose");
  job.check(launch_strided_copy(job.queue(),
                                {x.data, fresh.data<T>(), element_count(shape), walked.walk,
                                 walked.steps[0], walked.steps[1], static_cast<int>(sizeof(T))}),
            "launching a transpose");
  return std::move(fresh).value();
}

template <class T>
Value moved(const Movement& op, const Job& job) {
  const Value& input = job.inputs[0];
  if (op.function == Movement::Function::identity)
    return elements<T>(input, layout_of(input), job.session).value;
  if (op.function == Movement::Function::transpose) return transposed<T>(op, job);
  return {job.output, elements<T>(input, Layout::row_major, job.session).value.storage()};
}

}  // namespace

Value run(const Movement& op, const Job& job) {
  return job.in_double() ? moved<double>(op, job) : moved<float>(op, job);
}

}  // namespace parity::cuda
