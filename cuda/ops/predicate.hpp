#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

enum class PredicateFunction {
  both,
  equal,
  greater,
  greater_or_equal,
  is_nan,
  less,
  less_or_equal,
  negation,
  either,
  exactly_one
};

/// y[i] = f(a[index . a_steps], b[index . b_steps]) as 0 or 1 for element i of the walk; operands of
/// `type` (float32, int64 or boolean).
struct PredicateArgument {
  const void* a;
  const void* b;
  std::uint8_t* y;
  std::int64_t count;
  Walk walk;
  Steps a_steps, b_steps;
  PredicateFunction function;
  ElementType type;
};
Status launch_predicate(const Queue& queue, const PredicateArgument& argument);

}  // namespace parity::cuda
