#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

/// sum … leaky are a Binary's functions; largest_slope (a max(1, b)) and bounded_quotient (a/b, infinite
/// where b is 2^-126 at most) their magnitudes where those have another form.
enum class BinaryFunction {
  sum,
  difference,
  product,
  quotient,
  maximum,
  minimum,
  power,
  leaky,
  largest_slope,
  bounded_quotient
};

/// y[i] = f(a[index . a_steps], b[index . b_steps]) for element i of the walk over y's memory; steps of 0
/// stretch an operand. float, or std::int64_t (sum … minimum only).
template <class T>
struct BinaryArgument {
  const T* a;
  const T* b;
  T* y;
  std::int64_t count;
  Walk walk;
  Steps a_steps, b_steps;
  BinaryFunction function;
};
Status launch_binary(const Queue& queue, const BinaryArgument<float>& argument);
Status launch_binary(const Queue& queue, const BinaryArgument<std::int64_t>& argument);

}  // namespace parity::cuda
