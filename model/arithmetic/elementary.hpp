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
struct HostSpelling {
  static float fma_rn(float a, float b, float c) { return std::fma(a, b, c); }
  static constexpr float add_rn(float a, float b) { return a + b; }
  static constexpr float sub_rn(float a, float b) { return a - b; }
  static constexpr float mul_rn(float a, float b) { return a * b; }
  static constexpr float div_rn(float a, float b) { return a / b; }
  static float sqrt_rn(float a) { return std::sqrt(a); }
  static double fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
  static constexpr double add_rn(double a, double b) { return a + b; }
  static constexpr double sub_rn(double a, double b) { return a - b; }
  static constexpr double mul_rn(double a, double b) { return a * b; }
  static constexpr double div_rn(double a, double b) { return a / b; }
  static constexpr float narrow_rn(double a) { return static_cast<float>(a); }
  static constexpr std::uint32_t bits_of(float a) { return std::bit_cast<std::uint32_t>(a); }
  static constexpr float float_of(std::uint32_t a) { return std::bit_cast<float>(a); }
  static constexpr std::uint64_t bits_of(double a) { return std::bit_cast<std::uint64_t>(a); }
  static constexpr double double_of(std::uint64_t a) { return std::bit_cast<double>(a); }
};
using HostArithmetic = sequences::OneFloat<HostSpelling>;

inline float exp(float x) { return sequences::exp<HostArithmetic>(x); }
inline float sigmoid(float x) { return sequences::sigmoid<HostArithmetic>(x); }
inline float tanh(float x) { return sequences::tanh<HostArithmetic>(x); }
inline float erf(float x) { return sequences::erf<HostArithmetic>(x); }
inline float gelu(float x) { return sequences::gelu<HostArithmetic>(x); }
inline float gelu_tanh(float x) { return sequences::gelu_tanh<HostArithmetic>(x); }
inline float log(float x) { return sequences::log<HostArithmetic>(x); }
inline float softplus(float x) { return sequences::softplus<HostArithmetic>(x); }
inline float mish(float x) { return sequences::mish<HostArithmetic>(x); }
inline float sin(float x) { return sequences::sin<HostArithmetic>(x); }
inline float cos(float x) { return sequences::cos<HostArithmetic>(x); }
inline float pow(float x, float y) { return sequences::pow<HostArithmetic>(x, y); }

// The same in double for `fp64`, from libm: repeats run to run, not across machines.

inline double exp(double x) { return std::exp(x); }
inline double tanh(double x) { return std::tanh(x); }
inline double erf(double x) { return std::erf(x); }
inline double log(double x) { return std::log(x); }
inline double sin(double x) { return std::sin(x); }
inline double cos(double x) { return std::cos(x); }
inline double pow(double x, double y) { return std::pow(x, y); }
inline double sigmoid(double x) {
  const double z = std::exp(-std::fabs(x));
  return (x < 0.0 ? z : 1.0) / (1.0 + z);
}
/// By erfc, which does not cancel below 0.
inline double gelu(double x) { return 0.5 * x * std::erfc(-x * 0x1.6a09e667f3bcdp-1); }
inline double gelu_tanh(double x) {
  // (1 + tanh u) / 2 is sigmoid(2 u), which does not cancel below 0.
  return x * sigmoid(2 * 0x1.9884533d43651p-1 * x * (1 + 0.044715 * x * x));
}
inline double softplus(double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
inline double mish(double x) { return x * std::tanh(softplus(x)); }

}  // namespace parity::elementary
