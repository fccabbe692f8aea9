#include "cuda/grid.hpp"
#include "cuda/ops/top_k.hpp"
#include "model/arithmetic/total_order.hpp"

// One element of each axis (ArgMax): a warp per result, its lanes in steps of 32, then an exchange. More: a
// thread per element counts the elements that come before it, which is its place; extent^2 comparisons, and
// no order of threads can change the answer.

namespace parity::cuda {
namespace {

constexpr int lanes = 32;

__device__ __forceinline__ std::uint32_t key(const TopKArgument& a, std::int64_t at) {
  const std::uint32_t order = total_order(device::bits_of(a.x[at]));
  return a.smallest ? ~order : order;
}

/// Whether the element of index i comes before that of index j.
__device__ __forceinline__ bool before(const TopKArgument& a, std::uint32_t key_i, std::int64_t i,
                                       std::uint32_t key_j, std::int64_t j) {
  return key_i != key_j ? key_i > key_j : a.last ? i > j : i < j;
}

__global__ void __launch_bounds__(threads_per_block) first_of_axis(TopKArgument a) {
  const std::int64_t lane = device::thread_index().x % lanes;
  // The same for all lanes of a warp, so that they meet in the shuffles.
  for (std::int64_t r = first_index() / lanes; r < a.outer * a.inner; r += index_step() / lanes) {
    const std::int64_t start = r / a.inner * a.extent * a.inner + r % a.inner;
    // A lane beyond the axis holds the first element, which changes nothing.
    std::int64_t best = lane < a.extent ? lane : 0;
    std::uint32_t best_key = key(a, start + best * a.inner);
    for (std::int64_t i = lane + lanes; i < a.extent; i += lanes) {
      const std::uint32_t key_i = key(a, start + i * a.inner);
      if (!before(a, key_i, i, best_key, best)) continue;
      best = i;
      best_key = key_i;
    }
    for (int d = lanes / 2; d > 0; d /= 2) {
      const std::uint32_t other_key = device::shuffle_xor(best_key, d);
      const std::int64_t other = device::shuffle_xor(best, d);
      if (!before(a, other_key, other, best_key, best)) continue;
      best = other;
      best_key = other_key;
    }
    if (lane != 0) continue;
    a.indices[r] = best;
    if (a.values != nullptr) a.values[r] = a.x[start + best * a.inner];
  }
}

__global__ void __launch_bounds__(threads_per_block) ranked(TopKArgument a) {
  const std::int64_t count = a.outer * a.extent * a.inner;
  for (std::int64_t at = first_index(); at < count; at += index_step()) {
    const std::int64_t j = at % a.inner, i = at / a.inner % a.extent,
                       outer = at / a.inner / a.extent;
    const std::int64_t start = outer * a.extent * a.inner + j;
    const std::uint32_t own = key(a, at);
    std::int64_t place = 0;
    for (std::int64_t other = 0; other < a.extent && place < a.count; ++other)
      place += before(a, key(a, start + other * a.inner), other, own, i) ? 1 : 0;
    if (place >= a.count) continue;
    const std::int64_t to = (outer * a.count + place) * a.inner + j;
    a.indices[to] = i;
    if (a.values != nullptr) a.values[to] = a.x[at];
  }
}

}  // namespace

Status launch_top_k(const Queue& queue, const TopKArgument& a) {
  if (a.count == 1)
    return launch(queue, "first of axis", first_of_axis, blocks_for(a.outer * a.inner * lanes),
                  {threads_per_block}, 0, a);
  return launch(queue, "top k", ranked, blocks_for(a.outer * a.extent * a.inner),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
