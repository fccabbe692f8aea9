#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/softmax.hpp"
#include "cuda/rows.hpp"

// A warp per row: its 32 lanes are those of `lanes32`. y holds the exponentials between the passes; each
// lane reads back only what it wrote.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) softmax(SoftmaxArgument a) {
  const int lane = static_cast<int>(device::thread_index().x % row_lanes);
  // The same for all lanes of a warp, so that they meet in the shuffles.
  for (std::int64_t row = first_index() / row_lanes; row < a.outer * a.inner;
       row += index_step() / row_lanes) {
    const std::int64_t base = row / a.inner * a.n * a.inner + row % a.inner;
    const float* const x = a.x + base;
    float* const y = a.y + base;
    float most = x[0];
    for (std::int64_t i = lane; i < a.n; i += row_lanes) most = maximum(most, x[i * a.inner]);
#pragma unroll
    for (int d = row_lanes / 2; d > 0; d /= 2) most = maximum(most, device::shuffle_xor(most, d));
    const float sum = lanes32<float>(a.n, lane, [&](float acc, std::int64_t i) {
      const float e = sequences::exp<DeviceArithmetic>(device::sub_rn(x[i * a.inner], most));
      y[i * a.inner] = e;
      return device::add_rn(acc, e);
    });
    const float logarithm = a.logarithm ? sequences::log<DeviceArithmetic>(sum) : 0.0F;
    for (std::int64_t i = lane; i < a.n; i += row_lanes) {
      const float value = x[i * a.inner];
      float& to = y[i * a.inner];
      if (a.logarithm)
        to = a.magnitudes
                 ? device::add_rn(device::add_rn(device::mul_rn(2.0F, device::sub_rn(most, value)),
                                                 device::mul_rn(4.0F, logarithm)),
                                  a.term)
                 : device::sub_rn(device::sub_rn(value, most), logarithm);
      else
        to = device::div_rn(to, sum);
      if (!a.logarithm && a.magnitudes) {
        const float below = device::sub_rn(most, value);
        to = device::mul_rn(to, device::add_rn(below > 105.0F ? 105.0F : below, a.term));
      }
    }
  }
}

}  // namespace

Status launch_softmax(const Queue& queue, const SoftmaxArgument& a) {
  return launch(queue, "softmax", softmax, blocks_for(a.outer * a.inner * row_lanes),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
