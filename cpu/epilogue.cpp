#include "cpu/epilogue.hpp"

#include <algorithm>
#include <cmath>

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
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

template <class T>
void apply_row(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel) {
  // Short pieces, so that the later steps find the elements in the first-level cache.
  constexpr std::int64_t piece = 1024;
  for (std::int64_t i = 0; i < count; i += piece) {
    T* const row = y + i;
    apply_rows<T>(epilogue, &row, 1, static_cast<std::size_t>(std::min(piece, count - i)),
                  static_cast<std::size_t>(channel + i));
  }
}

}  // namespace

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
  using Kind = typename EpilogueStep<T>::Kind;
  for (const EpilogueStep<T>& step : epilogue) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto operand = [&](const std::vector<T>& values) {
        return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(channel + i)];
      };
      switch (step.kind) {
        case Kind::add:
          y[i] = y[i] + operand(step.a);
          break;
        case Kind::fma:
          y[i] = std::fma(y[i], operand(step.a), operand(step.b));
          break;
        case Kind::mul:
          y[i] = y[i] * operand(step.a);
          break;
        case Kind::relu:
          y[i] = y[i] > 0 ? y[i] : (y[i] != y[i] ? y[i] : T{0});
          break;
        case Kind::sigmoid:
          y[i] = elementary::sigmoid(y[i]);
          break;
      }
    }
  }
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
