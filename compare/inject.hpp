#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/backend.hpp"

namespace parity {

/// Faults that real backends had (NUMERICS section 5.2), each a small deterministic change of one
/// stage.
enum class Bug {
  bit_flipped,          ///< one bit of one output element: `amount` = which bit (0: lowest)
  ulp_bumped,           ///< one output element moved by `amount` ULP
  channel_scaled,       ///< one output channel multiplied by 1 + `amount`
  stale_buffer,         ///< the last row of the output holds what the row before it holds
  operand_truncated,    ///< inputs cut to `amount` mantissa bits before the stage
  kernel_axes_swapped,  ///< square weights used with kh and kw exchanged
  weights_transposed,   ///< square weights used with output and input channels exchanged
  wrong_epsilon,        ///< BatchNorm with `amount` added to its eps
  bias_dropped,         ///< the head's bias left out
  activation_dropped,   ///< the last ReLU or Sigmoid left out
  border_garbage,       ///< the first column of the output is wrong by 1 + `amount`
  nan_swallowed,        ///< NaN of the output replaced by 0
  output_zeroed,        ///< nothing was written
  input_returned        ///< the stage hands its first input through (shapes must agree)
};
std::string_view name(Bug bug);
/// All of them, for tests and `selftest`.
std::span<const Bug> all_bugs();

/// One fault in one stage.
struct Injection {
  int stage = 0;  ///< Stage::id
  Bug bug = Bug::ulp_bumped;
  double amount = 1;
  std::uint64_t seed = 7;  ///< picks the element or the channel
};

/// Whether the fault can be seated in this stage at all (wrong_epsilon needs a BatchNorm, and so
/// on).
bool applies(const Injection& injection, const PlannedStage& stage);

/// A backend that behaves like `inner`, except for one fault in one stage. Reading::magnitudes is
/// left alone: bounds are honest. `inner` must outlive it.
std::unique_ptr<Backend> inject(Backend& inner, const Injection& injection);

}  // namespace parity
