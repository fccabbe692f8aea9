#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/backend.hpp"
#include "model/ops_fwd.hpp"

namespace parity {

// How a stage is walked, the same for every backend that computes.

bool is_mac(const Op& op);

/// Whether steps after this one may ride on it: a MAC whose innermost index, the engine's output
/// channel, is axis 1.
bool carries_riders(const Op& op, const Shape& output);

/// The ONNX types of the ops of a family, for people: "Conv, ConvTranspose".
std::string op_names(Family family);

/// Whether the op's room makes its own bound of the values themselves when the stage is read as
/// magnitudes, so that it is given them and not their magnitudes: where the bound has another form
/// than a sum over |x|. Such an op heads its stage.
bool bounds_itself(const Op& op);

/// What a step is run by when the stage is read as magnitudes.
Contract magnitude_contract(const Contract& contract, const Op& op);

/// One step about to be run.
struct StepRun {
  std::size_t index;  ///< in the stage
  const Step& step;
  const Contract& contract;  ///< already that of magnitudes when they are read
  std::span<const Value> inputs;
  const TensorType& output;  ///< the first; float64 in double, and where a movement moves double
  std::span<const TensorType> outputs;  ///< all that the op makes
};
struct StepResult {
  std::vector<Value> values;  ///< one per output of the step
  std::size_t riders = 0;     ///< steps after this one that were done with it
};

/// What a room gives: one value, or one per output.
inline std::vector<Value> values_of_room(Value value) { return {std::move(value)}; }
inline std::vector<Value> values_of_room(std::vector<Value> values) { return values; }

/// Runs the steps of a stage in order; `inputs` as the reading has them. A value that only the stage
/// knows is dropped after its one reader. Outputs of an `exact` stage are still double.
std::vector<Value> run_steps(const PlannedStage& planned, std::span<const Value> inputs,
                             Reading reading, const std::function<StepResult(const StepRun&)>& run);

}  // namespace parity
