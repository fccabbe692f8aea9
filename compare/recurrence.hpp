#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "compare/differ.hpp"
#include "model/ops.hpp"

namespace parity {

/// Which element of the head's first output (Y, of shape `y`) each element of the stage's output is; nothing
/// where more than movement follows the head.
std::optional<std::vector<std::size_t>> places_in_output(Backend& runner,
                                                         const Execution& execution,
                                                         const PlannedStage& planned,
                                                         const Shape& y);

/// Direction d of a stage that a recurrent layer heads, as a stage of its own: reads x of type `x` and begins
/// in `state`.
PlannedStage one_direction(const PlannedStage& planned, std::int64_t d, const TensorType& x,
                           Tensor state);

/// Every step of a GRU but the first, exactly, from the state that `suspect` has before it, under the bound of
/// that one step: the layer's own bound is a worst case that grows along the steps, this one is not. `exact`
/// is the stage under exact arithmetic, x its first input. None where a state is not seen: an LSTM's memory,
/// a layer that gives only its last state, items of several lengths, more than movement behind the layer.
std::optional<OracleTest> judge_steps(Backend& runner, const Execution& execution,
                                      const PlannedStage& exact, const Value& x,
                                      const Tensor& suspect, Allowance allowance);

/// What the steps show joins what the layer as a whole shows.
void take_worse(const OracleTest& steps, OracleTest& whole);

}  // namespace parity
