#pragma once

#include <cstdint>

namespace parity {

// What casts make of an element (model/ops/cast.hpp). C++17, so that device code calls it too.

/// x cut toward zero into [least, most]; NaN is 0. The ends must be -2^k and 2^k - 1.
template <class Real>
constexpr std::int64_t truncated(Real x, std::int64_t least, std::int64_t most) {
  if (x != x) return 0;
  const Real end = -static_cast<Real>(least);  // 2^k, exact
  if (x >= end) return most;
  if (x <= -end) return least;
  return static_cast<std::int64_t>(x);
}

/// The low 32 bits, as a signed number.
constexpr std::int64_t low_32_bits(std::int64_t x) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(x)));
}

}  // namespace parity
