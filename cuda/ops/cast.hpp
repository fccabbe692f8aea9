#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

enum class CastTo { float32, int32, int64, boolean };

/// to[i] = from[i] as another type (model/ops/cast.hpp); absolute values of a float32 result when
/// `magnitudes` is not 0.
struct CastArgument {
  const void* from;
  void* to;
  std::int64_t count;
  ElementType from_type;
  CastTo to_type;
  int magnitudes;
};
Status launch_cast(const Queue& queue, const CastArgument& argument);

}  // namespace parity::cuda
