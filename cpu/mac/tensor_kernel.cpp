#include "cpu/mac/tensor_kernel.hpp"

#include "cpu/mac/highway.hpp"
#include "model/arithmetic/tensor_core.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/mac/tensor_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<std::int32_t>;
using U32 = hn::ScalableTag<std::uint32_t>;
using U8 = hn::ScalableTag<std::uint8_t>;

/// Toward zero; only for |v| < 2^31, where Highway's ConvertTo would spend three more instructions
/// on the range.
HWY_INLINE hn::Vec<I32> truncate(hn::Vec<F32> v) {
#if HWY_TARGET == HWY_AVX3
  return hn::Vec<I32>{_mm512_cvttps_epi32(v.raw)};
#elif HWY_TARGET == HWY_AVX2
  return hn::Vec<I32>{_mm256_cvttps_epi32(v.raw)};
#else
  return hn::ConvertTo(I32(), v);
#endif
}

/// Integer to float, toward zero.
HWY_INLINE hn::Vec<F32> convert_toward_zero(hn::Vec<I32> v) {
#if HWY_TARGET == HWY_AVX3
  return hn::Vec<F32>{_mm512_cvt_roundepi32_ps(v.raw, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
#else
  // To nearest, and one unit in the last place back where that went outward.
  const hn::Vec<F32> nearest = hn::ConvertTo(F32(), v);
  const hn::Vec<I32> back = truncate(nearest);
  const auto outward = hn::VecFromMask(I32(), hn::Gt(hn::Abs(back), hn::Abs(v)));
  return hn::BitCast(F32(), hn::Add(hn::BitCast(I32(), nearest), outward));
#endif
}

template <Rounding rounding>
HWY_INLINE hn::Vec<U32> to_tf32(hn::Vec<U32> bits) {
  const U32 d;
  const auto kept = hn::Set(d, ~0x1fffU);
  if constexpr (rounding == Rounding::truncate) {
    return hn::And(bits, kept);
  } else {
    const auto field = hn::Set(d, 0x7f800000U);
    const auto finite = hn::VecFromMask(d, hn::Ne(hn::And(bits, field), field));
    auto carry = hn::Set(d, 0x1000U);
    if constexpr (rounding == Rounding::rn) {
      carry = hn::Add(hn::Set(d, 0xfffU), hn::And(hn::ShiftRight<13>(bits), hn::Set(d, 1U)));
    }
    return hn::And(hn::Add(bits, hn::And(carry, finite)), kept);
  }
}

template <Rounding rounding>
std::uint32_t gather_rounded(const float* from, std::int64_t count, float* to) {
  const U32 d;
  const F32 df;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto field = hn::Set(d, 0x7f800000U);
  auto largest = hn::Zero(d);
  const auto take = [&](const float* source, float* target) {
    const auto bits = to_tf32<rounding>(hn::BitCast(d, hn::LoadU(df, source)));
    hn::StoreU(hn::BitCast(df, bits), df, target);
    const auto exponent = hn::And(bits, field);
    largest = hn::Max(largest, hn::IfThenElseZero(hn::Ne(exponent, field), exponent));
  };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) take(from + i, to + i);
  if (i < count) {
    float tail[HWY_MAX_BYTES / sizeof(float)] = {};
    float rounded[HWY_MAX_BYTES / sizeof(float)];
    std::memcpy(tail, from + i, static_cast<std::size_t>(count - i) * sizeof(float));
    take(tail, rounded);
    const std::int64_t padded = (count + 7) / 8 * 8;
    for (std::int64_t j = i; j < padded; j += lanes) {
      std::memcpy(
          to + j, rounded,
          static_cast<std::size_t>(padded - j < lanes ? padded - j : lanes) * sizeof(float));
      std::memset(rounded, 0, sizeof(rounded));
    }
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest)) >> 23;
}

std::uint32_t gather(const float* from, std::int64_t count, Rounding rounding, float* to) {
  switch (rounding) {
    case Rounding::rna:
      return gather_rounded<Rounding::rna>(from, count, to);
    case Rounding::truncate:
      return gather_rounded<Rounding::truncate>(from, count, to);
    case Rounding::rn:
      return gather_rounded<Rounding::rn>(from, count, to);
  }
  return 0;
}

bool encode(const TensorPixel& pixel, std::int64_t groups, std::int32_t reference,
            std::int32_t lowest, float scale) {
  // Half a group on NEON, a group elsewhere.
  const hn::CappedTag<std::int32_t, 8> d;
  const hn::Rebind<float, decltype(d)> df;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto below = hn::Set(d, lowest - 1);
  const auto special = hn::Set(d, 255);
  const auto origin = hn::Set(d, reference);
  const auto factor = hn::Set(df, scale);
  std::uint8_t any_outside = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    unsigned nonzero = 0, outside = 0;
    for (std::int64_t half = 0; half < 8; half += lanes) {
      float* const a = pixel.a + g * 8 + half;
      const auto value = hn::LoadU(df, a);
      const auto magnitude = hn::BitCast(d, hn::Abs(value));
      const auto field = hn::ShiftRight<23>(magnitude);
      const auto present = hn::Gt(magnitude, hn::Zero(d));
      const auto inside = hn::And(hn::Gt(field, below), hn::Gt(special, field));
      std::uint8_t bits[8] = {};
      hn::StoreMaskBits(d, present, bits);
      nonzero |= unsigned{bits[0]} << half;
      hn::StoreMaskBits(d, hn::AndNot(inside, present), bits);
      outside |= bits[0];
      hn::StoreU(hn::DemoteTo(d8, hn::IfThenElseZero(present, hn::Sub(field, origin))), d8,
                 pixel.exponent + g * 8 + half);
      hn::StoreU(hn::Mul(value, factor), df, a);
    }
    pixel.nonzero[g] = static_cast<std::uint8_t>(nonzero);
    pixel.outside[g] = outside != 0 ? 1 : 0;
    any_outside |= pixel.outside[g];
  }
  return any_outside != 0;
}

/// Steps of one strip: `quarters` vectors, 16 columns apart, whose exponents share 32-bit lanes.
template <int block, int fraction_bits, int quarters>
HWY_INLINE void strip(const TensorPixel& pixel, const float* b, const std::uint8_t* deficit,
                      std::int64_t groups, float* acc) {
  const F32 df;
  const I32 di;
  const U8 d8;
  const auto field = hn::Set(di, 0x7f800000);
  const auto unit = hn::Set(di, (127 + fraction_bits) << 23);
  // The exponent byte of the smallest accumulator: it keeps D in range where all terms are zero.
  const auto least =
      hn::Set(d8, static_cast<std::uint8_t>(tensor_window::lowest_accumulator + 127));

  hn::Vec<F32> c0, c1, c2, c3;
  c0 = c1 = c2 = c3 = hn::Zero(df);
  c0 = hn::LoadU(df, acc);
  if constexpr (quarters > 1) c1 = hn::LoadU(df, acc + 16);
  if constexpr (quarters > 2) c2 = hn::LoadU(df, acc + 32);
  if constexpr (quarters > 3) c3 = hn::LoadU(df, acc + 48);

  for (std::int64_t g = 0; g < groups; ++g) {
    if (pixel.nonzero[g] == 0) continue;
    for (int first = 0; first < 8; first += block) {
      const float* const a = pixel.a + g * 8 + first;
      const std::uint8_t* const ea = pixel.exponent + g * 8 + first;
      const float* const rows = b + (g * 8 + first) * tensor_panel;
      const std::uint8_t* const eb = deficit + (g * 8 + first) * tensor_panel;

      // The largest exponent of the products, biased by 127, four columns to a 32-bit lane.
      auto largest = least;
      for (int k = 0; k < block; ++k) {
        largest = hn::Max(
            largest, hn::SaturatedSub(hn::Set(d8, ea[k]), hn::LoadU(d8, eb + k * tensor_panel)));
      }
      const auto packed = hn::BitCast(di, largest);

      hn::Vec<I32> d0, d1, d2, d3, s0, s1, s2, s3;
      d0 = d1 = d2 = d3 = s0 = s1 = s2 = s3 = hn::Zero(di);
      // D of the model: unit - exponent of emax; and the accumulator as the first addend.
      const auto open = [&](hn::Vec<I32> product, hn::Vec<F32> c, hn::Vec<I32>& delta,
                            hn::Vec<I32>& sum) HWY_ATTR {
        const auto bits = hn::BitCast(di, c);
        delta = hn::Sub(unit, hn::Max(hn::And(product, field), hn::And(bits, field)));
        sum = truncate(hn::BitCast(df, hn::Add(bits, delta)));
      };
      open(hn::ShiftLeft<23>(packed), c0, d0, s0);
      if constexpr (quarters > 1) open(hn::ShiftLeft<15>(packed), c1, d1, s1);
      if constexpr (quarters > 2) open(hn::ShiftLeft<7>(packed), c2, d2, s2);
      if constexpr (quarters > 3) open(hn::ShiftRight<1>(packed), c3, d3, s3);

      for (int k = 0; k < block; ++k) {
        const auto x = hn::Set(df, a[k]);
        const float* const row = rows + k * tensor_panel;
        const auto add = [&](const float* y, hn::Vec<I32> delta, hn::Vec<I32>& sum) HWY_ATTR {
          const auto product = hn::BitCast(di, hn::Mul(x, hn::LoadU(df, y)));
          sum = hn::Add(sum, truncate(hn::BitCast(df, hn::Add(product, delta))));
        };
        add(row, d0, s0);
        if constexpr (quarters > 1) add(row + 16, d1, s1);
        if constexpr (quarters > 2) add(row + 32, d2, s2);
        if constexpr (quarters > 3) add(row + 48, d3, s3);
      }

      // The sum times 2^(emax - F); a product, so that a sum of zero stays +0.
      const auto close = [&](hn::Vec<I32> sum, hn::Vec<I32> delta) HWY_ATTR {
        return hn::Mul(convert_toward_zero(sum),
                       hn::BitCast(df, hn::Sub(hn::Set(di, 127 << 23), delta)));
      };
      c0 = close(s0, d0);
      if constexpr (quarters > 1) c1 = close(s1, d1);
      if constexpr (quarters > 2) c2 = close(s2, d2);
      if constexpr (quarters > 3) c3 = close(s3, d3);
    }
  }

  hn::StoreU(c0, df, acc);
  if constexpr (quarters > 1) hn::StoreU(c1, df, acc + 16);
  if constexpr (quarters > 2) hn::StoreU(c2, df, acc + 32);
  if constexpr (quarters > 3) hn::StoreU(c3, df, acc + 48);
}

template <int block, int fraction_bits>
void accumulate(const TensorPixel& pixel, const TensorRows& rows, std::int64_t groups, int quarters,
                float* acc) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(F32()));
  for (std::int64_t column = 0; column < 16; column += lanes) {
    const float* const b = rows.b + column;
    const std::uint8_t* const deficit = rows.deficit + column * 4;
    switch (quarters) {
      case 1:
        strip<block, fraction_bits, 1>(pixel, b, deficit, groups, acc + column);
        break;
      case 2:
        strip<block, fraction_bits, 2>(pixel, b, deficit, groups, acc + column);
        break;
      case 3:
        strip<block, fraction_bits, 3>(pixel, b, deficit, groups, acc + column);
        break;
      default:
        strip<block, fraction_bits, 4>(pixel, b, deficit, groups, acc + column);
    }
  }
}

std::optional<TensorKernel> kernel(Algorithm algorithm) {
  if (algorithm == Algorithm::tensor_k4f24) {
    return TensorKernel{gather, encode, accumulate<k4f24.block, k4f24.fraction_bits>};
  }
  return TensorKernel{gather, encode, accumulate<k8f25.block, k8f25.fraction_bits>};
}

#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {

std::optional<TensorKernel> tensor_kernel(Algorithm algorithm, InstructionSet set) {
  using Find = std::optional<TensorKernel> (*)(Algorithm);
  const Find none = [](Algorithm) { return std::optional<TensorKernel>(); };
  return PARITY_WIDTHS(Find, none, kernel).at(set)(algorithm);
}

}  // namespace parity::cpu
#endif  // HWY_ONCE
