#include "model/ops/reduce.hpp"

#include <algorithm>

#include "cuda/ops.hpp"
#include "cuda/ops/reduce.hpp"
#include "cuda/walk_of.hpp"

// One element per set of elements that agree on the kept axes.
//
//   lanes32      a launch per level: blocks of 4096 terms give a list of results, which is reduced again
//   max, min     the same with the IEEE selections; no order
//   magnitudes   the same on |x|; min: the maximum of |x|; prod on max(|x|, 1)

namespace parity::cuda {
namespace {

ReduceFunction function_of(const Reduce& op, const Job& job) {
  switch (op.function) {
    case Reduce::Function::max:
      return ReduceFunction::max;
    case Reduce::Function::min:
      // In magnitudes the largest: it bounds the smallest and passes on the largest error.
      return job.magnitudes() ? ReduceFunction::max : ReduceFunction::min;
    case Reduce::Function::l1:
      return ReduceFunction::sum_of_magnitudes;
    case Reduce::Function::l2:
    case Reduce::Function::sum_square:
      return ReduceFunction::sum_of_squares;
    case Reduce::Function::prod:
      return job.magnitudes() ? ReduceFunction::product_of_growth : ReduceFunction::product;
    case Reduce::Function::sum:
    case Reduce::Function::mean:
      break;
  }
  return ReduceFunction::sum;
}

/// How the results of blocks go on as a list.
ReduceFunction of_list(ReduceFunction function) {
  switch (function) {
    case ReduceFunction::sum_of_magnitudes:
    case ReduceFunction::sum_of_squares:
      return ReduceFunction::sum;
    case ReduceFunction::product_of_growth:
      return ReduceFunction::product;
    default:
      return function;
  }
}

}  // namespace

Value run(const Reduce& op, const Job& job) {
  const Value& input = job.inputs[0];
  const Shape& shape = input.shape();
  // Dropped axes change what "channels last" means for y, so x is put in order first.
  const Layout layout = op.reduced == Reduce::Axes::kept ? layout_of(input) : Layout::row_major;
  const Elements<float> x = elements<float>(input, layout, job.session);
  if (op.axes.empty()) return x.value;

  const std::vector<std::int64_t> strides = memory_strides(shape, layout);
  std::vector<std::size_t> reduced(op.axes.begin(), op.axes.end()), kept;
  for (const std::size_t axis : memory_order(shape.size(), layout))
    if (!std::binary_search(reduced.begin(), reduced.end(), axis)) kept.push_back(axis);
  const bool side_by_side = !kept.empty() && strides[kept.back()] == 1;
  const std::int64_t columns = side_by_side ? shape[kept.back()] : 1;
  if (side_by_side) kept.pop_back();

  ReduceArgument level{};
  level.x = x.data;
  level.columns = columns;
  level.function = function_of(op, job);
  level.close = op.function == Reduce::Function::mean ? ReduceClose::divide
                : op.function == Reduce::Function::l2 ? ReduceClose::root
                                                      : ReduceClose::nothing;
  level.row_count = level.term_count = 1;
  // Ascending axes, row-major: the contract's order of the terms, whatever the layout.
  const auto walk = [&](const std::vector<std::size_t>& axes, std::int64_t& count, Walk& to,
                        Steps& steps) {
    std::vector<std::int64_t> extents, along;
    for (const std::size_t axis : axes) {
      extents.push_back(shape[axis]);
      along.push_back(strides[axis]);
      count *= shape[axis];
    }
    const Walked walked = walk_of(extents, {along}, "a reduction");
    to = walked.walk;
    steps = walked.steps[0];
  };
  walk(reduced, level.term_count, level.terms, level.term_steps);
  walk(kept, level.row_count, level.rows, level.row_steps);
  level.divisor = level.term_count;

  Value sums = x.value;
  for (;;) {
    const std::int64_t blocks = (level.term_count + reduce_block - 1) / reduce_block;
    const bool finished = blocks <= 1;
    Fresh fresh = finished ? job.fresh(layout)
                           : Fresh({Type::float32, {level.row_count * blocks * columns}},
                                   Layout::row_major, job.session);
    level.y = fresh.data<float>();
    job.check(launch_reduce(job.queue(), level), "launching a reduction");
    sums = std::move(fresh).value();
    if (finished) return sums;
    // The list of results: {rows, blocks, columns}.
    level.function = of_list(level.function);
    level.x = level.y;
    level.rows = {1, {level.row_count}};
    level.row_steps = {{blocks * columns}};
    level.terms = {1, {blocks}};
    level.term_steps = {{columns}};
    level.term_count = blocks;
  }
}

}  // namespace parity::cuda
