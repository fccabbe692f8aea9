#include "cuda/arithmetic.hpp"
#include "cuda/elementwise.hpp"
#include "cuda/grid.hpp"

// Every elementwise op, alone or as the rest of an epilogue: one thread per element at a time, reads
// and writes coalesced. The bytes moved are the floor, 8 per element.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) elementwise(ElementwiseArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    const std::int64_t channel = i / a.inner % a.channels;
    float y = a.x[i];
#pragma unroll 1
    for (int step = 0; step < a.epilogue.count; ++step)
      y = apply_any(a.epilogue.steps[step], y, channel);
    a.y[i] = y;
  }
}

}  // namespace

Status launch_elementwise(const Queue& queue, const ElementwiseArgument& argument) {
  return launch(queue, "elementwise", elementwise, blocks_for(argument.count), {threads_per_block},
                0, argument);
}

}  // namespace parity::cuda
