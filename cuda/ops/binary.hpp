#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

enum class BinaryFunction { add, mul };

/// y[i] = f(a[index . a_steps], b[index . b_steps]) for element i of the walk over y's memory; steps of 0
/// stretch an operand.
struct BinaryArgument {
  const float* a;
  const float* b;
  float* y;
  std::int64_t count;
  Walk walk;
  Steps a_steps, b_steps;
  BinaryFunction function;
};
Status launch_binary(const Queue& queue, const BinaryArgument& argument);

}  // namespace parity::cuda
