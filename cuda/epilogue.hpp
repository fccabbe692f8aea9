#pragma once

#include <cstdint>

#include "model/arithmetic/epilogue_kind.hpp"

namespace parity::cuda {

/// One rounded operation per element that may ride on a MAC, in graph order. `a` and `b` lie on the
/// device and hold one element per channel (stride 1), or one for all (stride 0).
struct EpilogueStep {
  using Kind = EpilogueKind;
  Kind kind = Kind::relu;
  std::int32_t stride = 0;
  const float* a = nullptr;
  const float* b = nullptr;
};

/// Whether a step may ride on a product: the kinds that are worth their registers in those kernels.
constexpr bool rides_on_product(EpilogueKind kind) {
  return kind == EpilogueKind::add || kind == EpilogueKind::fma || kind == EpilogueKind::mul ||
         kind == EpilogueKind::relu || kind == EpilogueKind::sigmoid || kind == EpilogueKind::swish;
}

/// What a kernel does to each element before it stores it. Passed to kernels by value; a stage with more
/// steps, or with one that does not ride, runs the rest as launches of their own, which gives the same
/// bits.
struct Epilogue {
  static constexpr int most_steps = 8;
  static constexpr int most_riders = most_steps - 1;  ///< the first may be the room's own bias
  EpilogueStep steps[most_steps];
  std::int32_t count = 0;
};

}  // namespace parity::cuda
