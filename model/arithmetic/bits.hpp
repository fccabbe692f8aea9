#pragma once

#include <bit>
#include <cstdint>

#include "model/arithmetic/nan_bits.hpp"

namespace parity {

constexpr std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }
constexpr std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }
constexpr float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }
constexpr double double_of(std::uint64_t bits) { return std::bit_cast<double>(bits); }

constexpr std::uint32_t canonical_bits(float value) {
  return value != value ? nan_bits32 : bits_of(value);
}
constexpr std::uint64_t canonical_bits(double value) {
  return value != value ? nan_bits64 : bits_of(value);
}

constexpr float canonical_nan(float value) { return float_of(canonical_bits(value)); }
constexpr double canonical_nan(double value) { return double_of(canonical_bits(value)); }

/// relu of the lab: NaN passes, -0 becomes +0.
template <class T>
constexpr T relu(T x) {
  return x > 0 ? x : (x != x ? x : T{0});
}

}  // namespace parity
