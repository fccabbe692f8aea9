#include "cpu/rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cpu/mac/highway.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rows.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "cpu/epilogue-inl.hpp"
#include "cpu/sequences-inl.hpp"
// clang-format on

#ifndef PARITY_CPU_ROWS_ONCE
#define PARITY_CPU_ROWS_ONCE
namespace parity::cpu {
namespace {

constexpr std::int64_t row_lanes = 32, row_block = 4096;

/// One block of `lanes32`; fold(acc, i) takes term i into acc.
template <class T, class Fold>
T scalar_block(std::int64_t first, std::int64_t last, Fold fold) {
  std::array<T, row_lanes> acc{};
  for (std::int64_t i = first; i < last; ++i) {
    T& lane = acc[static_cast<std::size_t>((i - first) % row_lanes)];
    lane = fold(lane, i);
  }
  // acc_l += acc_(l xor d); only the lanes that reach lane 0 are needed.
  for (std::size_t d = row_lanes / 2; d > 0; d /= 2)
    for (std::size_t l = 0; l < d; ++l) acc[l] += acc[l + d];
  return acc[0];
}

/// `lanes32` in blocks of 4096, of(first, last) summing one; the sums of blocks are a list of their own.
template <class T, class Block>
T in_blocks(std::int64_t n, Block of) {
  if (n <= row_block) return of(0, n);
  std::vector<T> sums;
  for (std::int64_t first = 0; first < n; first += row_block)
    sums.push_back(of(first, std::min(n, first + row_block)));
  const auto term = [&](T acc, std::int64_t i) { return acc + sums[static_cast<std::size_t>(i)]; };
  while (sums.size() > 1) {
    std::vector<T> next;
    const auto count = static_cast<std::int64_t>(sums.size());
    for (std::int64_t first = 0; first < count; first += row_block)
      next.push_back(scalar_block<T>(first, std::min(count, first + row_block), term));
    sums = std::move(next);
  }
  return sums[0];
}

inline float exponential(float x) { return elementary::exp(x); }
inline double exponential(double x) { return std::exp(x); }

}  // namespace
}  // namespace parity::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

/// One block of `lanes32`: fold(acc, i, count) takes `count` elements from i on, one per lane, into acc.
template <class D, class Fold, class T = hn::TFromD<D>>
HWY_INLINE T one_block(D d, std::int64_t first, std::int64_t last, Fold fold) {
  constexpr std::int64_t width = static_cast<std::int64_t>(hn::MaxLanes(D{}));
  constexpr std::int64_t vectors = row_lanes / width;
  hn::Vec<D> acc[vectors];
  for (auto& each : acc) each = hn::Zero(d);
  std::int64_t i = first;
  for (; i + row_lanes <= last; i += row_lanes)
    for (std::int64_t v = 0; v < vectors; ++v) acc[v] = fold(acc[v], i + v * width, width);
  for (std::int64_t v = 0; v < vectors && i < last; ++v, i += width)
    acc[v] = fold(acc[v], i, std::min(width, last - i));
  HWY_ALIGN T lane[row_lanes];
  for (std::int64_t v = 0; v < vectors; ++v) hn::Store(acc[v], d, lane + v * width);
  // acc_l += acc_(l xor k); only the lanes that reach lane 0 are needed.
  for (std::int64_t k = row_lanes / 2; k > 0; k /= 2)
    for (std::int64_t l = 0; l < k; ++l) lane[l] += lane[l + k];
  return lane[0];
}
// Lanes beyond the row hold +0: an accumulator is never -0, so adding it or its square changes nothing.

template <class T>
T sum(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  return in_blocks<T>(n, [&](std::int64_t first, std::int64_t last) {
    return one_block(d, first, last, [&](auto acc, std::int64_t i, std::int64_t count) {
      return hn::Add(acc, load_some(d, x + i, static_cast<std::size_t>(count)));
    });
  });
}

template <class T>
T absolute_sum(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  return in_blocks<T>(n, [&](std::int64_t first, std::int64_t last) {
    return one_block(d, first, last, [&](auto acc, std::int64_t i, std::int64_t count) {
      return hn::Add(acc, hn::Abs(load_some(d, x + i, static_cast<std::size_t>(count))));
    });
  });
}

template <class T>
T deviate(const T* x, T mean, T* to, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto m = hn::Set(d, mean);
  return in_blocks<T>(n, [&](std::int64_t first, std::int64_t last) {
    return one_block(d, first, last, [&](auto acc, std::int64_t i, std::int64_t count) {
      const auto some = static_cast<std::size_t>(count);
      const auto difference = hn::Sub(load_some(d, x + i, some), m);
      store_some(d, difference, to + i, some);
      const auto within =
          some < hn::Lanes(d) ? hn::IfThenElseZero(hn::FirstN(d, some), difference) : difference;
      return hn::MulAdd(within, within, acc);
    });
  });
}

template <class T>
void scale(const T* from, T q, const T* gamma, const T* beta, std::int64_t step, T* y,
           std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const auto by = hn::Set(d, q);
  const auto operand = [&](const T* values, std::int64_t i, std::size_t some) {
    return step == 0 ? hn::Set(d, *values) : load_some(d, values + i, some);
  };
  for (std::int64_t i = 0; i < n; i += width) {
    const auto some = static_cast<std::size_t>(std::min(width, n - i));
    const auto z = hn::Mul(load_some(d, from + i, some), by);
    const auto g = operand(gamma, i, some);
    store_some(d, beta != nullptr ? hn::MulAdd(z, g, operand(beta, i, some)) : hn::Mul(z, g), y + i,
               some);
  }
}

template <class T>
T largest(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  auto most = hn::Set(d, x[0]);
  std::int64_t i = 0;
  for (; i + width <= n; i += width) most = hn::Max(most, hn::LoadU(d, x + i));
  T result = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < n; ++i) result = std::max(result, x[i]);
  return result;
}

template <class T>
T exponentials(const T* x, T most, T* e, std::int64_t n) {
  if constexpr (sizeof(T) == sizeof(float)) {
    const hn::ScalableTag<T> d;
    const auto m = hn::Set(d, most);
    return in_blocks<T>(n, [&](std::int64_t first, std::int64_t last) {
      return one_block(d, first, last, [&](auto acc, std::int64_t i, std::int64_t count) {
        const auto some = static_cast<std::size_t>(count);
        const auto value = exp<Vectors<float>>(hn::Sub(load_some(d, x + i, some), m));
        store_some(d, value, e + i, some);
        return hn::Add(
            acc, some < hn::Lanes(d) ? hn::IfThenElseZero(hn::FirstN(d, some), value) : value);
      });
    });
  } else {
    for (std::int64_t i = 0; i < n; ++i) e[i] = exponential(x[i] - most);
    return sum(e, n);
  }
}

template <class T>
void divide(const T* e, T by, T* y, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const auto s = hn::Set(d, by);
  for (std::int64_t i = 0; i < n; i += width) {
    const auto some = static_cast<std::size_t>(std::min(width, n - i));
    store_some(d, hn::Div(load_some(d, e + i, some), s), y + i, some);
  }
}

}  // namespace

const RowKernels<float>& rows(float) {
  static constexpr RowKernels<float> kernels{sum<float>,   absolute_sum<float>, deviate<float>,
                                             scale<float>, largest<float>,      exponentials<float>,
                                             divide<float>};
  return kernels;
}
const RowKernels<double>& rows(double) {
  static constexpr RowKernels<double> kernels{
      sum<double>,     absolute_sum<double>, deviate<double>, scale<double>,
      largest<double>, exponentials<double>, divide<double>};
  return kernels;
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

template <class T, class Fold>
T scalar_sum(std::int64_t n, Fold fold) {
  return in_blocks<T>(
      n, [&](std::int64_t first, std::int64_t last) { return scalar_block<T>(first, last, fold); });
}

template <class T>
const RowKernels<T>& scalar_rows(T) {
  static constexpr RowKernels<T> kernels{
      [](const T* x, std::int64_t n) {
        return scalar_sum<T>(n, [&](T acc, std::int64_t i) { return acc + x[i]; });
      },
      [](const T* x, std::int64_t n) {
        return scalar_sum<T>(n, [&](T acc, std::int64_t i) { return acc + std::abs(x[i]); });
      },
      [](const T* x, T mean, T* d, std::int64_t n) {
        return scalar_sum<T>(n, [&](T acc, std::int64_t i) {
          d[i] = x[i] - mean;
          return std::fma(d[i], d[i], acc);
        });
      },
      [](const T* d, T q, const T* gamma, const T* beta, std::int64_t step, T* y, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) {
          const T z = d[i] * q;
          y[i] =
              beta != nullptr ? std::fma(z, gamma[i * step], beta[i * step]) : z * gamma[i * step];
        }
      },
      [](const T* x, std::int64_t n) { return *std::max_element(x, x + n); },
      [](const T* x, T most, T* e, std::int64_t n) {
        return scalar_sum<T>(n, [&](T acc, std::int64_t i) {
          e[i] = exponential(x[i] - most);
          return acc + e[i];
        });
      },
      [](const T* e, T by, T* y, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = e[i] / by;
      }};
  return kernels;
}

}  // namespace

template <class T>
const RowKernels<T>& row_kernels(InstructionSet set) {
  using Rows = const RowKernels<T>& (*)(T);
  return PARITY_WIDTHS(Rows, scalar_rows<T>, rows).at(set)(T{});
}

template const RowKernels<float>& row_kernels<float>(InstructionSet);
template const RowKernels<double>& row_kernels<double>(InstructionSet);

}  // namespace parity::cpu
#endif  // HWY_ONCE
