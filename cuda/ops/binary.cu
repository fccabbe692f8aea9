#include "cuda/grid.hpp"
#include "cuda/ops/binary.hpp"
#include "cuda/walk.hpp"

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) binary(BinaryArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    const float x = a.a[offset_of(a.walk, a.a_steps, i)];
    const float y = a.b[offset_of(a.walk, a.b_steps, i)];
    a.y[i] = a.function == BinaryFunction::add ? device::add_rn(x, y) : device::mul_rn(x, y);
  }
}

}  // namespace

Status launch_binary(const Queue& queue, const BinaryArgument& argument) {
  return launch(queue, "binary", binary, blocks_for(argument.count), {threads_per_block}, 0,
                argument);
}

}  // namespace parity::cuda
