#include "cpu/weighted.hpp"

#include <cmath>
#include <string>

#include "cpu/mac/highway.hpp"
#include "model/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/weighted.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
HWY_INLINE void weighted(const T* const* rows, const T* weights, std::int64_t taps, T* y,
                         std::int64_t count) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    auto sum = hn::Mul(hn::LoadU(d, rows[0] + j), hn::Set(d, weights[0]));
    for (std::int64_t t = 1; t < taps; ++t)
      sum = hn::MulAdd(hn::LoadU(d, rows[t] + j), hn::Set(d, weights[t]), sum);
    hn::StoreU(sum, d, y + j);
  }
  const hn::CappedTag<T, 1> one;
  for (; j < count; ++j) {
    auto sum = hn::Mul(hn::LoadU(one, rows[0] + j), hn::Set(one, weights[0]));
    for (std::int64_t t = 1; t < taps; ++t)
      sum = hn::MulAdd(hn::LoadU(one, rows[t] + j), hn::Set(one, weights[t]), sum);
    hn::StoreU(sum, one, y + j);
  }
}

}  // namespace

void weighted_rows(const float* const* rows, const float* weights, std::int64_t taps, float* y,
                   std::int64_t count) {
  weighted(rows, weights, taps, y, count);
}
void weighted_rows(const double* const* rows, const double* weights, std::int64_t taps, double* y,
                   std::int64_t count) {
  weighted(rows, weights, taps, y, count);
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

template <class T>
void weighted_scalar(const T* const* rows, const T* weights, std::int64_t taps, T* y,
                     std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) {
    T sum = rows[0][j] * weights[0];
    for (std::int64_t t = 1; t < taps; ++t) sum = std::fma(rows[t][j], weights[t], sum);
    y[j] = sum;
  }
}

template <class T>
using Weighted = void (*)(const T* const*, const T*, std::int64_t, T*, std::int64_t);

template <class T>
Weighted<T> weighted_for(InstructionSet set) {
  return PARITY_WIDTHS(Weighted<T>, weighted_scalar<T>, weighted_rows).at(set);
}

}  // namespace

void weighted_sum(const float* const* rows, const float* weights, std::int64_t taps, float* y,
                  std::int64_t count, InstructionSet instruction_set) {
  weighted_for<float>(instruction_set)(rows, weights, taps, y, count);
}
void weighted_sum(const double* const* rows, const double* weights, std::int64_t taps, double* y,
                  std::int64_t count, InstructionSet instruction_set) {
  weighted_for<double>(instruction_set)(rows, weights, taps, y, count);
}

}  // namespace parity::cpu
#endif  // HWY_ONCE
