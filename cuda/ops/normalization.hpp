#pragma once

#include <cstdint>

#include "cuda/api.hpp"
#include "model/arithmetic/normalization_bound.hpp"

namespace parity::cuda {

/// Row r = n * G + g, its element (c, p) at x[r * C * P + c * P + p], summed by (p, c), c innermost. Null
/// where an output, or beta, is absent.
struct NormalizationArgument {
  const float *x, *gamma, *beta;
  float *y, *mean, *q;
  std::int64_t rows, G, C, P;
  float count, epsilon;
  bool magnitudes;
  NormalizationBound bound;
};
Status launch_normalization(const Queue& queue, const NormalizationArgument& argument);

}  // namespace parity::cuda
