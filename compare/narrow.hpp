#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/differ.hpp"

namespace parity {

/// How far a run that mixes both sides lies from a's outputs.
struct FinalDifference {
  std::string output;      ///< the graph output where it is largest relative to its RMS
  double max_abs = 0;      ///< |y - a| there; infinite where NaN or infinities do not match
  double relative = 0;     ///< max_abs / RMS(a)
  bool same_bits = false;  ///< of every output
};

/// A stage whose arithmetic the final difference is owed to, verified by substitution.
struct Culprit {
  int stage = 0;  ///< position in the plan
  std::string name, contract_a, contract_b;
  Verdict verdict = Verdict::within_bound;  ///< of the diff
  std::string reason;
  FinalDifference replaced;  ///< this stage by a, all others by b
  FinalDifference alone;     ///< this stage by b, all others by a
  FinalDifference left;      ///< all culprits but this one by a
};

/// What `paritylab narrow` tells.
struct NarrowRecord {
  RunRecord diff;
  FinalDifference all;            ///< every stage by b
  FinalDifference rest;           ///< the culprits by a, all others by b
  std::vector<Culprit> culprits;  ///< in stage order
  double goal = 0;  ///< `rest` was to be at most this share of `all`; 0: the same bits
  bool goal_reached = false;
  int runs = 0;         ///< mixed runs
  double networks = 0;  ///< their arithmetic, in runs of the whole network
  std::string stopped;  ///< why the search ended early; empty: it did not
};

struct NarrowRequest {
  const Graph& graph;
  const std::vector<Stage>& stages;  ///< cut(graph)
  Side a, b;
  Referee referee;
  std::span<const Tensor> inputs;
  /// Share of the difference that the culprits must explain away; none: the same bits where every
  /// other stage has one contract on both sides, nothing more than the diverged stages where there
  /// are some, else a half.
  std::optional<double> goal = {};
  double most_networks = 64;  ///< the search stops before it costs more runs of the network
  Observer observer = {};
};

/// Finds every stage that the final difference is owed to, and verifies it by substitution.
///
/// A diff first: its diverged stages are culprits by proof, each on its own shared input, so that
/// several are found at once and on any branch. Where that does not reach the goal, further stages
/// join in the order of their shares of the final error: the shortest prefix that reaches it, by
/// galloping and bisection, from which every stage that is not needed is taken out again. The set
/// is minimal in that sense: no added stage can be left out alone.
///
/// Every claim is a mixed run of the whole network: some stages by a, the others by b, each on what
/// the stages before it really made. Stages whose inputs are still a's bit for bit are not run
/// again, so all of a's values are kept. Throws what diff() throws.
NarrowRecord narrow(const NarrowRequest& request);

/// The diff's exit code; 4 instead of 0 when the search ended early.
int exit_code_of(const NarrowRecord& record);

}  // namespace parity
