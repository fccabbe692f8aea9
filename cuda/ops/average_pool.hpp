#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

/// The mean of each window's taps inside the image, channels-last: x {N, IH, IW, C}, y {N, OH, OW, C}. Taps
/// count up to row `first_row` … `last_row` and column `first_column` … `last_column`, not included: those of
/// the image, or of its pads as well.
struct AveragePoolArgument {
  const float* x;
  float* y;
  std::int64_t N, C, IH, IW, OH, OW;
  std::int64_t KH, KW, sh, sw, ph, pw, dh, dw;
  std::int64_t first_row, last_row, first_column, last_column;
};
Status launch_average_pool(const Queue& queue, const AveragePoolArgument& argument);

}  // namespace parity::cuda
