#pragma once

#include <cstdint>
#include <span>

#include "model/numerics.hpp"

namespace parity {

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

/// The core behind `tensor:*`. Throws Fault::internal for every other algorithm.
const TensorCore& tensor_core(Algorithm algorithm);

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
std::uint32_t tensor_core_step(const TensorCore& core, const std::uint32_t* a,
                               const std::uint32_t* b, std::uint32_t c);

/// The chain of steps over k ascending, starting from c. Lengths are equal; a last step of fewer
/// than KB products is filled up with zeros. Neither the filling up to groups of 8 nor the closing
/// addition of the contracts is done here.
std::uint32_t tensor_core_dot(const TensorCore& core, std::span<const std::uint32_t> a,
                              std::span<const std::uint32_t> b, std::uint32_t c = 0);

}  // namespace parity
