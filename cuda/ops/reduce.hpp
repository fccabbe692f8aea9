#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

/// What an element joins: sums of x, |x|, x * x (fused); products of x, max(x, 1); the selections.
enum class ReduceFunction {
  sum,
  sum_of_magnitudes,
  sum_of_squares,
  product,
  product_of_growth,
  max,
  min
};
/// What the one result of the last level goes through.
enum class ReduceClose { nothing, divide, root };

/// One level of a reduction: y[(row * blocks + b) * columns + j] is `lanes32`, or the selection, of the terms
/// [b * 4096, …) of result (row, j), where blocks = ceil(terms / 4096). Term t of it is
/// x[rows(row) + terms(t) + j]: neighbouring columns lie side by side. With one block, it is closed.
struct ReduceArgument {
  const float* x;
  float* y;
  std::int64_t row_count, term_count, columns;
  Walk rows, terms;
  Steps row_steps, term_steps;
  ReduceFunction function;
  ReduceClose close;
  std::int64_t divisor;  ///< of a mean: the terms of the first level
};
inline constexpr std::int64_t reduce_block = 4096;
Status launch_reduce(const Queue& queue, const ReduceArgument& argument);

}  // namespace parity::cuda
