#include "model/ops/binary.hpp"

#include "cuda/ops.hpp"
#include "cuda/ops/binary.hpp"
#include "cuda/walk_of.hpp"
#include "model/shapes.hpp"

// One rounded addition or multiplication per element.
//
//   elementwise   a constant that is a scalar or one per channel runs as an epilogue step, fused or
//                 alone; everything else by a strided kernel, in the layout of the operands when they
//                 share one
//   magnitudes    |a| + |b|, |a||b|

namespace parity::cuda {
namespace {

/// Steps of an operand along the axes of y in memory order; 0 where the operand is stretched.
std::vector<std::int64_t> stretched(const Shape& shape, Layout layout,
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

}  // namespace

Value run(const Binary& op, const Job& job) {
  if (std::optional<Value> value = run_as_epilogue(op, job)) return *std::move(value);
  const Shape& shape = job.output.shape;
  const std::size_t rank = shape.size();
  const bool constant = !job.parameters.empty();
  const Value& left = job.inputs[0];
  const Shape& right_shape = constant ? job.parameters[0]->shape() : job.inputs[1].shape();
  // A constant lies row-major.
  const bool last = left.shape().size() == rank && right_shape.size() == rank && !constant &&
                    (layout_of(left) == Layout::channels_last ||
                     layout_of(job.inputs[1]) == Layout::channels_last);
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const Elements<float> a = elements<float>(left, layout, job.session);
  const Elements<float> b = constant ? Elements<float>{{}, parameter_data(job.parameters[0], job)}
                                     : elements<float>(job.inputs[1], layout, job.session);
  Fresh fresh = job.fresh(layout);
  const std::vector<std::size_t> order = memory_order(rank, layout);
  std::vector<std::int64_t> extents;
  for (const std::size_t axis : order) extents.push_back(shape[axis]);
  const Walked walked = walk_of(
      extents, {stretched(left.shape(), layout, order), stretched(right_shape, layout, order)},
      "an addition or multiplication with broadcasting");
  job.check(launch_binary(
                job.queue(),
                {a.data, b.data, fresh.data<float>(), element_count(shape), walked.walk,
                 walked.steps[0], walked.steps[1],
                 op.function == Binary::Function::add ? BinaryFunction::add : BinaryFunction::mul}),
            "launching an addition or multiplication");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
