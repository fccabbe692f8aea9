#pragma once

#include <cstdint>

#include "model/arithmetic/recurrent_cell.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// What a recurrent layer does with one item's products, whose biases are in them: H elements of the
/// state, each gate's H behind the one before. Every instruction set gives the same bits.
template <class T>
struct CellKernels {
  /// The new h of a GRU that resets behind the product.
  void (*gru)(const CellForm& form, const T* gx, const T* gh, T* h, std::int64_t H);
  /// Of one that resets before: z and r h, then, with the product of r h, the new h.
  void (*gru_reset)(const CellForm& form, const T* gx, const T* gh, const T* h, T* z, T* reset,
                    std::int64_t H);
  void (*gru_after_reset)(const CellForm& form, const T* gx, const T* gn, const T* z, T* h,
                          std::int64_t H);
  /// The new h and c of an LSTM; peepholes of i, o, f, or null.
  void (*lstm)(const CellForm& form, const T* gx, const T* gh, const T* peepholes, T* h, T* c,
               std::int64_t H);
};

/// The kernels of a width (best: the widest the processor has; double has libm's functions and so one
/// width). Throws Fault::device when the processor has it not.
template <class T>
const CellKernels<T>& cell_kernels(InstructionSet set);

template <>
const CellKernels<float>& cell_kernels<float>(InstructionSet set);
template <>
const CellKernels<double>& cell_kernels<double>(InstructionSet set);

}  // namespace parity::cpu
