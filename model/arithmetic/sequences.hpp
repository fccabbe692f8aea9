#pragma once

#include <cstdint>

#include "model/arithmetic/nan_bits.hpp"

namespace parity::sequences {

// Elementary functions as sequences of IEEE operations, for every backend: C++17 templates over the
// operations `A` (fma_rn, add_rn, sub_rn, mul_rn, div_rn, bits_of, float_of), which device code
// instantiates with its own. Each operation is rounded to nearest even and each fused multiply-add is
// spelled, so they give the same bits everywhere. model/arithmetic/elementary.hpp has them for the host.

inline constexpr std::uint32_t canonical_nan = nan_bits32;

/// exp on [-104, 89] by x = n ln2 + r. No special cases; the caller clamps.
template <class A>
constexpr float exp_core(float x) {
  // Rounds x/ln2 to an integer in the low bits.
  const float t = A::fma_rn(x, 0x1.715476p+0F, 0x1.8p23F);
  const float n = A::sub_rn(t, 0x1.8p23F);
  const std::int32_t ni = static_cast<std::int32_t>(A::bits_of(t)) - 0x4b400000;
  float r = A::fma_rn(n, -0x1.62p-1F, x);
  r = A::fma_rn(n, -0x1.c85fep-10F, r);
  float q = A::fma_rn(0x1.6d10fcp-10F, r, 0x1.120b62p-7F);
  q = A::fma_rn(q, r, 0x1.55551ap-5F);
  q = A::fma_rn(q, r, 0x1.5554dep-3F);
  q = A::fma_rn(q, r, 0.5F);
  const float r2 = A::mul_rn(r, r);
  const float p = A::add_rn(A::fma_rn(q, r2, r), 1.0F);
  // 2^n in two factors, each a normal float, so that a subnormal result is rounded once, by the
  // last product.
  const std::int32_t a = ni >> 1;
  const std::int32_t b = ni - a;
  const float low = A::float_of(static_cast<std::uint32_t>(a + 127) << 23);
  const float high = A::float_of(static_cast<std::uint32_t>(b + 127) << 23);
  return A::mul_rn(A::mul_rn(p, low), high);
}

/// e^x. 1.1325 ULP at worst (x = 0xc290ddb7) over all inputs; checksum 73bf2bbb477cbafa.
template <class A>
constexpr float exp(float x) {
  if (x != x) return A::float_of(canonical_nan);
  const float low = x < -104.0F ? -104.0F : x;
  return exp_core<A>(low > 89.0F ? 89.0F : low);
}

/// 1 / (1 + e^-x). 2.4019 ULP at worst (x = 0xc085088d) over all inputs; checksum b4f304d7464a295b.
template <class A>
constexpr float sigmoid(float x) {
  if (x != x) return A::float_of(canonical_nan);
  const float magnitude = x < 0.0F ? -x : x;
  const float z = exp_core<A>(-(magnitude > 104.0F ? 104.0F : magnitude));
  return A::div_rn(x < 0.0F ? z : 1.0F, A::add_rn(1.0F, z));
}

}  // namespace parity::sequences
