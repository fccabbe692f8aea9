#include "cpu/epilogue.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/mac/highway.hpp"
#include "cpu/mac/instruction_set.hpp"
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

/// One step, whose kind the compiler knows, so that nothing is asked in the loops.
template <class T, EpilogueKind kind>
void apply_step(const EpilogueStep<T>& step_of, T* const* y, int rows, std::size_t count,
                std::size_t channel) {
  if constexpr (has_vectors<T>(kind)) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t i = 0; i < count; i += lanes) {
      const std::size_t some = count - i;
      const auto a = operand(d, step_of.a, channel + i, some);
      const auto b = operand(d, step_of.b, channel + i, some);
      for (int r = 0; r < rows; ++r)
        store_some(d, step<Vectors<T>, kind>(load_some(d, y[r] + i, some), a, b), y[r] + i, some);
    }
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

void apply_float(const Epilogue<float>& epilogue, float* y, std::int64_t count,
                 std::int64_t channel) {
  apply_row(epilogue, y, count, channel);
}
void apply_double(const Epilogue<double>& epilogue, double* y, std::int64_t count,
                  std::int64_t channel) {
  apply_row(epilogue, y, count, channel);
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
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

/// Null where this build has no such width; resolve() has refused it before.
template <class T>
Apply<T> apply_for(InstructionSet set) {
  constexpr bool single = sizeof(T) == sizeof(float);
  switch (set) {
#if HWY_TARGETS & HWY_AVX3
    case InstructionSet::avx512:
      if constexpr (single)
        return N_AVX3::apply_float;
      else
        return N_AVX3::apply_double;
#endif
#if HWY_TARGETS & HWY_AVX2
    case InstructionSet::avx2:
      if constexpr (single)
        return N_AVX2::apply_float;
      else
        return N_AVX2::apply_double;
#endif
#if HWY_TARGETS & HWY_NEON
    case InstructionSet::neon:
      if constexpr (single)
        return N_NEON::apply_float;
      else
        return N_NEON::apply_double;
#endif
    case InstructionSet::scalar:
      return apply_scalar<T>;
    default:
      break;
  }
  throw Error(Fault::internal,
              "an epilogue of width '" + std::string(name(set)) + "' is not part of this build");
}

}  // namespace

template <class T>
void apply(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel,
           InstructionSet instruction_set) {
  if (epilogue.empty() || count <= 0) return;
  apply_for<T>(resolve(instruction_set))(epilogue, y, count, channel);
}

template void apply<float>(const Epilogue<float>&, float*, std::int64_t, std::int64_t,
                           InstructionSet);
template void apply<double>(const Epilogue<double>&, double*, std::int64_t, std::int64_t,
                            InstructionSet);

}  // namespace parity::cpu
#endif  // HWY_ONCE
