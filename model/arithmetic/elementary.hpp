#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "model/arithmetic/sequences.hpp"

namespace parity::elementary {

// The elementary functions on the host. A sequence is locked by the checksum sum of bits(f(x_i)) *
// (2i + 1) mod 2^64 over all 2^32 inputs x_i with bits i (tests/model).

using sequences::canonical_nan;

/// The operations of sequences.hpp on the host, which is compiled without contraction.
struct HostArithmetic {
  static float fma_rn(float a, float b, float c) { return std::fma(a, b, c); }
  static constexpr float add_rn(float a, float b) { return a + b; }
  static constexpr float sub_rn(float a, float b) { return a - b; }
  static constexpr float mul_rn(float a, float b) { return a * b; }
  static constexpr float div_rn(float a, float b) { return a / b; }
  static constexpr std::uint32_t bits_of(float a) { return std::bit_cast<std::uint32_t>(a); }
  static constexpr float float_of(std::uint32_t a) { return std::bit_cast<float>(a); }
};

inline float exp_core(float x) { return sequences::exp_core<HostArithmetic>(x); }
inline float exp(float x) { return sequences::exp<HostArithmetic>(x); }
inline float sigmoid(float x) { return sequences::sigmoid<HostArithmetic>(x); }

/// The same in double for `fp64`, from libm: repeats run to run, not across machines.
inline double sigmoid(double x) {
  const double z = std::exp(-std::fabs(x));
  return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

}  // namespace parity::elementary
