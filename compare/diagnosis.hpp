#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/record.hpp"
#include "model/backend.hpp"

namespace parity {

/// A stage whose output is wrong, and what is at hand to find out how.
struct Suspicion {
  std::string who;              ///< "b", "the capture": the subject of the sentences
  const PlannedStage& planned;  ///< what the suspect should have computed, by which contracts
  Backend& runner;              ///< computes the counterfactuals
  Oracle& oracle;               ///< looks at a few elements first where a stage is large
  const Execution& execution;
  /// The same stage with BatchNorm multiplied into its weights, where the suspect may have done so;
  /// else null.
  const PlannedStage* folded = nullptr;
  std::span<const Value> inputs;  ///< readable by `runner` and `oracle`
  const Tensor& reference;        ///< output 0 as it should be
  const Tensor& suspect;          ///< output 0 as it is
  /// What correct arithmetic may differ from `reference`, element by element; empty: no bit.
  std::span<const double> tolerance = {};
  /// How far the suspect's arithmetic may lie from what `runner` computes, against magnitudes.
  Allowance allowance = {};
  /// The suspect's output was rounded to float16 when it was recorded.
  bool recorded_in_half = false;
  /// Runs the stage on the suspect once more, on operands that `runner` can read; null where the
  /// suspect is a recording.
  std::function<Tensor(const PlannedStage& stage, std::span<const Value> inputs)> again = {};
};

/// Signatures of NUMERICS section 5.2 and of `misreadings()`, likeliest first, at most three: proofs
/// before patterns, then by confidence. Empty when nothing differs or nothing fits.
///
/// A counterfactual is the stage computed as a faulty backend would; where that reproduces the
/// suspect, the fault is proved. A stage above 50 million multiply-adds is first computed at some
/// 200 elements in double, and whole only by what explains those.
std::vector<Diagnosis> diagnose(const Suspicion& suspicion);

}  // namespace parity
