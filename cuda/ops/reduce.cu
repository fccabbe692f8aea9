#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/reduce.hpp"
#include "cuda/walk.hpp"

// One level of a reduction: blocks of 4096 terms. A result's 32 lanes are the 32 lanes of a warp, unless
// neighbouring results lie side by side: then a thread holds all 32 lanes of its result in registers, so
// that a warp reads 32 neighbouring results at once.

namespace parity::cuda {
namespace {

constexpr int lanes = 32;

/// A lane's or block's value joined to another's.
__device__ __forceinline__ float join(ReduceFunction function, float a, float b) {
  switch (function) {
    case ReduceFunction::max:
      return maximum(a, b);
    case ReduceFunction::min:
      return minimum(a, b);
    case ReduceFunction::product:
    case ReduceFunction::product_of_growth:
      return device::mul_rn(a, b);
    default:
      return device::add_rn(a, b);
  }
}

/// One element taken in.
__device__ __forceinline__ float take(ReduceFunction function, float acc, float x) {
  if (function == ReduceFunction::sum_of_squares) return device::fma_rn(x, x, acc);
  if (function == ReduceFunction::sum_of_magnitudes)
    x = device::float_of(device::bits_of(x) & 0x7fffffffU);
  if (function == ReduceFunction::product_of_growth && x < 1.0F) x = 1.0F;
  return join(function, acc, x);
}

/// What an empty lane holds. Of a selection the first term: it changes nothing.
__device__ __forceinline__ float nothing(const ReduceArgument& a, const float* x,
                                         std::int64_t first) {
  switch (a.function) {
    case ReduceFunction::max:
    case ReduceFunction::min:
      return x[offset_of(a.terms, a.term_steps, first)];
    case ReduceFunction::product:
    case ReduceFunction::product_of_growth:
      return 1.0F;
    default:
      return 0.0F;
  }
}

__device__ __forceinline__ float closed(const ReduceArgument& a, std::int64_t blocks, float value) {
  if (blocks != 1 || a.close == ReduceClose::nothing) return value;
  return a.close == ReduceClose::root ? device::sqrt_rn(value)
                                      : device::div_rn(value, static_cast<float>(a.divisor));
}

__global__ void __launch_bounds__(threads_per_block) reduce_by_warps(ReduceArgument a) {
  const std::int64_t blocks = (a.term_count + reduce_block - 1) / reduce_block;
  const int lane = static_cast<int>(device::thread_index().x % lanes);
  // The same for all lanes of a warp, so that they meet in the shuffles.
  const std::int64_t results = a.row_count * blocks * a.columns;
  for (std::int64_t i = first_index() / lanes; i < results; i += index_step() / lanes) {
    const std::int64_t j = i % a.columns, b = i / a.columns % blocks, row = i / a.columns / blocks;
    const float* const x = a.x + offset_of(a.rows, a.row_steps, row) + j;
    const std::int64_t first = b * reduce_block, last = first + reduce_block < a.term_count
                                                            ? first + reduce_block
                                                            : a.term_count;
    float acc = nothing(a, x, first);
    for (std::int64_t t = first + lane; t < last; t += lanes)
      acc = take(a.function, acc, x[offset_of(a.terms, a.term_steps, t)]);
    for (int d = lanes / 2; d > 0; d /= 2) acc = join(a.function, acc, device::shuffle_xor(acc, d));
    if (lane == 0) a.y[i] = closed(a, blocks, acc);
  }
}

__global__ void __launch_bounds__(threads_per_block) reduce_by_threads(ReduceArgument a) {
  const std::int64_t blocks = (a.term_count + reduce_block - 1) / reduce_block;
  const std::int64_t results = a.row_count * blocks * a.columns;
  for (std::int64_t i = first_index(); i < results; i += index_step()) {
    const std::int64_t j = i % a.columns, b = i / a.columns % blocks, row = i / a.columns / blocks;
    const float* const x = a.x + offset_of(a.rows, a.row_steps, row) + j;
    const std::int64_t first = b * reduce_block, last = first + reduce_block < a.term_count
                                                            ? first + reduce_block
                                                            : a.term_count;
    float acc[lanes];
    const float empty = nothing(a, x, first);
#pragma unroll
    for (int l = 0; l < lanes; ++l) acc[l] = empty;
    for (std::int64_t t = first; t < last; t += lanes) {
#pragma unroll
      for (int l = 0; l < lanes; ++l)
        if (t + l < last)
          acc[l] = take(a.function, acc[l], x[offset_of(a.terms, a.term_steps, t + l)]);
    }
    // acc_l += acc_(l xor d); only the lanes that reach lane 0 are needed.
#pragma unroll
    for (int d = lanes / 2; d > 0; d /= 2)
#pragma unroll
      for (int l = 0; l < d; ++l) acc[l] = join(a.function, acc[l], acc[l + d]);
    a.y[i] = closed(a, blocks, acc[0]);
  }
}

}  // namespace

Status launch_reduce(const Queue& queue, const ReduceArgument& a) {
  const std::int64_t results =
      a.row_count * a.columns * ((a.term_count + reduce_block - 1) / reduce_block);
  return a.columns >= lanes ? launch(queue, "reduce by threads", reduce_by_threads,
                                     blocks_for(results), {threads_per_block}, 0, a)
                            : launch(queue, "reduce by warps", reduce_by_warps,
                                     blocks_for(results * lanes), {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
