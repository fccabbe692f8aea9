#pragma once

// What a file compiles once per Highway target, chosen by InstructionSet. Include it under HWY_ONCE,
// after highway.h.

#include "cpu/mac/instruction_set.hpp"
#include "model/error.hpp"

namespace parity::cpu {

/// Functions with the same results, one per width; null where this build lacks the width.
template <class F>
struct Widths {
  F scalar, avx2, avx512, neon;

  /// Throws Fault::device for a width that the processor lacks, Fault::internal for one that the build
  /// lacks.
  F at(InstructionSet set) const {
    const InstructionSet resolved = resolve(set);
    const F found = of(resolved);
    if (found == nullptr)
      throw Error(Fault::internal, "kernels of width '" + std::string(name(resolved)) +
                                       "' are not part of this build");
    return found;
  }

 private:
  F of(InstructionSet set) const {
    switch (set) {
      case InstructionSet::avx512:
        return avx512;
      case InstructionSet::avx2:
        return avx2;
      case InstructionSet::neon:
        return neon;
      default:
        return scalar;
    }
  }
};

}  // namespace parity::cpu

#if HWY_TARGETS & HWY_AVX3
#define PARITY_OF_AVX512(function) N_AVX3::function
#else
#define PARITY_OF_AVX512(function) nullptr
#endif
#if HWY_TARGETS & HWY_AVX2
#define PARITY_OF_AVX2(function) N_AVX2::function
#else
#define PARITY_OF_AVX2(function) nullptr
#endif
#if HWY_TARGETS & HWY_NEON
#define PARITY_OF_NEON(function) N_NEON::function
#else
#define PARITY_OF_NEON(function) nullptr
#endif

/// Widths<F> of a function that each target's namespace has; F picks among overloads. No template can
/// name those namespaces, because which there are is known to the preprocessor alone.
#define PARITY_WIDTHS(F, scalar, function)                                                 \
  ::parity::cpu::Widths<F> {                                                               \
    scalar, PARITY_OF_AVX2(function), PARITY_OF_AVX512(function), PARITY_OF_NEON(function) \
  }
