#pragma once

#include <algorithm>
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

/// One epilogue step of any kind.
inline float step(EpilogueKind kind, float y, float a, float b) {
  return sequences::any_step<HostArithmetic>(kind, y, a, b);
}

inline float exp(float x) { return sequences::exp<HostArithmetic>(x); }
inline float sigmoid(float x) { return sequences::sigmoid<HostArithmetic>(x); }
inline float tanh(float x) { return sequences::tanh<HostArithmetic>(x); }
inline float erf(float x) { return sequences::erf<HostArithmetic>(x); }
inline float gelu(float x) { return sequences::gelu<HostArithmetic>(x); }
inline float log(float x) { return sequences::log<HostArithmetic>(x); }

// The same in double for `fp64`, from libm: repeats run to run, not across machines.

inline double exp(double x) { return std::exp(x); }
inline double tanh(double x) { return std::tanh(x); }
inline double erf(double x) { return std::erf(x); }
inline double log(double x) { return std::log(x); }
inline double sigmoid(double x) {
  const double z = std::exp(-std::fabs(x));
  return (x < 0.0 ? z : 1.0) / (1.0 + z);
}
/// By erfc, which does not cancel below 0.
inline double gelu(double x) { return 0.5 * x * std::erfc(-x * 0x1.6a09e667f3bcdp-1); }
/// (1 + tanh u) / 2 is sigmoid(2u), which does not cancel below 0.
inline double gelu_tanh(double x) {
  return x * sigmoid(2 * 0x1.9884533d43651p-1 * x * (1 + 0.044715 * x * x));
}
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

/// The operations of sequences-inl.hpp on one double, as far as steps ask for them.
struct DoubleArithmetic {
  using F = double;

  static double fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
  static double add_rn(double a, double b) { return a + b; }
  static double sub_rn(double a, double b) { return a - b; }
  static double mul_rn(double a, double b) { return a * b; }
  static double div_rn(double a, double b) { return a / b; }
  static double sqrt_rn(double a) { return std::sqrt(a); }
  static double bits_and(double a, double b) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(a) & std::bit_cast<std::uint64_t>(b));
  }
  static double bits_or(double a, double b) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(a) | std::bit_cast<std::uint64_t>(b));
  }
  static double abs(double a) { return std::fabs(a); }
  static double neg(double a) { return -a; }
  static bool less(double a, double b) { return a < b; }
  static bool less_equal(double a, double b) { return a <= b; }
  static bool is_nan(double a) { return a != a; }
  static double select(bool condition, double yes, double no) { return condition ? yes : no; }
};

/// One epilogue step of any kind in double.
template <EpilogueKind kind>
double step(double y, double a, double b) {
  using K = EpilogueKind;
  if constexpr (kind == K::floor)
    return std::floor(y);
  else if constexpr (kind == K::ceil)
    return std::ceil(y);
  else if constexpr (kind == K::round)
    return std::nearbyint(y);
  else if constexpr (kind == K::sigmoid)
    return sigmoid(y);
  else if constexpr (kind == K::swish)
    return y * sigmoid(a * y);
  else if constexpr (kind == K::tanh)
    return std::tanh(y);
  else if constexpr (kind == K::erf)
    return std::erf(y);
  else if constexpr (kind == K::gelu)
    return gelu(y);
  else if constexpr (kind == K::gelu_tanh)
    return gelu_tanh(y);
  else if constexpr (kind == K::exp)
    return std::exp(y);
  else if constexpr (kind == K::log)
    return std::log(y);
  else if constexpr (kind == K::softplus)
    return softplus(y);
  else if constexpr (kind == K::mish)
    return y < -750 ? -0.0 : y * std::tanh(softplus(y));  // the limit, at -infinity too
  else if constexpr (kind == K::elu)
    return y > 0 ? y : a * std::expm1(y);
  else if constexpr (kind == K::selu)
    return y > 0 ? b * y : a * b * std::expm1(y);
  else if constexpr (kind == K::celu)
    return y > 0 ? y : a * std::expm1(y / a);
  else if constexpr (kind == K::sin)
    return std::sin(y);
  else if constexpr (kind == K::cos)
    return std::cos(y);
  else if constexpr (kind == K::pow)
    return a == 0.5 ? std::sqrt(y) : std::pow(y, a);
  else if constexpr (is_correct(kind))
    return step<own_of(kind)>(y, 1, b);
  else
    return sequences::step<DoubleArithmetic, kind>(y, a, b);
}
inline double step(EpilogueKind kind, double y, double a, double b) {
  return with_kind(kind, [&](auto known) { return step<decltype(known)::value>(y, a, b); });
}

}  // namespace parity::elementary
