#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace parity::elementary {

// Every backend computes these functions by the same sequence of IEEE operations, each rounded to
// nearest even, with each fused multiply-add spelled; so they give the same bits everywhere. A
// sequence is locked by the checksum sum of bits(f(x_i)) * (2i + 1) mod 2^64 over all 2^32 inputs
// x_i with bits i (tests/model).

inline constexpr std::uint32_t canonical_nan = 0x7fffffff;

/// exp on [-104, 89] by x = n ln2 + r. No special cases; the caller clamps.
inline float exp_core(float x) {
  const float t =
      std::fma(x, 0x1.715476p+0F, 0x1.8p23F);  // rounds x/ln2 to an integer in the low bits
  const float n = t - 0x1.8p23F;
  const std::int32_t ni = std::bit_cast<std::int32_t>(t) - 0x4b400000;
  float r = std::fma(n, -0x1.62p-1F, x);
  r = std::fma(n, -0x1.c85fep-10F, r);
  float q = std::fma(0x1.6d10fcp-10F, r, 0x1.120b62p-7F);
  q = std::fma(q, r, 0x1.55551ap-5F);
  q = std::fma(q, r, 0x1.5554dep-3F);
  q = std::fma(q, r, 0.5F);
  const float r2 = r * r;
  const float p = std::fma(q, r2, r) + 1.0F;
  // 2^n in two factors, each a normal float, so that a subnormal result is rounded once, by the
  // last product.
  const std::int32_t a = ni >> 1;
  const std::int32_t b = ni - a;
  return (p * std::bit_cast<float>((a + 127) << 23)) * std::bit_cast<float>((b + 127) << 23);
}

/// e^x. 1.1325 ULP at worst (x = 0xc290ddb7) over all inputs; checksum 73bf2bbb477cbafa.
inline float exp(float x) {
  if (x != x) return std::bit_cast<float>(canonical_nan);
  const float low = x < -104.0F ? -104.0F : x;
  return exp_core(low > 89.0F ? 89.0F : low);
}

/// 1 / (1 + e^-x). 2.4019 ULP at worst (x = 0xc085088d) over all inputs; checksum b4f304d7464a295b.
inline float sigmoid(float x) {
  if (x != x) return std::bit_cast<float>(canonical_nan);
  const float magnitude = std::fabs(x);
  const float z = exp_core(-(magnitude > 104.0F ? 104.0F : magnitude));
  return (x < 0.0F ? z : 1.0F) / (1.0F + z);
}

/// The same in double for `fp64`, from libm: repeats run to run, not across machines.
inline double sigmoid(double x) {
  const double z = std::exp(-std::fabs(x));
  return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

}  // namespace parity::elementary
