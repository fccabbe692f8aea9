#include "compare/latency.hpp"

#include <algorithm>
#include <chrono>

#include "model/error.hpp"

namespace parity {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Reading an element waits for what computes it; a backend may only have queued the work.
void await(const Backend& backend, const Value& value) {
  constexpr std::int64_t first = 0;
  if (element_count(value.shape()) > 0) backend.elements(value, {&first, 1});
}

}  // namespace

Timing timing_of(std::vector<double> seconds) {
  if (seconds.empty()) throw Error(Fault::internal, "a timing of no runs");
  std::sort(seconds.begin(), seconds.end());
  const std::size_t n = seconds.size();
  return {.least = seconds.front(),
          .median = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2,
          .p95 = seconds[(95 * n + 99) / 100 - 1],
          .most = seconds.back()};
}

LatencyRecord latency(const LatencyRequest& r) {
  const std::size_t stages = r.plan.stages.size();
  Progress progress;
  progress.stages = r.warm_up + 2 * r.runs;  // a step of this walk is a whole run
  const auto announce = [&](const std::string& what) {
    progress.stage = what;
    if (r.observer) r.observer(progress);
  };
  RunRequest request{.graph = r.graph,
                     .plan = r.plan,
                     .backend = r.backend,
                     .execution = r.execution,
                     .inputs = r.inputs,
                     .packed_weights = PackedWeights::keep};
  const auto run_once = [&] {
    const Clock::time_point start = Clock::now();
    const RunResult result = run(request);
    for (const Value& output : result.outputs) await(r.backend, output);
    ++progress.stages_done;
    return seconds_since(start);
  };

  LatencyRecord record;
  record.runs = r.runs;
  for (int i = 0; i < r.warm_up; ++i) {
    announce("warm-up");
    run_once();
  }
  for (int i = 0; i < r.runs; ++i) {
    announce("whole");
    record.seconds.push_back(run_once());
    record.over += r.budget_seconds > 0 && record.seconds.back() > r.budget_seconds;
  }
  record.whole = timing_of(record.seconds);

  std::vector<std::vector<double>> seconds(stages);
  std::size_t position = 0;
  Clock::time_point start;
  request.observer = [&](const Progress&) { start = Clock::now(); };
  request.tap = [&](const PlannedStage&, std::span<const Value> outputs) {
    for (const Value& output : outputs) await(r.backend, output);
    seconds[position++].push_back(seconds_since(start));
  };
  for (int i = 0; i < r.runs; ++i) {
    announce("by stage");
    position = 0;
    run_once();
  }
  announce({});

  for (std::size_t s = 0; s < stages; ++s) {
    const PlannedStage& planned = r.plan.stages[s];
    record.stages.push_back({.id = planned.stage.id,
                             .name = planned.stage.name,
                             .contract = planned.contract_text(),
                             .shape = to_string(planned.stage.output_types.at(0).shape),
                             .macs = planned.stage.macs,
                             .timing = timing_of(std::move(seconds[s]))});
  }
  return record;
}

}  // namespace parity
