#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

/// Element i of row (outer, inner) is x[(outer * n + i) * inner_count + inner].
struct SoftmaxArgument {
  const float* x;
  float* y;
  std::int64_t outer, n, inner;
  bool logarithm, magnitudes;
  float term;  ///< of the magnitudes
};
Status launch_softmax(const Queue& queue, const SoftmaxArgument& argument);

}  // namespace parity::cuda
