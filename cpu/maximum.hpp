#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace parity::cpu {

/// IEEE 754-2019 maximum: a NaN on either side gives NaN, +0 > -0. Without branches, so that loops
/// over it vectorise.
template <class T>
inline T maximum(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const bool positive = std::bit_cast<Bits>(b) >= 0;
  const bool take_b = (b > a) | (b != b) | ((b == a) & positive);
  return take_b ? b : a;
}

/// IEEE 754-2019 minimum: a NaN on either side gives NaN, -0 < +0.
template <class T>
inline T minimum(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const bool negative = std::bit_cast<Bits>(b) < 0;
  const bool take_b = (b < a) | (b != b) | ((b == a) & negative);
  return take_b ? b : a;
}

}  // namespace parity::cpu
