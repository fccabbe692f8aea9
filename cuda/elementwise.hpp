#pragma once

#include <cstdint>

#include "cuda/api.hpp"
#include "cuda/epilogue.hpp"

namespace parity::cuda {

/// y[i] = the epilogue's steps on x[i], i < count; the channel of element i is (i / inner) % channels.
/// x and y may be the same.
struct ElementwiseArgument {
  const float* x;
  float* y;
  std::int64_t count;
  std::int64_t inner;  ///< 1 when channels are the last axis in memory
  std::int64_t channels;
  Epilogue epilogue;
};
Status launch_elementwise(const Queue& queue, const ElementwiseArgument& argument);

}  // namespace parity::cuda
