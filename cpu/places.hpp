#pragma once

#include "cpu/ops.hpp"
#include "model/ops/places.hpp"

namespace parity::cpu {

/// The value of type y whose elements lie in x as `places` says, the rest `fill` (its absolute value
/// in magnitudes). Keeps channels-last where the axes correspond, and shares x's storage where nothing
/// moves. Runs of neighbours are copied at the speed of memory, a
/// strided innermost axis is transposed in blocks.
Value placed(const Places& places, const Value& x, const TensorType& y, double fill,
             const Job& job);

}  // namespace parity::cpu
