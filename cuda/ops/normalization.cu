#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/normalization.hpp"
#include "cuda/rows.hpp"

// A warp per row: its 32 lanes are those of `lanes32`. Deviations are computed again in every pass
// rather than stored.

namespace parity::cuda {
namespace {

struct DoubleArithmetic {
  __host__ __device__ static double add(double a, double b) { return device::add_rn(a, b); }
  __host__ __device__ static double mul(double a, double b) { return device::mul_rn(a, b); }
  __host__ __device__ static double div(double a, double b) { return device::div_rn(a, b); }
  __host__ __device__ static double sqrt(double a) { return device::sqrt_rn(a); }
};

/// Where term i of a row lies.
__device__ __forceinline__ std::int64_t place(const NormalizationArgument& a, std::int64_t i) {
  return a.P == 1 ? i : i % a.C * a.P + i / a.C;
}

__device__ __forceinline__ float difference(float x, float mean) { return device::sub_rn(x, mean); }

__device__ __forceinline__ void normalize(const NormalizationArgument& a, std::int64_t row,
                                          int lane) {
  const std::int64_t n = a.C * a.P;
  const float* const x = a.x + row * n;
  const float sum = lanes32<float>(
      n, lane, [&](float acc, std::int64_t i) { return device::add_rn(acc, x[place(a, i)]); });
  const float mean = device::div_rn(sum, a.count);
  const float squares = lanes32<float>(n, lane, [&](float acc, std::int64_t i) {
    const float d = difference(x[place(a, i)], mean);
    return device::fma_rn(d, d, acc);
  });
  const float v = device::div_rn(squares, a.count);
  const float q = device::div_rn(1.0F, device::sqrt_rn(device::add_rn(v, a.epsilon)));
  if (lane == 0 && a.mean != nullptr) a.mean[row] = mean;
  if (lane == 0 && a.q != nullptr) a.q[row] = q;
  if (a.y == nullptr) return;
  for (std::int64_t i = lane; i < n; i += row_lanes) {
    const std::int64_t channel = row % a.G * a.C + i / a.P;
    const float z = device::mul_rn(difference(x[i], mean), q);
    a.y[row * n + i] = a.beta != nullptr ? device::fma_rn(z, a.gamma[channel], a.beta[channel])
                                         : device::mul_rn(z, a.gamma[channel]);
  }
}

__device__ __forceinline__ void magnitudes(const NormalizationArgument& a, std::int64_t row,
                                           int lane) {
  const std::int64_t n = a.C * a.P;
  const float* const x = a.x + row * n;
  const auto at = [&](std::int64_t i) { return static_cast<double>(x[place(a, i)]); };
  const double sum = lanes32<double>(
      n, lane, [&](double acc, std::int64_t i) { return device::add_rn(acc, at(i)); });
  const double mean = device::div_rn(sum, a.bound.count);
  const double absolute = lanes32<double>(n, lane, [&](double acc, std::int64_t i) {
    const double value = at(i);
    return device::add_rn(acc, value < 0 ? -value : value);
  });
  const double squares = lanes32<double>(n, lane, [&](double acc, std::int64_t i) {
    const double d = device::sub_rn(at(i), mean);
    return device::fma_rn(d, d, acc);
  });
  const NormalizedRow told = normalized_row<DoubleArithmetic>(a.bound, mean, absolute, squares);
  if (lane == 0 && a.mean != nullptr)
    a.mean[row] = device::narrow_rn(mean_magnitude<DoubleArithmetic>(told));
  if (lane == 0 && a.q != nullptr)
    a.q[row] = device::narrow_rn(deviation_magnitude<DoubleArithmetic>(told));
  if (a.y == nullptr) return;
  for (std::int64_t i = lane; i < n; i += row_lanes) {
    const std::int64_t channel = row % a.G * a.C + i / a.P;
    const double beta = a.beta != nullptr ? static_cast<double>(a.beta[channel]) : 0.0;
    a.y[row * n + i] = device::narrow_rn(normalized_magnitude<DoubleArithmetic>(
        told, static_cast<double>(x[i]), static_cast<double>(a.gamma[channel]), beta));
  }
}

__global__ void __launch_bounds__(threads_per_block) normalization(NormalizationArgument a) {
  const int lane = static_cast<int>(device::thread_index().x % row_lanes);
  // The same for all lanes of a warp, so that they meet in the shuffles.
  for (std::int64_t row = first_index() / row_lanes; row < a.rows;
       row += index_step() / row_lanes) {
    if (a.magnitudes)
      magnitudes(a, row, lane);
    else
      normalize(a, row, lane);
  }
}

}  // namespace

Status launch_normalization(const Queue& queue, const NormalizationArgument& a) {
  return launch(queue, "normalization", normalization, blocks_for(a.rows * row_lanes),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
