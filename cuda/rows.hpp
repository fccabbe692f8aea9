#pragma once

// Sums over a row by the 32 lanes of a warp; included by .cu files only.

#include "cuda/device.hpp"

namespace parity::cuda {

inline constexpr int row_lanes = 32;
inline constexpr std::int64_t row_block = 4096;

/// acc_l = add(acc_l, acc_(l xor d)), d = 16, 8, 4, 2, 1: the same bits in every lane.
template <class Real>
__device__ __forceinline__ Real joined(Real acc) {
#pragma unroll
  for (int d = row_lanes / 2; d > 0; d /= 2) acc = device::add_rn(acc, device::shuffle_xor(acc, d));
  return acc;
}

/// `lanes32` of n terms, fold(acc, i) taking term i into acc; every lane gets the sum. All lanes of the
/// warp call it together. Up to 2^36 terms.
template <class Real, class Fold>
__device__ __forceinline__ Real lanes32(std::int64_t n, int lane, const Fold& fold) {
  const auto block = [&](std::int64_t first) {
    const std::int64_t last = first + row_block < n ? first + row_block : n;
    Real acc{0};
    for (std::int64_t i = first + lane; i < last; i += row_lanes) acc = fold(acc, i);
    return joined(acc);
  };
  if (n <= row_block) return block(0);
  // The sums of blocks are a list, summed alike, and where those are more than 4096, theirs again.
  constexpr std::int64_t wide = row_block * row_block;
  Real outer{0};
  for (std::int64_t start = 0; start < n; start += wide) {
    Real inner{0};
    const std::int64_t end = start + wide < n ? start + wide : n;
    for (std::int64_t first = start; first < end; first += row_block) {
      const Real sum = block(first);
      if ((first - start) / row_block % row_lanes == lane) inner = device::add_rn(inner, sum);
    }
    inner = joined(inner);
    if (n <= wide) return inner;
    if (start / wide % row_lanes == lane) outer = device::add_rn(outer, inner);
  }
  return joined(outer);
}

}  // namespace parity::cuda
