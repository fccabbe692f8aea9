#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/run.hpp"
#include "model/comparison.hpp"

namespace parity {

/// The digests of one run: per stage, per output of the stage.
struct Trail {
  std::vector<std::vector<Digest>> stages;
  friend bool operator==(const Trail&, const Trail&) = default;
};

/// A run that happens where this process cannot see its values: a fresh process, another machine.
struct Elsewhere {
  std::function<Trail()> trail;
  /// One output of one stage, run once more there, to show which element changed; may be empty.
  std::function<Tensor(int stage, int output)> value;
};

/// When a repetition's digests are taken. At the end nothing makes the host wait between stages, so that work on
/// several streams can overtake what it needs, if something is wrong; every stage's output is held until then.
enum class DigestsTaken { after_each_stage, at_the_end };

/// One way to repeat the reference run that may not change a bit.
struct Variation {
  std::string axis;          ///< "threads"; variations of one axis are reported together
  std::string setting = {};  ///< "3", maybe empty
  int runs = 1;
  Execution execution = {};
  std::shared_ptr<const Plan> plan = {};  ///< null: the reference's
  /// More than 1: a batch of so many times the reference's items, in which they stand at the places
  /// in `places`, among other data.
  std::int64_t batch = 1;
  std::vector<std::int64_t> places = {};
  DigestsTaken digests = DigestsTaken::after_each_stage;  ///< of a batch always after each stage
  std::optional<Elsewhere> elsewhere = {};
  std::string not_tried = {};  ///< why it cannot be tried; then nothing runs
};

/// Where a repetition first left the reference, in stage order.
struct Change {
  int stage = -1, output = 0;          ///< position in the plan; output of the stage
  std::string setting;                 ///< of the variation that showed it
  Digest reference, changed;           ///< of the whole output (of the items, in a batch)
  std::int64_t differing = 0;          ///< elements
  std::optional<ElementPair> element;  ///< the first in index order; a: the reference
  /// Why there is no element: the reference's own bits did not come again, or are out of reach.
  std::string without;
};

/// What all variations of one axis found.
struct AxisResult {
  std::string axis;
  std::vector<std::string> settings;
  int runs = 0, same = 0;  ///< a batch counts once per place
  int digests = 0;         ///< distinct trails, the reference's included when it came again
  std::optional<Change> first;
  std::vector<std::string> not_tried;  ///< settings that could not be tried, and why
};

/// A stage over all runs together.
struct StageRepeat {
  int id = 0;
  std::string name, contract, shape;
  Determinism promise = Determinism::host_to_gpu;
  Digest digest;
  std::int64_t elements = 0, informative = 0;  ///< of the reference's first output
  int runs = 0, same = 0;
};

/// What `paritylab determinism` tells.
struct DeterminismRecord {
  std::string model, model_digest, spec, device;
  std::vector<AxisResult> axes;
  std::vector<StageRepeat> stages;
  int runs = 0, same = 0;  ///< repetitions, and those that gave the reference's every bit
};

struct DeterminismRequest {
  const Graph& graph;
  const Plan& plan;
  Backend& backend;
  Execution execution;
  std::span<const Tensor> inputs;  ///< in the order of graph.inputs
  std::vector<Variation> variations;
  Observer observer = {};
};

/// Whether an execution of the backend can vary so.
bool varies(const Backend& backend, ExecutionAxis axis);

/// The same run on other numbers of streams, or with other workspaces, where the backend has them and the
/// plan can tell; else one variation that says why not.
std::vector<Variation> stream_variations(const Backend& backend, const Execution& execution);
std::vector<Variation> workspace_variations(const Plan& plan, const Backend& backend,
                                            const Execution& execution);

/// Runs the plan once, then every variation, and holds each to the first run's digests stage by
/// stage. Only digests are kept; where one changes, the reference runs once more for the element
/// and its bits. Throws what run() throws.
DeterminismRecord determinism(const DeterminismRequest& request);

/// 1 when a bit changed, else 4 when an axis was not tried at all though it is in `demanded` or a
/// stage has no informative element, else 0.
int exit_code_of(const DeterminismRecord& record, std::span<const std::string> demanded);

/// The inputs repeated to `batch` times their items: the reference's own at the places given (in
/// units of the reference's number of items), elsewhere float items with their elements rotated, so
/// that neighbours differ and stay in range.
std::vector<Tensor> batched_inputs(std::span<const Tensor> inputs, std::int64_t batch,
                                   std::span<const std::int64_t> places);

}  // namespace parity
