#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

/// The elements of an axis that come first in the total order of model/arithmetic/total_order.hpp:
/// x {outer, extent, inner}; values and indices {outer, count, inner}, values null where nobody wants them.
struct TopKArgument {
  const float* x;
  float* values;
  std::int64_t* indices;
  std::int64_t outer, extent, inner, count;
  bool smallest;  ///< first is the smallest
  bool last;      ///< of equal ones the one with the highest index comes first
};
Status launch_top_k(const Queue& queue, const TopKArgument& argument);

}  // namespace parity::cuda
