#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/attribution.hpp"
#include "compare/statistics.hpp"
#include "model/comparison.hpp"
#include "model/tensor.hpp"

namespace parity {

/// The five verdicts. The last two never count as agreement.
enum class Verdict { same_bits, within_bound, diverged, untrusted, not_run };
std::string_view name(Verdict verdict);
std::optional<Verdict> verdict_named(std::string_view text);

/// Which side a divergence is blamed on: the one that fails its own test, or the pair when only the
/// pair does.
enum class Blame { nobody, a, b, pair };
std::string_view name(Blame blame);
std::optional<Blame> blame_named(std::string_view text);

/// A side against `exact` (double) under its own bound, on `elements` sampled or all elements.
struct OracleTest {
  std::int64_t elements = 0;
  bool all = false;        ///< every element, not a sample
  double worst_share = 0;  ///< |y - exact| / bound
  double max_abs = 0;      ///< |y - exact|
  std::int64_t worst_index = 0;
  double worst_value = 0, worst_exact = 0;
  std::int64_t beyond = 0;  ///< elements past the bound
};

/// A side against the CPU twin of its own contract, bit for bit.
struct TwinTest {
  std::int64_t differing = 0;
  std::optional<ElementPair> first;  ///< a: the twin, b: the side
};

/// How a diagnosis is known. bits: computed so, the stage gives the suspect's output bit for bit.
/// bound: it gives it within the bound of its arithmetic, and 99 % of the difference vanish.
/// pattern: the difference lies where such a fault would put it.
enum class Proof { bits, bound, pattern };
std::string_view name(Proof proof);
std::optional<Proof> proof_named(std::string_view text);

/// What a diverged or untrusted stage looks like: a fault with its evidence.
struct Diagnosis {
  std::string
      label;  ///< "kernel_axes_swapped": a fault of compare/misread.hpp, or a shape of errors
  Proof proof = Proof::pattern;
  /// 1: every bit is explained. Of a stage computed again: the share of the difference's energy that
  /// vanishes. Of a pattern: elements that differ and lie in it, over elements that do either.
  double confidence = 0;
  std::string evidence;  ///< one sentence with the figures
  /// The smallest box that holds every element with at least half the largest difference: first and
  /// last index per axis, inclusive.
  std::vector<std::int64_t> box_first, box_last;
};

/// All that is known of one stage. Every double is finite, infinite or NaN as computed.
struct StageResult {
  int id = 0;
  std::string name, block;
  std::vector<std::string> nodes;     ///< ONNX node names of its steps
  std::vector<std::string> op_types;  ///< "Conv", "BatchNormalization", "Relu"
  std::string tensor;                 ///< ONNX name of the output it is judged by
  std::string shape;                  ///< "1x64x256x256"
  std::int64_t elements = 0;
  std::int64_t macs = 0;
  std::string contract_a, contract_b;
  std::vector<int> producers;  ///< ids of the stages it reads from

  Verdict verdict = Verdict::not_run;
  std::string reason;  ///< one sentence: which test decided
  Blame blame = Blame::nobody;
  std::optional<Comparison> introduced;   ///< l against a: same inputs
  std::optional<Comparison> accumulated;  ///< b against a: each on its own past
  std::optional<Split> split;             ///< when the bits differ
  std::optional<OracleTest> exact_a, exact_b;
  std::optional<TwinTest> twin_a, twin_b;
  /// rms of b - a that rounding noise alone is forecast to make by propagation of variances; beside
  /// accumulated->rms. Nothing where no error is forecast.
  std::optional<double> predicted_rms;
  std::optional<Statistics> statistics;    ///< when the bits differ, where there are any
  std::optional<Attribution> attribution;  ///< of the stages that diff() was asked to look into
  double bound_coefficient_a = 0, bound_coefficient_b = 0;  ///< of M; 0 where no bound was needed
  /// ||inherited|| / ||accumulated at the inputs||, each relative to its tensor's norm; 0: nothing
  /// inherited
  double amplification = 0;
  double share_of_final =
      0;  ///< of the final error's energy; sums to 1 over the stages when it differs
  /// When a's values are double and b's are not: rms of a(float(x)) - a(x) over the RMS of a, the
  /// step that the shared input takes by itself. 0 otherwise.
  double conversion = 0;
  /// max |b - a| / RMS(a): what question (3) looks at; NaN where a recording contradicts itself
  double accumulated_relative = 0;
  Digest digest_a, digest_b;
  /// Runs of each side on the same input, and how many different outputs they gave.
  int runs = 1, distinct_a = 1, distinct_b = 1;
  std::vector<Diagnosis> diagnoses;  ///< of a diverged or untrusted stage, likeliest first
  std::optional<ErrorMap> map;       ///< of the first diverging stage and the three largest shares
  double seconds_a = 0, seconds_b = 0, seconds_local = 0;  ///< times: may differ between equal runs
  double seconds_magnitude = 0;                            ///< time
};

/// The largest share of a bound that a stage takes: the introduced error of both sides' bounds
/// together, or a side's distance from the exact value of its own bound. 0 where both sides made the
/// same bits, whose distance to the exact value is the arithmetic's own and no difference between
/// them; nothing where none was judged or the stage says nothing.
std::optional<double> largest_share_of_bound(const StageResult& stage);

/// A named group of stages: the first component of their names.
struct BlockResult {
  std::string name;
  int first = 0, last = 0;  ///< stage ids, inclusive
  double share_of_final = 0;
  /// Largest accumulated |b - a| at the block's last stage; NaN: that stage was not compared.
  double max_abs = 0;
  int diverged = 0;
};

/// A graph output.
struct OutputResult {
  std::string name, shape;
  int stage = -1;  ///< that makes it; -1: passed straight through
  std::optional<Comparison> accumulated;
  bool beyond_tolerance = false;
};

/// One place where a decision flipped, or could.
struct DecisionPoint {
  std::int64_t index = 0;           ///< of the element that decides by a, logical
  std::int64_t other = -1;          ///< of the one that would take its place; -1: a threshold does
  double a = 0, b = 0;              ///< values at `index`
  double a_other = 0, b_other = 0;  ///< at `other`, or the threshold twice
  double margin = 0;                ///< |a - a_other|
  double bound = 0;                 ///< how far b may move that distance
  bool flipped = false;
};

/// What somebody decides by an output, taken by both sides (compare/margins.hpp has the rule).
struct DecisionResult {
  std::string output, rule, shape;  ///< "logits", "argmax:-1", "1x10"
  std::optional<int> axis;          ///< of argmax and topk: what it decides along, from 0
  std::int64_t decisions = 0;
  std::int64_t flipped = 0;     ///< b decides otherwise than a
  std::int64_t could_flip = 0;  ///< it did not, but within the bound it could
  double smallest_margin = 0;
  double largest_error = 0;           ///< max |b - a| of the output: the measured part of the bound
  double bound_coefficient = 0;       ///< of M at the output's stage, both sides together
  double largest_bound = 0;           ///< the derived part of the bound where it is largest
  std::vector<DecisionPoint> points;  ///< at most 8: flipped ones, then the nearest
  std::string not_judged;             ///< why there is no answer; empty when there is
};

struct SideRecord {
  std::string spec;  ///< "cpu:tf32@sm_90"
  std::string backend, device;
  std::string numerics;  ///< "conv tf32, matmul tf32, round rna, batch norm kept, sm_90"
  std::string contract;  ///< the commonest contract string of its MAC stages
  std::string promise;
  std::vector<std::pair<std::string, std::string>> facts;
};

/// When the accumulated relative error first passes a power of ten.
struct Milestone {
  double threshold = 0;  ///< 1e-6, 1e-5, …
  int stage = -1;
};

/// The three answers, as ids and numbers; reports make sentences of them.
struct Answers {
  int first_diverging = -1;         ///< (1) stage id; -1: none
  std::vector<int> by_share;        ///< (2) stage ids, largest share of the final error first
  int largest_introduced = -1;      ///< relative to the RMS of its a
  int first_different = -1;         ///< first stage whose introduced bits differ
  double worst_share_of_bound = 0;  ///< the largest of all stages' largest_share_of_bound()
  int worst_share_stage = -1;
  std::vector<Milestone> milestones;  ///< (3)
  int first_beyond_tolerance = -1;
  /// Causes of the final error over the attributed stages, weighted by their shares of it, largest
  /// first; together 1. Empty when no stage was attributed.
  std::vector<CauseTotal> causes;
  double attributed_share = 0;               ///< of the final error, made by the attributed stages
  std::int64_t counts[5] = {0, 0, 0, 0, 0};  ///< stages per Verdict, in its order
};

/// Everything a report may say. Reports are functions of this value and compute nothing.
struct RunRecord {
  int schema = 1;
  std::string tool_version, tool_commit;
  std::string command;  ///< to run it again
  std::string model, model_digest, producer;
  int opset = 0;
  std::vector<std::pair<std::string, std::string>>
      inputs;  ///< name "pillars": "float32 1x64x512x512 from pillars:7, digest …"
  std::vector<std::string> notes, lints;
  SideRecord a, b;
  std::vector<StageResult> stages;
  std::vector<BlockResult> blocks;
  std::vector<OutputResult> outputs;
  std::vector<DecisionResult> decisions;  ///< in the order they were asked for
  Answers answers;
  std::optional<double> tolerance;
  int exit_code = 0;
  std::string started;          ///< time: ISO 8601, or empty
  double seconds = 0;           ///< time
  std::int64_t peak_bytes = 0;  ///< measured, varies like a time; 0: not measured
};

}  // namespace parity
