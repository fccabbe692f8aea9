#include "bench/cuda_peak.hpp"
#include "cuda/device.hpp"

namespace parity::bench {
namespace {

namespace device = cuda::device;

struct PeakArgument {
  float* sink;
  int rounds;
};

constexpr int threads = 256, blocks_each = 4;  ///< of a multiprocessor
constexpr int chains = 16;                     ///< independent sums of a thread
constexpr int tiles = 8;                       ///< independent accumulators of a warp
constexpr int unrolled = 8;

/// Where this thread leaves its result, so that the compiler keeps the work.
__device__ __forceinline__ float* place(const PeakArgument& a) {
  return a.sink + device::block_index().x * threads + device::thread_index().x;
}

__global__ void __launch_bounds__(threads) fma_peak(PeakArgument a) {
  float sum[chains];
  const float x = 1.0F / (1 + device::thread_index().x), y = x * 0.5F;
#pragma unroll
  for (int i = 0; i < chains; ++i) sum[i] = x * i;
  for (int r = 0; r < a.rounds; ++r) {
#pragma unroll
    for (int u = 0; u < unrolled; ++u)
#pragma unroll
      for (int i = 0; i < chains; ++i) sum[i] = device::fma_rn(sum[i], x, y);
  }
  float all = 0;
#pragma unroll
  for (int i = 0; i < chains; ++i) all = device::add_rn(all, sum[i]);
  *place(a) = all;
}

__global__ void __launch_bounds__(threads) tensor_core_peak(PeakArgument a) {
  float sum[tiles][4] = {};
  const std::uint32_t one = device::bits_of(1.0F);
  const std::uint32_t x[4] = {one, one, one, one}, w[2] = {one, one};
  for (int r = 0; r < a.rounds; ++r) {
#pragma unroll
    for (int u = 0; u < unrolled; ++u)
#pragma unroll
      for (int i = 0; i < tiles; ++i) device::mma_m16n8k8(sum[i], x, w);
  }
  float all = 0;
#pragma unroll
  for (int i = 0; i < tiles; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) all = device::add_rn(all, sum[i][j]);
  *place(a) = all;
}

}  // namespace

cuda::Status launch_peak(const cuda::Queue& queue, Peak peak, int multiprocessors, int rounds,
                         float* sink, double* operations) {
  const int blocks = multiprocessors * blocks_each;
  const double all_threads = static_cast<double>(blocks) * threads;
  const cuda::Extent grid{static_cast<unsigned>(blocks)}, block{threads};
  if (peak == Peak::fma) {
    *operations = 2.0 * all_threads * rounds * unrolled * chains;
    return cuda::launch(queue, "fma peak", fma_peak, grid, block, 0, PeakArgument{sink, rounds});
  }
  *operations = 2.0 * all_threads / 32 * rounds * unrolled * tiles * 16 * 8 * 8;
  return cuda::launch(queue, "tensor-core peak", tensor_core_peak, grid, block, 0,
                      PeakArgument{sink, rounds});
}

}  // namespace parity::bench
