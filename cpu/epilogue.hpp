#pragma once

#include <cstdint>

#include "model/epilogue.hpp"

namespace parity::cpu {

/// Applies the steps in place to `count` consecutive channels y[0..count), channel numbers from
/// `channel`. Fused into a MAC or run over a whole tensor, an element sees the same operations: the
/// same bits. Vectorised (cpu/mac/).
template <class T>
void apply(const Epilogue<T>& epilogue, T* y, std::int64_t count, std::int64_t channel,
           InstructionSet instruction_set);

}  // namespace parity::cpu
