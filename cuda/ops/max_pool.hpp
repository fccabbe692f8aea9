#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

/// The maximum over each window's taps inside the image, channels-last: x {N, IH, IW, C}, y {N, OH, OW, C}.
struct MaxPoolArgument {
  const float* x;
  float* y;
  std::int64_t N, C, IH, IW, OH, OW;
  std::int64_t KH, KW, sh, sw, ph, pw, dh, dw;
};
Status launch_max_pool(const Queue& queue, const MaxPoolArgument& argument);

}  // namespace parity::cuda
