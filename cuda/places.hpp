#pragma once

#include "cuda/ops.hpp"
#include "model/ops/places.hpp"

namespace parity::cuda {

/// The value of type y whose elements lie in x as `places` says, the rest `fill` (its absolute value
/// in magnitudes): one launch. Keeps channels-last where the axes correspond, and shares x's memory where
/// nothing moves. `what` names the tables among those of the step.
Value placed(const Places& places, const Value& x, const TensorType& y, double fill,
             const std::string& what, const Job& job);

}  // namespace parity::cuda
