#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
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

/// Whose arithmetic a side's steps are held to: a contract's in float32; `fp64`, which goes on from the doubles
/// that it gave, and `exact`, which goes on from doubles that it rounded to give them; or that of a runtime
/// nobody knows.
enum class StepOrder { of_the_contract, of_fp64, of_exact, any };

/// What a layer's steps show one by one.
struct JudgedSteps {
  OracleTest test = {};
  /// Elements of the output whose bound is as wide as the layer's values: nothing was judged there.
  std::vector<std::int64_t> unjudged = {};
  /// The step, counted along the time axis, that a direction takes first of those beyond their bounds.
  std::optional<std::int64_t> first = {};
  std::optional<OracleTest> memory = {};  ///< of the memory behind the last step, where it is known
};

/// Every step of a layer that gives them all, each from the state that `suspect` has before it, under the
/// bound of that one step: the layer's own bound is a worst case that grows along the steps, this one is not.
/// Of a GRU a step is the stage itself over one step, from the second on. Of an LSTM, whose memory is not
/// seen, the gates' arguments are computed and the memory is carried as an interval (lstm_interval.hpp). Both
/// in double, whatever `planned` says. `inputs` are the stage's own, float32; `last_memory` is Y_c as the side
/// gave it, or null. None where a state is not seen: a layer that gives only its last state, more than
/// movement behind it, a GRU in double.
std::optional<JudgedSteps> judge_steps(Backend& runner, const Execution& execution,
                                       const PlannedStage& planned, std::span<const Value> inputs,
                                       const Tensor& suspect, const Tensor* last_memory,
                                       Allowance allowance, StepOrder order);

/// The state behind the last step, Y_h as the side gave it, against the steps of `suspect`, of whose last one it
/// is a copy: no element may differ. None where the steps are not seen.
std::optional<OracleTest> judge_last_state(Backend& runner, const Execution& execution,
                                           const PlannedStage& planned, const Tensor& suspect,
                                           const Tensor& last_state);

/// What a recurrent layer gives beside its steps.
enum class LastOf { state = 1, memory = 2 };
/// Which of a stage's outputs is that; nothing where it gives none.
std::optional<std::size_t> output_among(const Stage& stage, LastOf which);

/// How many of the unjudged elements stay so: one that is the layer's exact value needs no bound. y and `exact`
/// are known at `sample`, ascending.
std::int64_t left_unjudged(const JudgedSteps& steps, std::span<const std::int64_t> sample,
                           std::span<const double> y, std::span<const double> exact);

/// "b first at step 24": what of a diverged stage is said beside the reason.
std::string first_at(const std::string& who, std::int64_t step);
/// What to do about steps that could not be judged.
inline constexpr const char* advice_on_steps = "run fewer steps, or in FP32 where this ran in TF32";

/// What the steps show joins what the layer as a whole shows.
void take_worse(const OracleTest& steps, OracleTest& whole);

}  // namespace parity
