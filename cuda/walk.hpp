#pragma once

// Offsets of strided kernels; included by .cu files only.

#include "cuda/device.hpp"
#include "cuda/movement.hpp"

namespace parity::cuda {

/// Where element i of the walk lies by `steps`.
__device__ __forceinline__ std::int64_t offset_of(const Walk& walk, const Steps& steps,
                                                  std::int64_t i) {
  std::int64_t at = 0;
#pragma unroll 1
  for (int axis = walk.rank - 1; axis >= 0; --axis) {
    at += i % walk.extents[axis] * steps.of[axis];
    i /= walk.extents[axis];
  }
  return at;
}

}  // namespace parity::cuda
