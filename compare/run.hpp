#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/backend.hpp"
#include "model/graph.hpp"
#include "model/plan.hpp"

namespace parity {

/// How far a walk over the stages has come. `macs` weigh the stages: a diff counts every run of a
/// stage.
struct Progress {
  std::string stage;  ///< the stage that is being worked on; empty when the walk is over
  int stages_done = 0, stages = 0;
  std::int64_t macs_done = 0, macs = 0;
};
/// Called before every stage and once at the end. Never changes a bit.
using Observer = std::function<void(const Progress&)>;

/// Called once per stage with its outputs, in the order of stage.outputs, while they live. Copying
/// a Value keeps its storage alive; downloading is up to the tap. Never changes a bit.
using Tap = std::function<void(const PlannedStage& stage, std::span<const Value> outputs)>;

/// The values of a walk that somebody still needs. A value is dropped after its last reader, so
/// that a run holds what the network needs and no more.
class LiveValues {
 public:
  /// Counts the readers of every edge: the stages' inputs, and the graph's outputs once more.
  LiveValues(const Graph& graph, const std::vector<PlannedStage>& stages);

  void put(TensorId id, Value value);
  /// Throws Fault::internal when nobody made the value or it was dropped.
  const Value& at(TensorId id) const;
  std::vector<Value> at(std::span<const TensorId> ids) const;
  bool holds(TensorId id) const;
  /// One reader of each is done; a value without readers left is dropped.
  void release(std::span<const TensorId> ids);

 private:
  std::vector<int> readers_;  // by tensor
  std::map<TensorId, Value> values_;
};

/// Whether packed weights stay with the backend after their stage (several runs) or go (one run).
enum class PackedWeights { keep, forget };

struct RunRequest {
  const Graph& graph;
  const Plan& plan;
  Backend& backend;
  Execution execution;
  std::span<const Tensor> inputs;  ///< in the order of graph.inputs
  Tap tap = {};
  Observer observer = {};
  PackedWeights packed_weights = PackedWeights::forget;
  /// Position of a stage to stop before; the outputs are then that stage's inputs.
  std::optional<std::size_t> before = {};
};

struct RunResult {
  std::vector<Value> outputs;         ///< in the order of graph.outputs
  std::vector<double> stage_seconds;  ///< in the order of plan.stages
};

/// Runs a whole plan, holding only live values. Throws Fault::bad_input when the inputs do not fit
/// the graph in number, type or shape.
RunResult run(const RunRequest& request);

/// Throws Fault::bad_input, naming the input, unless there is one tensor per graph input with its
/// type and shape. A float64 tensor is taken for a float32 input of a plan in double.
void check_inputs(const Graph& graph, std::span<const Tensor> inputs);

/// What a process holds at its fullest moment, by part, in bytes.
struct PredictedMemory {
  std::int64_t process = 0;  ///< code, libraries, thread stacks
  std::int64_t weights = 0;  ///< the graph's parameters, as loaded
  std::int64_t packed = 0;   ///< the fullest stage's weights once more, as its algorithms want them
  std::int64_t values = 0;   ///< live values, the stage's outputs and its scratch
  int stage = -1;            ///< where the peak is: index of the stage; -1 when there are no stages
  std::int64_t total() const { return process + weights + packed + values; }
};

/// Of run() on the CPU backend; a pure function of graph, plan and thread count.
PredictedMemory predicted_peak_bytes(const Graph& graph, const Plan& plan, int threads);
/// Of diff() with both sides on the CPU backend: live values of A and B, the shared-input run,
/// magnitudes.
PredictedMemory predicted_peak_bytes(const Graph& graph, const Plan& a, const Plan& b, int threads);

}  // namespace parity
