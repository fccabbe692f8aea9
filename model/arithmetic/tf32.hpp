#pragma once

#include <cstdint>

#include "model/rounding.hpp"

namespace parity {

/// The 13 low bits of a float32 that TF32 (1 sign, 8 exponent, 10 fraction bits) does not have.
inline constexpr std::uint32_t tf32_dropped_bits = 0x1fffU;

/// A float32 operand, as bits, brought to TF32: a float32 whose 13 low bits are zero.
///
/// Formula  rna       bits + 0x1000, low bits cleared: nearest, ties away from zero (PTX
/// `cvt.rna.tf32.f32`)
///          truncate  low bits cleared: toward zero, what a tensor core does to raw float32
///          rn        bits + 0xfff + (lowest kept bit), low bits cleared: nearest, ties to even
///                    (PTX `cvt.rn.tf32.f32`)
/// Range    A carry moves into the exponent, so the largest floats become infinity under rna and
/// rn, and
///          the largest subnormals become the smallest normal. Subnormals are rounded like all
///          others.
/// Special  Infinity and NaN only lose their low bits: the canonical NaN 0x7fffffff stays a NaN,
/// while a
///          NaN whose payload lies in the low bits alone becomes infinity, as on the device.
/// Error    |result - x| <= max(2^-11 |x|, 2^-137) for rna and rn, max(2^-10 |x|, 2^-136) for
/// truncate. Source   PTX ISA 8, `cvt`; the machine code of cvt.rna is exactly this addition and
/// mask.
///
/// Integer arithmetic on every backend, and idempotent: rounding twice is rounding once.
constexpr std::uint32_t round_to_tf32(std::uint32_t bits, Rounding rounding) {
  const bool finite = (bits & 0x7f800000U) != 0x7f800000U;
  std::uint32_t carry = 0;
  if (finite && rounding == Rounding::rna) carry = 0x1000U;
  if (finite && rounding == Rounding::rn) carry = 0xfffU + ((bits >> 13) & 1U);
  return (bits + carry) & ~tf32_dropped_bits;
}

}  // namespace parity
