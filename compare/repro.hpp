#pragma once

#include <span>
#include <string>
#include <vector>

#include "compare/capture.hpp"
#include "compare/differ.hpp"
#include "model/named_tensor.hpp"

namespace parity {

/// What one arithmetic of the processor makes of a stage.
struct AlgorithmBits {
  std::string spec, contract;  ///< "cpu:tf32@sm_90", "tensor:k8f25/rna"
  Determinism promise = Determinism::host_to_gpu;
  std::vector<Digest> digests;  ///< one per output of the stage
};

/// What one side of a diff made of a stage.
struct SideBits {
  std::string spec, contract, promise, device;
  bool recording = false;  ///< of a runtime that we do not know: no contract to hold it to
  std::vector<NamedTensor> outputs;
};

/// One stage, its input, what both sides made of it, and what every arithmetic of the processor
/// makes of it: enough to look into a difference on a machine that has neither side.
struct Repro {
  std::string tool_version, tool_commit, command;
  std::string model, model_digest, stage;  ///< where it was cut out
  std::string verdict, reason;             ///< of the diff
  /// The diff's own words for the fault that the stage looks like and for the causes of its error.
  /// Empty: it was not diagnosed, not attributed.
  std::string looks_like, cause;
  Graph graph;                      ///< the stage alone
  std::vector<NamedTensor> inputs;  ///< by the names of the graph's inputs
  SideBits a, b;
  std::vector<AlgorithmBits> algorithms;
};

/// What a bundle is made of. Both sides are run on a's values (float32 where b computes in it).
struct ReproRequest {
  const Graph& graph;
  const std::vector<Stage>& stages;
  Side a, b;
  std::span<const Tensor> inputs;
  std::size_t stage;  ///< position in `stages`
};
/// Throws what running the sides throws.
Repro make_repro(const ReproRequest& request);

/// The same where b is a recording: a is run on the recorded inputs of the stage. Throws
/// Fault::bad_request, naming the tensor, when the recording lacks one of them.
Repro make_repro(const CaptureRequest& request, std::size_t stage);

/// Every arithmetic of the processor that the one stage of `graph` can have, each contract once.
std::vector<AlgorithmBits> every_algorithm(const Graph& graph, std::span<const NamedTensor> inputs,
                                           Backend& processor, const Execution& execution);

/// The stage that a bundle of this diff is about: the first diverging, else the largest share of
/// the final error, else the largest introduced error; -1 when nothing differs.
int stage_worth_a_repro(const RunRecord& record);

/// One arithmetic, run here, beside what the bundle says.
struct ReplayRow {
  AlgorithmBits here;
  /// Whether its bits are those that the same arithmetic gave where the bundle was made.
  bool as_made = false;
  std::string refused;                  ///< why it was not run here; empty when it was
  Comparison to_a, to_b;                ///< of the first output; a: recorded, b: here
  bool same_a = false, same_b = false;  ///< every bit of every output
};

struct ReplayRecord {
  std::vector<ReplayRow> rows;
  /// What each side comes to: reproduced by its own contract, by others only, by none.
  bool own_a = false, own_b = false;      ///< its own contract gives its bits
  bool tried_a = false, tried_b = false;  ///< its own contract was run here
};

/// Runs every arithmetic of the bundle on this machine. Throws Fault::bad_input when the bundle
/// does not hold together: not one stage, inputs or outputs that do not fit it.
ReplayRecord replay(const Repro& repro, Backend& processor, const Execution& execution);

/// 1 when an arithmetic that promises the same bits everywhere gives others here, or a side is not
/// what its own such contract computes; 4 when that contract cannot be run here, or a side is a
/// recording and no arithmetic here makes its bits; else 0.
int exit_code_of(const ReplayRecord& record, const Repro& repro);

}  // namespace parity
