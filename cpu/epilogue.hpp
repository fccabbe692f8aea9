#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/numerics.hpp"

namespace parity::cpu {

/// One rounded operation per element that may ride on a MAC, in graph order. `a` and `b` hold one
/// element per channel, or one for all.
template <class T>
struct EpilogueStep {
  enum class Kind {
    add,     ///< y = add(y, a[c]): a bias or a constant
    fma,     ///< y = fma(y, a[c], b[c]): BatchNorm
    mul,     ///< y = mul(y, a[c])
    relu,    ///< y > 0 ? y : (y != y ? y : +0)
    sigmoid  ///< model/arithmetic/elementary.hpp
  };
  Kind kind;
  std::vector<T> a, b;
};

template <class T>
using Epilogue = std::vector<EpilogueStep<T>>;

/// Applies the steps in place to `count` consecutive channels y[0..count), channel numbers from
/// `channel`. Fused into a MAC or run over a whole tensor, an element sees the same operations: the
/// same bits. Vectorised (cpu/mac/).
template <class T>
void apply(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel,
           InstructionSet instruction_set);

}  // namespace parity::cpu
