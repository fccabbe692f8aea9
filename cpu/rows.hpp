#pragma once

#include <cstdint>

#include "model/numerics.hpp"

namespace parity::cpu {

/// Arithmetic over one row of n elements that lie side by side: what softmax and the normalizations
/// are made of. Every instruction set gives the same bits; sums are `lanes32`.
template <class T>
struct RowKernels {
  /// Sum of x; of |x|.
  T (*sum)(const T* x, std::int64_t n);
  T (*absolute_sum)(const T* x, std::int64_t n);
  /// d = sub(x, mean); the sum of fma(d, d, .). `d` may be x.
  T (*deviate)(const T* x, T mean, T* d, std::int64_t n);
  /// y = fma(mul(d, q), gamma, beta), or mul(mul(d, q), gamma) where beta is null. gamma and beta hold
  /// one element per element of the row with step 1, one for all with step 0.
  void (*scale)(const T* d, T q, const T* gamma, const T* beta, std::int64_t step, T* y,
                std::int64_t n);
  /// The largest element; anything when there is a NaN, which no softmax survives.
  T (*largest)(const T* x, std::int64_t n);
  /// e = exp(sub(x, largest)); the sum of e.
  T (*exponentials)(const T* x, T largest, T* e, std::int64_t n);
  /// y = div(e, by).
  void (*divide)(const T* e, T by, T* y, std::int64_t n);
};

/// The kernels of a width (best: the widest the processor has). Throws Fault::device when it has it not.
template <class T>
const RowKernels<T>& row_kernels(InstructionSet set);

extern template const RowKernels<float>& row_kernels<float>(InstructionSet);
extern template const RowKernels<double>& row_kernels<double>(InstructionSet);

}  // namespace parity::cpu
