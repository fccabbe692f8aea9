#pragma once

#include <cstdint>
#include <span>

#include "model/arithmetic/tensor_core_step.hpp"
#include "model/numerics.hpp"

namespace parity {

/// The core behind `tensor:*`. Throws Fault::internal for every other algorithm.
const TensorCore& tensor_core(Algorithm algorithm);

/// The chain of steps over k ascending, starting from c. Lengths are equal; a last step of fewer
/// than KB products is filled up with zeros. Neither the filling up to groups of 8 nor the closing
/// addition of the contracts is done here.
std::uint32_t tensor_core_dot(const TensorCore& core, std::span<const std::uint32_t> a,
                              std::span<const std::uint32_t> b, std::uint32_t c = 0);

}  // namespace parity
