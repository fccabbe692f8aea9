#pragma once

#include <cstdint>

#include "model/arithmetic/tf32.hpp"

namespace parity {

// The tensor core in integers, in C++17 and without a library, so that the processor's oracle and a
// GPU's reference kernels are one and the same code.

/// How many products a tensor core fuses, and how much of each it keeps.
struct TensorCore {
  int block;           ///< KB: products that one step adds to the accumulator
  int fraction_bits;   ///< F: bits kept below the largest exponent of a step
  int exponent_floor;  ///< no step aligns to an exponent below this
};

/// `tensor:k4f24`: mma.sync of sm_80, 86, 87, 89. `tensor:k8f25`: mma.sync, wgmma and tcgen05 of
/// sm_90, 100, 120.
inline constexpr TensorCore k4f24{4, 24, -132};
inline constexpr TensorCore k8f25{8, 25, -133};

/// Operands of one matrix instruction along k. A dot product is cut into groups of this many terms;
/// each group is 8 / KB steps.
inline constexpr int tensor_core_group = 8;

namespace tensor_core_detail {

inline constexpr std::uint32_t sign_bit = 0x80000000U;
inline constexpr std::uint32_t infinity = 0x7f800000U;
inline constexpr std::uint32_t canonical_nan = 0x7fffffffU;

enum class Kind { zero, finite, infinite, nan };

/// A float32 taken apart: |value| = significand * 2^(exponent - 23).
struct Operand {
  Kind kind;
  std::uint32_t sign;  ///< sign_bit or 0
  int exponent;
  std::uint32_t significand;
};

constexpr Operand decode(std::uint32_t bits) {
  const std::uint32_t sign = bits & sign_bit;
  const std::uint32_t fraction = bits & 0x7fffffU;
  const int field = static_cast<int>((bits >> 23) & 0xffU);
  if (field == 0xff) return {fraction != 0 ? Kind::nan : Kind::infinite, sign, 0, 0};
  if (field == 0) return {fraction != 0 ? Kind::finite : Kind::zero, sign, -126, fraction};
  return {Kind::finite, sign, field - 127, fraction | 0x800000U};
}

/// One addend of a step: |value| = significand * 2^(exponent - fraction_bits).
struct Term {
  std::uint32_t sign;
  int exponent;
  int fraction_bits;
  std::uint64_t significand;
};

/// What the special values of a step decide before any number is added.
struct Specials {
  bool nan = false, positive_infinity = false, negative_infinity = false;

  constexpr void add_infinity(std::uint32_t sign) {
    (sign != 0 ? negative_infinity : positive_infinity) = true;
  }
  constexpr bool any() const { return nan || positive_infinity || negative_infinity; }
  constexpr std::uint32_t result() const {
    if (nan || (positive_infinity && negative_infinity)) return canonical_nan;
    return positive_infinity ? infinity : infinity | sign_bit;
  }
};

constexpr int larger(int a, int b) { return a > b ? a : b; }

/// Bits up to the highest that is set.
constexpr int bit_width(std::uint64_t value) {
  int width = 0;
  for (int half = 32; half > 0; half /= 2) {
    if (value >> half == 0) continue;
    value >>= half;
    width += half;
  }
  return value == 0 ? 0 : width + 1;
}

/// RZ(sum * 2^lsb) as float32.
constexpr std::uint32_t round_toward_zero(std::int64_t sum, int lsb) {
  if (sum == 0) return 0;
  const std::uint32_t sign = sum < 0 ? sign_bit : 0;
  const auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
  const int exponent = bit_width(magnitude) - 1 + lsb;
  if (exponent > 127) return sign | infinity;
  const int drop = larger(exponent, -126) - 23 - lsb;  // bits below the last place of the result
  const std::uint64_t kept = drop >= 64 ? 0 : drop >= 0 ? magnitude >> drop : magnitude << -drop;
  // A subnormal has no hidden bit and the exponent field 0; one that vanishes leaves its sign.
  if (exponent < -126) return sign | static_cast<std::uint32_t>(kept);
  return sign | static_cast<std::uint32_t>(exponent + 127) << 23 |
         (static_cast<std::uint32_t>(kept) & 0x7fffffU);
}

}  // namespace tensor_core_detail

/// One step of a TF32 tensor core, bit for bit, in integers: the oracle that every fast path must
/// equal.
///
/// Formula  d = RZ(c' + sum over k < KB of (a_k b_k)'), where ' is truncation toward zero to a
/// multiple of
///          2^(emax - F) and RZ rounds the exact sum toward zero to float32.
/// Shapes   a, b: KB float32 bit patterns whose 13 low bits are ignored; c, d: float32 bit
/// patterns. Order    1. A NaN operand, infinity times zero, or infinities of both signs among the
/// products and c give
///             0x7fffffff; otherwise an infinity gives itself. A finite product is never infinite
///             by itself.
///          2. Terms that are zero take no part. A product keeps its 22-bit significand
///          unnormalised, so its
///             exponent is e_a + e_b even where the significand lies in [2, 4); subnormal operands
///             have the exponent -126 and no hidden bit.
///          3. emax is the largest exponent among c and the products, at least `exponent_floor`.
///          4. Every magnitude is shifted to the unit 2^(emax - F) and cut there: no guard bit, no
///          sticky bit.
///          5. The signed sum is exact, then rounded toward zero to float32. Subnormal results are
///          kept; a
///             magnitude of 2^128 or more becomes infinity, not the largest float.
///          6. A sum of exactly zero is +0, also when every term is -0. A sum that is not zero but
///          below 2^-149
///             keeps its sign: -0 for a negative one.
/// Error    |d - exact| <= ((KB + 1) 2^-F + 2^-23) (|c| + sum |a_k b_k|) + 2^-149: KB + 1
/// truncations of less than
///          2^(emax - F) each, and one rounding toward zero.
/// Source   Xie et al., arXiv:2511.10909; Khattak and Mikaitis, arXiv:2512.07004; Fasi et al.,
/// PeerJ CS 7:e330.
///
/// Consequence of 2 and 4, used by implementations: KB zero products leave every finite c except -0
/// as it is (c is a multiple of its own unit), and turn -0 into +0.
constexpr std::uint32_t tensor_core_step(const TensorCore& core, const std::uint32_t* a,
                                         const std::uint32_t* b, std::uint32_t c) {
  using namespace tensor_core_detail;
  Term terms[tensor_core_group + 1]{};
  int count = 0;
  Specials specials;

  const Operand accumulator = decode(c);
  if (accumulator.kind == Kind::nan) specials.nan = true;
  if (accumulator.kind == Kind::infinite) specials.add_infinity(accumulator.sign);
  if (accumulator.kind == Kind::finite) {
    terms[count++] = {accumulator.sign, accumulator.exponent, 23, accumulator.significand};
  }
  for (int k = 0; k < core.block; ++k) {
    const Operand x = decode(a[k] & ~tf32_dropped_bits);
    const Operand y = decode(b[k] & ~tf32_dropped_bits);
    const std::uint32_t sign = x.sign ^ y.sign;
    if (x.kind == Kind::nan || y.kind == Kind::nan) {
      specials.nan = true;
    } else if (x.kind == Kind::infinite || y.kind == Kind::infinite) {
      if (x.kind == Kind::zero || y.kind == Kind::zero) {
        specials.nan = true;
      } else {
        specials.add_infinity(sign);
      }
    } else if (x.kind == Kind::finite && y.kind == Kind::finite) {
      // 11-bit significands with 10 fraction bits each, so the product has 20 and is not
      // renormalised.
      const std::uint64_t product = std::uint64_t{x.significand >> 13} * (y.significand >> 13);
      terms[count++] = {sign, x.exponent + y.exponent, 20, product};
    }
  }
  if (specials.any()) return specials.result();

  int emax = core.exponent_floor;
  for (int t = 0; t < count; ++t) emax = larger(emax, terms[t].exponent);

  const int lsb = emax - core.fraction_bits;
  std::int64_t sum = 0;
  for (int t = 0; t < count; ++t) {
    const Term& term = terms[t];
    const int shift =
        term.exponent - term.fraction_bits - lsb;  // at most F - 20: 27 bits hold any term
    const std::uint64_t aligned = shift >= 0     ? term.significand << shift
                                  : shift <= -64 ? 0
                                                 : term.significand >> -shift;
    sum +=
        term.sign != 0 ? -static_cast<std::int64_t>(aligned) : static_cast<std::int64_t>(aligned);
  }
  return round_toward_zero(sum, lsb);
}

}  // namespace parity
