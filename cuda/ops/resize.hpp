#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

/// One axis of I elements becomes one of O: y[outer, o, inner] = the sum over t < taps, in order, of
/// x[outer, at[o * taps + t], inner] * weights[o * taps + t]; the first product is rounded, the others are
/// fused.
struct ResizeArgument {
  const float* x;
  float* y;
  std::int64_t outer, I, O, inner;
  int taps;
  const std::int64_t* at;
  const float* weights;
};
Status launch_resize(const Queue& queue, const ResizeArgument& argument);

}  // namespace parity::cuda
