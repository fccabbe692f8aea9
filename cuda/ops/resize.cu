#include "cuda/grid.hpp"
#include "cuda/ops/resize.hpp"

// One thread per output, neighbours in memory side by side: reads and writes are coalesced but for the
// innermost axis itself. Memory-bound.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) resize(ResizeArgument a) {
  const std::int64_t count = a.outer * a.O * a.inner;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t j = i % a.inner, o = i / a.inner % a.O, outer = i / a.inner / a.O;
    const float* const x = a.x + outer * a.I * a.inner + j;
    const std::int64_t* const at = a.at + o * a.taps;
    const float* const w = a.weights + o * a.taps;
    float sum = device::mul_rn(x[at[0] * a.inner], w[0]);
#pragma unroll 1
    for (int t = 1; t < a.taps; ++t) sum = device::fma_rn(x[at[t] * a.inner], w[t], sum);
    a.y[i] = sum;
  }
}

}  // namespace

Status launch_resize(const Queue& queue, const ResizeArgument& a) {
  return launch(queue, "resize", resize, blocks_for(a.outer * a.O * a.inner), {threads_per_block},
                0, a);
}

}  // namespace parity::cuda
