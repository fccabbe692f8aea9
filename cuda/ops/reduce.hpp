#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

enum class ReduceFunction { sum, mean, max };

/// One level of a reduction: y[(row * blocks + b) * columns + j] is `lanes32`, or the maximum, of the terms
/// [b * 4096, …) of result (row, j), where blocks = ceil(terms / 4096). Term t of it is
/// x[rows(row) + terms(t) + j]: neighbouring columns lie side by side. With one block, mean divides.
struct ReduceArgument {
  const float* x;
  float* y;
  std::int64_t row_count, term_count, columns;
  Walk rows, terms;
  Steps row_steps, term_steps;
  ReduceFunction function;
  std::int64_t mean_of;  ///< what mean divides by: the terms of the first level
};
inline constexpr std::int64_t reduce_block = 4096;
Status launch_reduce(const Queue& queue, const ReduceArgument& argument);

}  // namespace parity::cuda
