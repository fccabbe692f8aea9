#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/tensor.hpp"

namespace parity {

/// A stream of random numbers addressed by index: the same everywhere, in any order, from any
/// thread.
class Counter {
 public:
  explicit Counter(std::uint64_t seed, std::string_view stream = {});
  std::uint64_t bits(std::uint64_t index) const;  ///< 64 uniform bits
  double uniform(std::uint64_t index) const;      ///< [0, 1)
  /// Twelve 32-bit uniforms minus six, in double: mean 0, variance 1, no libm.
  double normal(std::uint64_t index) const;

 private:
  std::uint64_t key_;
};

/// A tensor for a test or bench case. exact: integers in [-4, 4], some zero; real: normals;
/// hostile: NaN, infinities, signed zeros, subnormals, values from 2^-140 to 2^120 and cancelling
/// pairs among normals. int64: indices, whole numbers from -4 to 4 whatever the fill; boolean: either.
Tensor filled(const TensorType& type, Fill fill, std::uint64_t seed);

}  // namespace parity
