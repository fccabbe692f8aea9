#pragma once

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compare/differ.hpp"

namespace parity {

/// What diff() and diff_capture() share: where errors come from, the record's frame, the answers.

/// Seconds since it was made or last read.
class Stopwatch {
 public:
  double lap();

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The value where `to` can read it; shared when it can be.
Value on(Backend& to, const Execution& to_execution, Backend& from, const Execution& from_execution,
         const Value& value);

/// A tensor's accumulated error and where it came from.
struct Lineage {
  double energy = 0;           ///< ||b - a||^2
  double norm_square = 0;      ///< ||a||^2
  std::vector<double> shares;  ///< per stage; sums to 1, empty when there is no error
};

/// Hands shares of the error on from stage to stage: at each stage the part that was introduced
/// there is <l - a, b - a> / <b - a, b - a>; the rest came with the inputs, in proportion to their
/// error energies.
class ErrorFlow {
 public:
  explicit ErrorFlow(std::size_t stages) : stages_(stages) {}

  void source(TensorId input, double norm_square);
  /// `stage`: position in the plan. `split` is nothing when a and b agree in every bit.
  void pass(std::size_t stage, std::span<const TensorId> inputs, std::span<const TensorId> outputs,
            const std::optional<Split>& split, double norm_square);
  /// A stage that nobody looked into: what its inputs owe, its outputs owe.
  void carry(std::span<const TensorId> inputs, std::span<const TensorId> outputs,
             double norm_square);
  /// ||inherited|| / ||accumulated at the inputs||, each relative to its tensor's norm; 0 without
  /// either.
  double amplification(std::span<const TensorId> inputs, const Split& split) const;
  /// Over the given tensors together, weighted by their error energies; empty when there is no
  /// error.
  std::vector<double> shares_of(std::span<const TensorId> tensors) const;

 private:
  std::size_t stages_;
  std::map<TensorId, Lineage> known_;
};

/// Names, nodes, shapes and contracts of a stage; its figures are still empty.
StageResult frame_of(const Stage& stage, const std::vector<Stage>& all, const PlannedStage* a,
                     const PlannedStage* b);
/// Spec, device, numerics, commonest contract and weakest promise of a side.
SideRecord side_record(const Plan& plan, const BackendInfo& info);
std::string numerics_text(const Numerics& numerics);

/// Element indices for a test on a sample: all when `all`, else 4096 seeded ones and `also`.
std::vector<std::int64_t> sample_of(std::int64_t elements, bool all, std::uint64_t seed,
                                    std::span<const std::int64_t> also);

bool is_recurrent(const PlannedStage& planned);

/// What is said of a recurrent layer that stays within bounds wider than its own values: the worst case grows
/// along the steps until no result of a plausible size could leave it. Where that holds of any element the
/// stage becomes untrusted, for what was not judged is no agreement; an element y that is the exact value needs no
/// bound. Empty: nothing to say. All spans are of the same elements.
std::string tell_of_wide_bounds(const PlannedStage& planned, std::span<const double> y,
                                std::span<const double> exact, std::span<const double> magnitude,
                                const Allowance& allowance, StageResult& result);
/// The same of a stage of which so many elements of `all` were found to be without a bound that says anything;
/// `advice`: what to do about it.
std::string tell_of_unjudged(const PlannedStage& planned, std::int64_t unjudged, std::int64_t all,
                             const std::string& advice, StageResult& result);

/// Whether a NaN that belongs here is not there.
inline bool swallowed(double exact, double y) { return std::isnan(exact) && !std::isnan(y); }

/// Judges y against exact values, element by element: |y - exact| <= c*M + t + (n + 8)*2^-53*M. Where the
/// exact value is NaN y must be one, whatever M: a NaN comes of NaN or infinite operands, in any order.
OracleTest judge_exact(std::span<const std::int64_t> indices, bool all, std::span<const double> y,
                       std::span<const double> exact, std::span<const double> magnitude,
                       const Allowance& allowance, std::int64_t terms);

/// Why an output that nothing can be said against proves nothing all the same: no element is
/// informative, every element is one constant, or the output equals an input bit for bit under a head
/// for which that means that nothing was done. `inputs` and `output` are readable by `backend`.
std::optional<Diagnosis> proves_nothing(Backend& backend, const Execution& execution,
                                        const PlannedStage& planned, std::span<const Value> inputs,
                                        const Value& output, const Comparison& introduced);

/// Whether the stage's outputs stay double between stages (exact rounds its outputs).
bool keeps_double(const PlannedStage& planned);

/// Which stage makes each tensor; position in `stages`.
std::map<TensorId, int> producers_of(const std::vector<Stage>& stages);

/// The graph's outputs, each with the stage that makes it and its accumulated error where there is one.
std::vector<OutputResult> output_results(const Graph& graph, const std::vector<Stage>& stages,
                                         const std::map<TensorId, Comparison>& accumulated);

/// "1 element", "2 elements".
std::string counted(std::int64_t count, const std::string& of);

/// Notes what makes agreements cheap: inputs that are zero throughout, or hold what is not finite.
void note_on_inputs(RunRecord& record, const Graph& graph, std::span<const Tensor> inputs);

/// The fault that the stage's likeliest diagnosis proves, as its waterfall tells it.
ProvedFault proved_fault(const StageResult& stage);

/// Positions in record.stages of those to attribute: the first diverging one, the `most` with the
/// largest shares and the stage `also` (-1: none), as far as their bits differ.
std::vector<std::size_t> stages_to_attribute(const RunRecord& record, std::size_t most, int also);
/// The network's causes from its stages' attributions.
void add_causes(RunRecord& record);

/// Shares, blocks, outputs' tolerance, answers, counts, maps kept, exit code. `output_shares` from
/// ErrorFlow.
void conclude(RunRecord& record, const std::vector<double>& shares);

}  // namespace parity
