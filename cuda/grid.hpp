#pragma once

// The grid of kernels that handle one element per thread at a time; included by .cu files only.

#include "cuda/device.hpp"

namespace parity::cuda {

inline constexpr unsigned threads_per_block = 256;
/// Enough blocks to fill any device; threads go on in steps of the whole grid.
inline constexpr std::int64_t most_blocks = 4096;

inline Extent blocks_for(std::int64_t count) {
  const std::int64_t blocks = (count + threads_per_block - 1) / threads_per_block;
  return {static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)};
}

/// What moves bits needs the width of its words alone: call(word) with an unsigned integer of so many bytes.
template <class Call>
Status with_word(int bytes, const Call& call) {
  if (bytes == 1) return call(std::uint8_t{});
  return bytes == 4 ? call(std::uint32_t{}) : call(std::uint64_t{});
}

/// The first element of this thread, and how far it is to its next.
__device__ __forceinline__ std::int64_t first_index() {
  return static_cast<std::int64_t>(device::block_index().x) * threads_per_block +
         device::thread_index().x;
}
__device__ __forceinline__ std::int64_t index_step() {
  return static_cast<std::int64_t>(device::grid_extent().x) * threads_per_block;
}

}  // namespace parity::cuda
