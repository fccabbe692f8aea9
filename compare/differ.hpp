#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/margins.hpp"
#include "compare/record.hpp"
#include "compare/run.hpp"
#include "model/backend.hpp"
#include "model/graph.hpp"
#include "model/plan.hpp"

namespace parity {

/// One side of a diff: where it runs and by which plan.
struct Side {
  Backend& backend;
  const Plan& plan;
  Execution execution;
  /// A CPU backend that runs the same contracts, to which a side that promises host_to_gpu is held
  /// bit for bit; null when the side is that backend itself.
  Backend* twin = nullptr;
};

/// Who decides which side is wrong: exact values, and the backend that holds the oracle's operands.
struct Referee {
  Oracle& oracle;
  Backend& backend;
  Execution execution;
};

struct DiffRequest {
  const Graph& graph;
  const std::vector<Stage>& stages;  ///< cut(graph); both plans are made from it
  Side a, b;
  Referee referee;
  std::span<const Tensor> inputs;        ///< in the order of graph.inputs
  std::optional<double> tolerance = {};  ///< absolute, in output units
  Observer observer = {};
  std::span<const Decision> decisions = {};  ///< checked: check_decisions(decisions, graph)
  /// Called per stage with a's and b's outputs, each readable by its own side.
  Tap tap_a = {}, tap_b = {};
  PackedWeights packed_weights = PackedWeights::forget;
  /// How often each side runs each stage on the same input, to see whether its bits repeat.
  int repeat = 1;
  /// Beside the first diverging stage, how many of those with the largest shares of the final error
  /// are attributed: a is run once more up to the last of them, and each is run at most ten times.
  std::size_t attribute = attribute_none;
  int attribute_also = -1;  ///< a stage that is attributed beside them, where any is; -1: none
};

/// Walks both plans in lock-step, holding only live values:
///
///   a = A(s, inputs of A)    b = B(s, inputs of B)    l = B(s, inputs of A)
///   introduced = l - a       accumulated = b - a      inherited = b - l
///
/// l is b when the inputs are bit-equal. Everything compared lies on B's backend. When A's values
/// are double and B's are not, the shared input is float(x_A) and a is recomputed on it.
///
/// Verdict of a stage, in this order (CONTRACTS section 7):
///   untrusted     no element is informative (finite, not zero on both sides), every element is one
///                 constant, or the output equals an input bit for bit under a head that is not pure
///                 movement (constants of the file and integers aside); or, with `repeat`, a side
///                 changed its bits between runs
///   same_bits     l and a agree in every bit
///   diverged      they differ under one contract that promises host_to_gpu (or on one backend and
///   device with
///                 run_to_run); or a side differs from its CPU twin, or leaves its own bound around
///                 the exact value; or |l - a| > bound_a + bound_b somewhere; or a side fails the
///                 statistical test of its contract's rounding noise (compare/statistics.hpp)
///   within_bound  otherwise
///
/// A diverged stage is diagnosed (compare/diagnosis.hpp): the referee computes it by the contracts of
/// the side that is blamed, and looks for the fault that gives that side's output.
///
/// Fills every field of the record that belongs to the walk; the caller adds tool, command, input
/// texts and times of its own. Throws what run() throws, and Fault::internal when the two plans are
/// not of the same cut.
RunRecord diff(const DiffRequest& request);

/// The exit code that a record stands for: 1 diverged, beyond the tolerance or a named decision
/// flipped, else 4 when a stage is untrusted or not_run or a decision was not judged, else 0.
int exit_code_of(const RunRecord& record);

/// Seconds of the runs that a diff needs: A, B, the shared-input run and the magnitudes, summed
/// over the stages. What is left of record.seconds is the differ's own cost.
double needed_seconds(const RunRecord& record);

}  // namespace parity
