#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

/// y[i] = c[index . c_steps] != 0 ? a[index . a_steps] : b[index . b_steps] for element i of the walk, words
/// of 1, 4 or 8 bytes.
struct ChoiceArgument {
  const std::uint8_t* c;
  const void* a;
  const void* b;
  void* y;
  std::int64_t count;
  Walk walk;
  Steps c_steps, a_steps, b_steps;
  int word_bytes;
};
Status launch_choice(const Queue& queue, const ChoiceArgument& argument);

}  // namespace parity::cuda
