#include "cpu/epilogue.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/mac/highway.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/epilogue.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "cpu/epilogue-inl.hpp"
#include "cpu/sequences-inl.hpp"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

/// Whether a kind is computed on vectors; the others go element by element, for double through libm.
template <class T>
constexpr bool has_vectors(EpilogueKind kind) {
  if (std::is_same_v<T, float>) return !is_wide(kind);
  return kind <= EpilogueKind::square || kind == EpilogueKind::sign ||
         (kind >= EpilogueKind::hard_sigmoid && kind <= EpilogueKind::softsign);
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> operand(D d, const std::vector<T>& values, std::size_t channel,
                              std::size_t count) {
  if (values.empty()) return hn::Zero(d);
  return values.size() == 1 ? hn::Set(d, values[0]) : load_some(d, values.data() + channel, count);
}
template <class T>
T operand_at(const std::vector<T>& values, std::size_t channel) {
  return values.empty() ? T{0} : values[values.size() == 1 ? 0 : channel];
}

/// Whether a kind is a sequence of many operations, each waiting for the one before.
constexpr bool is_long(EpilogueKind kind) {
  return kind >= EpilogueKind::sigmoid && !is_wide(kind);
}

/// Elements [first, count) of each row, vector by vector.
template <class T, EpilogueKind kind>
HWY_NOINLINE void apply_vectors(const EpilogueStep<T>& step_of, T* const* y, int rows,
                                std::size_t first, std::size_t count, std::size_t channel) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = first; i < count; i += lanes) {
    const std::size_t some = count - i;
    const auto a = operand(d, step_of.a, channel + i, some);
    const auto b = operand(d, step_of.b, channel + i, some);
    for (int r = 0; r < rows; ++r)
      store_some(d, step<Vectors<T>, kind>(load_some(d, y[r] + i, some), a, b), y[r] + i, some);
  }
}

template <class D>
HWY_INLINE hn::Vec<D> whole_operand(D d, const std::vector<float>& values, std::size_t channel) {
  if (values.size() > 1) return hn::LoadU(d, values.data() + channel);
  return values.empty() ? hn::Zero(d) : hn::Set(d, values[0]);
}

/// Whole vectors: `many` of them from and to the places at[k], of channels from channels[k] on.
template <EpilogueKind kind, int many>
HWY_INLINE void apply_bundle(const EpilogueStep<float>& step_of, float* const* at,
                             const std::size_t* channels) {
  using A = Bundled<Vectors<float>, many>;
  const hn::ScalableTag<float> d;
  typename A::F x, a, b;
#pragma GCC unroll 8
  for (int k = 0; k < many; ++k) {
    x.v[k] = hn::LoadU(d, at[k]);
    a.v[k] = whole_operand(d, step_of.a, channels[k]);
    b.v[k] = whole_operand(d, step_of.b, channels[k]);
  }
  const typename A::F y = step<A, kind>(x, a, b);
#pragma GCC unroll 8
  for (int k = 0; k < many; ++k) hn::StoreU(y.v[k], d, at[k]);
}

/// Flat, so that a bundle stays in registers from its first operation to its last.
template <EpilogueKind kind>
HWY_FLATTEN void apply_bundles(const EpilogueStep<float>& step_of, float* const* y, int rows,
                               std::size_t count, std::size_t channel) {
  constexpr int bundle = 3;
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  float* at[bundle];
  std::size_t channels[bundle];
  int filled = 0;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int r = 0; r < rows; ++r) {
      at[filled] = y[r] + i;
      channels[filled] = channel + i;
      if (++filled < bundle) continue;
      apply_bundle<kind, bundle>(step_of, at, channels);
      filled = 0;
    }
  if (filled == 2) apply_bundle<kind, 2>(step_of, at, channels);
  if (filled == 1) apply_bundle<kind, 1>(step_of, at, channels);
  if (i < count) apply_vectors<float, kind>(step_of, y, rows, i, count, channel);
}

/// One step, whose kind the compiler knows, so that nothing is asked in the loops.
template <class T, EpilogueKind kind>
void apply_step(const EpilogueStep<T>& step_of, T* const* y, int rows, std::size_t count,
                std::size_t channel) {
  if constexpr (std::is_same_v<T, float> && is_long(kind)) {
    apply_bundles<kind>(step_of, y, rows, count, channel);
  } else if constexpr (has_vectors<T>(kind)) {
    apply_vectors<T, kind>(step_of, y, rows, 0, count, channel);
  } else {
    for (int r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < count; ++i) {
        const T a = operand_at(step_of.a, channel + i), b = operand_at(step_of.b, channel + i);
        if constexpr (std::is_same_v<T, float>)
          y[r][i] = sequences::any_step<elementary::HostArithmetic, kind>(y[r][i], a, b);
        else
          y[r][i] = elementary::step<kind>(y[r][i], a, b);
      }
  }
}

template <class T>
void apply_steps(std::span<const EpilogueStep<T>> epilogue, T* const* y, int rows,
                 std::size_t count, std::size_t channel) {
  for (const EpilogueStep<T>& each : epilogue)
    with_kind(each.kind, [&](auto kind) {
      apply_step<T, decltype(kind)::value>(each, y, rows, count, channel);
    });
}

template <class T>
void apply_row(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel) {
  // Short pieces, so that the later steps find the elements in the first-level cache.
  constexpr std::int64_t piece = 1024;
  for (std::int64_t i = 0; i < count; i += piece) {
    T* const row = y + i;
    apply_steps<T>(epilogue, &row, 1, static_cast<std::size_t>(std::min(piece, count - i)),
                   static_cast<std::size_t>(channel + i));
  }
}

}  // namespace

void apply_rows(std::span<const EpilogueStep<float>> epilogue, float* const* y, int rows,
                std::size_t count, std::size_t channel) {
  apply_steps<float>(epilogue, y, rows, count, channel);
}
void apply_rows(std::span<const EpilogueStep<double>> epilogue, double* const* y, int rows,
                std::size_t count, std::size_t channel) {
  apply_steps<double>(epilogue, y, rows, count, channel);
}

void apply_all(const Epilogue<float>& epilogue, float* y, std::int64_t count,
               std::int64_t channel) {
  apply_row(epilogue, y, count, channel);
}
void apply_all(const Epilogue<double>& epilogue, double* y, std::int64_t count,
               std::int64_t channel) {
  apply_row(epilogue, y, count, channel);
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

template <class T>
void apply_scalar(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel) {
  for (const EpilogueStep<T>& each : epilogue)
    with_kind(each.kind, [&](auto kind) {
      constexpr EpilogueKind known = decltype(kind)::value;
      for (std::int64_t i = 0; i < count; ++i) {
        const auto operand = [&](const std::vector<T>& values) {
          if (values.empty()) return T{0};
          return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(channel + i)];
        };
        if constexpr (std::is_same_v<T, float>)
          y[i] = sequences::any_step<elementary::HostArithmetic, known>(y[i], operand(each.a),
                                                                        operand(each.b));
        else
          y[i] = elementary::step<known>(y[i], operand(each.a), operand(each.b));
      }
    });
}

template <class T>
using Apply = void (*)(const Epilogue<T>&, T*, std::int64_t, std::int64_t);

}  // namespace

template <class T>
void apply(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel,
           InstructionSet instruction_set) {
  if (epilogue.empty() || count <= 0) return;
  PARITY_WIDTHS(Apply<T>, apply_scalar<T>, apply_all)
      .at(instruction_set)(epilogue, y, count, channel);
}

template void apply<float>(const Epilogue<float>&, float*, std::int64_t, std::int64_t,
                           InstructionSet);
template void apply<double>(const Epilogue<double>&, double*, std::int64_t, std::int64_t,
                            InstructionSet);

}  // namespace parity::cpu
#endif  // HWY_ONCE
