#pragma once

#include <limits>

namespace parity {

/// How Reading::magnitudes reads an operand of a MAC: max(|x|, 2^-126), so that the error of
/// rounding x to TF32, max(u_t|x|, 2^-137), is relative to it; infinity where that rounding
/// overflows, which makes the element judge nothing. NaN stays. C++17, so that device code calls it
/// too.
constexpr float magnitude_operand(float x) {
  const float m = x < 0 ? -x : x;
  if (m != m) return m;
  if (m >= 0x1.ffep127F) return std::numeric_limits<float>::infinity();
  return m < 0x1p-126F ? 0x1p-126F : m;
}

}  // namespace parity
