// The epilogue on vectors, compiled once per Highway target by the files that include it (their own
// foreach_target).

#include <algorithm>
#include <cstring>
#include <span>

#include "cpu/epilogue.hpp"
#include "hwy/highway.h"
#include "model/arithmetic/elementary.hpp"

#if defined(PARITY_CPU_EPILOGUE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PARITY_CPU_EPILOGUE_INL
#undef PARITY_CPU_EPILOGUE_INL
#else
#define PARITY_CPU_EPILOGUE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace hn = hwy::HWY_NAMESPACE;

/// The first `count` lanes from memory, the rest zero; reads nothing beyond them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_some(D d, const T* from, std::size_t count) {
  if (count >= hn::Lanes(d)) return hn::LoadU(d, from);
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)] = {};
  std::memcpy(buffer, from, count * sizeof(T));
  return hn::Load(d, buffer);
}

/// Writes the first `count` lanes and nothing beyond them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_some(D d, hn::Vec<D> v, T* to, std::size_t count) {
  if (count >= hn::Lanes(d)) return hn::StoreU(v, d, to);
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, buffer);
  std::memcpy(to, buffer, count * sizeof(T));
}

/// elementary::exp_core, operation for operation.
template <class D>
HWY_INLINE hn::Vec<D> exp_core(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  const auto magic = hn::Set(d, 0x1.8p23F);
  const auto t = hn::MulAdd(x, hn::Set(d, 0x1.715476p+0F), magic);
  const auto n = hn::Sub(t, magic);
  const auto ni = hn::Sub(hn::BitCast(di, t), hn::Set(di, 0x4b400000));
  auto r = hn::MulAdd(n, hn::Set(d, -0x1.62p-1F), x);
  r = hn::MulAdd(n, hn::Set(d, -0x1.c85fep-10F), r);
  auto q = hn::MulAdd(hn::Set(d, 0x1.6d10fcp-10F), r, hn::Set(d, 0x1.120b62p-7F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.55551ap-5F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.5554dep-3F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.5F));
  const auto r2 = hn::Mul(r, r);
  const auto p = hn::Add(hn::MulAdd(q, r2, r), hn::Set(d, 1.0F));
  const auto a = hn::ShiftRight<1>(ni);
  const auto b = hn::Sub(ni, a);
  const auto bias = hn::Set(di, 127);
  return hn::Mul(hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(a, bias)))),
                 hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(b, bias))));
}

/// elementary::exp.
template <class D>
HWY_INLINE hn::Vec<D> exp(D d, hn::Vec<D> x) {
  const auto nan = hn::BitCast(d, hn::Set(hn::RebindToUnsigned<D>(), elementary::canonical_nan));
  const auto low = hn::Set(d, -104.0F), high = hn::Set(d, 89.0F);
  auto clamped = hn::IfThenElse(hn::Lt(x, low), low, x);
  clamped = hn::IfThenElse(hn::Gt(clamped, high), high, clamped);
  return hn::IfThenElse(hn::IsNaN(x), nan, exp_core(d, clamped));
}

/// elementary::sigmoid.
template <class D>
HWY_INLINE hn::Vec<D> sigmoid(D d, hn::Vec<D> x) {
  const auto nan = hn::BitCast(d, hn::Set(hn::RebindToUnsigned<D>(), elementary::canonical_nan));
  const auto limit = hn::Set(d, 104.0F), one = hn::Set(d, 1.0F);
  const auto magnitude = hn::Abs(x);
  const auto clamped = hn::IfThenElse(hn::Gt(magnitude, limit), limit, magnitude);
  const auto z = exp_core(d, hn::Neg(clamped));
  const auto above = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), z, one);
  return hn::IfThenElse(hn::IsNaN(x), nan, hn::Div(above, hn::Add(one, z)));
}

/// x > 0 ? x : (x != x ? x : +0): a NaN is not <= 0 and passes.
template <class D>
HWY_INLINE hn::Vec<D> relu(D d, hn::Vec<D> x) {
  return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x);
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> epilogue_operand(D d, const std::vector<T>& values, std::size_t channel,
                                       std::size_t count) {
  return values.size() == 1 ? hn::Set(d, values[0]) : load_some(d, values.data() + channel, count);
}

/// Applies the steps to `count` channels, numbered from `channel`, of each of `rows` rows.
template <class T>
HWY_INLINE void apply_rows(std::span<const EpilogueStep<T>> epilogue, T* const* y, int rows,
                           std::size_t count, std::size_t channel) {
  using Kind = typename EpilogueStep<T>::Kind;
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  for (const EpilogueStep<T>& step : epilogue) {
    for (std::size_t i = 0; i < count; i += lanes) {
      const std::size_t some = count - i;
      switch (step.kind) {
        case Kind::add: {
          const auto a = epilogue_operand(d, step.a, channel + i, some);
          for (int r = 0; r < rows; ++r)
            store_some(d, hn::Add(load_some(d, y[r] + i, some), a), y[r] + i, some);
          break;
        }
        case Kind::fma: {
          const auto a = epilogue_operand(d, step.a, channel + i, some);
          const auto b = epilogue_operand(d, step.b, channel + i, some);
          for (int r = 0; r < rows; ++r)
            store_some(d, hn::MulAdd(load_some(d, y[r] + i, some), a, b), y[r] + i, some);
          break;
        }
        case Kind::mul: {
          const auto a = epilogue_operand(d, step.a, channel + i, some);
          for (int r = 0; r < rows; ++r)
            store_some(d, hn::Mul(load_some(d, y[r] + i, some), a), y[r] + i, some);
          break;
        }
        case Kind::relu:
          for (int r = 0; r < rows; ++r)
            store_some(d, relu(d, load_some(d, y[r] + i, some)), y[r] + i, some);
          break;
        case Kind::sigmoid:
          for (int r = 0; r < rows; ++r) {
            if constexpr (sizeof(T) == sizeof(float)) {
              store_some(d, sigmoid(d, load_some(d, y[r] + i, some)), y[r] + i, some);
            } else {
              for (std::size_t j = i; j < i + std::min(some, lanes); ++j)
                y[r][j] = elementary::sigmoid(y[r][j]);
            }
          }
          break;
      }
    }
  }
}

#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per-target include guard
