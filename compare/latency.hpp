#pragma once

#include <span>
#include <string>
#include <vector>

#include "compare/run.hpp"

namespace parity {

/// What repeated timings of one thing came to, in seconds.
struct Timing {
  double least = 0, median = 0;
  double p95 = 0;  ///< nearest rank: 95 of 100 timings were not longer
  double most = 0;
};
/// Throws Fault::internal without timings.
Timing timing_of(std::vector<double> seconds);

struct StageLatency {
  int id = 0;
  std::string name, contract, shape;
  std::int64_t macs = 0;
  Timing timing;
};

/// What `paritylab bench` tells.
struct LatencyRecord {
  std::vector<StageLatency> stages;
  Timing
      whole;  ///< one inference: inputs handed over, every stage, one element of each output read
  int runs = 0;
  int over = 0;                 ///< runs that took longer than the budget
  std::vector<double> seconds;  ///< of each whole run, in their order
};

struct LatencyRequest {
  const Graph& graph;
  const Plan& plan;
  Backend& backend;
  Execution execution;
  std::span<const Tensor> inputs;  ///< in the order of graph.inputs
  int runs = 20;                   ///< timed whole, and as many again timed stage by stage
  int warm_up = 2;                 ///< untimed runs before, which pack weights and touch memory
  double budget_seconds = 0;       ///< 0: none
  Observer observer = {};
};

/// Times the plan with its weights packed and kept, as a deployment runs it. Whole runs are timed
/// without a look inside; stages in runs of their own, each of which waits for its stage to end.
/// Throws what run() throws.
LatencyRecord latency(const LatencyRequest& request);

}  // namespace parity
