#include "compare/determinism.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "model/arithmetic/digest.hpp"
#include "model/batch.hpp"
#include "model/error.hpp"

namespace parity {
namespace {

bool reads_workspace(const Plan& plan) {
  for (const PlannedStage& stage : plan.stages)
    for (const Contract& contract : stage.contracts)
      if (contract.algorithm == Algorithm::gemm_cublas) return true;
  return false;
}

/// Trails as keys of a set.
std::vector<std::uint64_t> flat(const Trail& trail) {
  std::vector<std::uint64_t> words;
  for (const auto& stage : trail.stages)
    for (const Digest& digest : stage) words.insert(words.end(), digest.lane, digest.lane + 2);
  return words;
}

/// Reference items at their place in a batch.
Tensor at_place(const Tensor& whole, std::int64_t batch, std::int64_t place) {
  const std::int64_t items = whole.shape().front() / batch;
  return items_of(whole, place * items, items);
}

class Repeater {
 public:
  explicit Repeater(const DeterminismRequest& request) : r_(request) {
    record_.model = r_.graph.name;
    record_.model_digest = r_.graph.digest;
    record_.spec = r_.plan.spec;
    record_.device = r_.backend.info(r_.execution).device;
    for (const PlannedStage& planned : r_.plan.stages) macs_ += planned.stage.macs;
    std::int64_t runs = 1, items = 1;
    for (const Variation& v : r_.variations) {
      if (!v.not_tried.empty()) continue;
      runs += v.runs;
      items += v.runs * v.batch;
    }
    progress_.stages = static_cast<int>(r_.plan.stages.size() * static_cast<std::size_t>(runs));
    progress_.macs = macs_ * items;
  }

  DeterminismRecord run() {
    reference();
    for (const Variation& variation : r_.variations) {
      AxisResult& axis = axis_of(variation);
      if (!variation.not_tried.empty()) {
        axis.not_tried.push_back(variation.not_tried);
        continue;
      }
      axis.settings.push_back(variation.setting);
      for (int i = 0; i < variation.runs; ++i)
        variation.batch > 1 ? in_batch(variation, axis) : once(variation, axis);
    }
    progress_.stage.clear();
    if (r_.observer) r_.observer(progress_);
    for (AxisResult& axis : record_.axes)
      axis.digests = static_cast<int>(trails_[axis.axis].size());
    return std::move(record_);
  }

 private:
  AxisResult& axis_of(const Variation& variation) {
    const auto found = std::find_if(record_.axes.begin(), record_.axes.end(),
                                    [&](const AxisResult& a) { return a.axis == variation.axis; });
    if (found != record_.axes.end()) return *found;
    record_.axes.push_back({});
    record_.axes.back().axis = variation.axis;
    return record_.axes.back();
  }

  RunRequest request_of(const Plan& plan, const Execution& execution) {
    return {.graph = r_.graph,
            .plan = plan,
            .backend = r_.backend,
            .execution = execution,
            .inputs = r_.inputs};
  }

  /// Hands a run's progress on as a part of all runs.
  Observer observer(const std::string& what) {
    if (!r_.observer) return {};
    return [this, what, before = progress_](const Progress& run) {
      progress_ = before;
      progress_.stage = run.stage.empty() ? std::string() : what + run.stage;
      progress_.stages_done += run.stages_done;
      progress_.macs_done += run.macs_done;
      if (!run.stage.empty()) r_.observer(progress_);
    };
  }

  void reference() {
    RunRequest request = request_of(r_.plan, r_.execution);
    request.observer = observer("reference: ");
    request.tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
      StageRepeat stage;
      stage.id = planned.stage.id;
      stage.name = planned.stage.name;
      stage.contract = planned.contract_text();
      stage.promise = planned.promise();
      stage.shape = to_string(planned.stage.output_types.front().shape);
      std::vector<Digest> digests;
      for (const Value& value : outputs) digests.push_back(r_.backend.digest(value, r_.execution));
      stage.digest = digests.front();
      const Comparison self = r_.backend.compare(outputs[0], outputs[0], nullptr, {}, r_.execution);
      stage.elements = self.elements;
      stage.informative = self.informative;
      reference_.stages.push_back(std::move(digests));
      record_.stages.push_back(std::move(stage));
    };
    parity::run(request);
  }

  /// Counts a repetition; returns the first stage and output where it left the reference.
  std::optional<std::pair<int, int>> count(const Trail& trail, AxisResult& axis) {
    if (trail.stages.size() != reference_.stages.size())
      throw Error(Fault::internal, "a repetition of " + r_.graph.name + " has " +
                                       std::to_string(trail.stages.size()) + " stages, not " +
                                       std::to_string(reference_.stages.size()));
    const bool same = trail == reference_;
    trails_[axis.axis].insert(flat(trail));
    ++axis.runs;
    ++record_.runs;
    axis.same += same;
    record_.same += same;
    std::optional<std::pair<int, int>> first;
    for (std::size_t s = 0; s < trail.stages.size(); ++s) {
      ++record_.stages[s].runs;
      record_.stages[s].same += trail.stages[s] == reference_.stages[s];
      for (std::size_t j = 0; j < trail.stages[s].size() && !first; ++j)
        if (trail.stages[s][j] != reference_.stages[s].at(j))
          first = {static_cast<int>(s), static_cast<int>(j)};
    }
    return first;
  }

  /// One repetition of the network as it is.
  void once(const Variation& variation, AxisResult& axis) {
    Trail trail;
    std::optional<Tensor> changed;  // the first output that left the reference
    if (variation.elsewhere) {
      if (r_.observer) {
        progress_.stage = variation.axis + " " + variation.setting;
        r_.observer(progress_);
      }
      trail = variation.elsewhere->trail();
      progress_.macs_done += macs_;
      progress_.stages_done += static_cast<int>(r_.plan.stages.size());
    } else {
      RunRequest request =
          request_of(variation.plan ? *variation.plan : r_.plan, variation.execution);
      request.observer = observer(variation.axis + " " + variation.setting + ": ");
      const auto take = [&](std::span<const Value> outputs) {
        trail.stages.emplace_back();
        for (const Value& value : outputs) {
          trail.stages.back().push_back(r_.backend.digest(value, variation.execution));
          const auto& wanted = reference_.stages.at(trail.stages.size() - 1);
          if (!axis.first && !changed &&
              trail.stages.back().back() != wanted.at(trail.stages.back().size() - 1))
            changed = r_.backend.download(value, variation.execution);
        }
      };
      std::vector<std::vector<Value>> held;
      request.tap = [&](const PlannedStage&, std::span<const Value> outputs) {
        if (variation.digests == DigestsTaken::at_the_end)
          held.emplace_back(outputs.begin(), outputs.end());
        else
          take(outputs);
      };
      parity::run(request);
      for (const std::vector<Value>& outputs : held) take(outputs);
    }
    const auto first = count(trail, axis);
    if (!first || axis.first) return;
    const auto [stage, output] = *first;
    if (variation.elsewhere && variation.elsewhere->value)
      changed = variation.elsewhere->value(stage, output);
    axis.first = change(
        variation.setting, stage, output,
        trail.stages[static_cast<std::size_t>(stage)][static_cast<std::size_t>(output)], changed);
  }

  /// One batch, which counts as a repetition at each of its places.
  void in_batch(const Variation& variation, AxisResult& axis) {
    Rebatched made = with_items(r_.graph, variation.batch);
    if (!made.graph) {
      axis.settings.pop_back();
      axis.not_tried.push_back(variation.setting + ": " + made.why);
      return;
    }
    const std::vector<Stage> stages = cut(*made.graph);
    const Plan plan = make_plan(stages, r_.plan.numerics, r_.backend, r_.plan.spec);
    for (std::size_t s = 0; s < stages.size(); ++s)
      if (plan.stages.size() != r_.plan.stages.size() ||
          plan.stages[s].contract_text() != r_.plan.stages[s].contract_text())
        throw Error(Fault::internal,
                    "a larger batch of " + r_.graph.name + " was planned under other contracts");
    const std::vector<Tensor> inputs = batched_inputs(r_.inputs, variation.batch, variation.places);
    std::vector<Trail> trails(variation.places.size());
    std::vector<std::optional<Tensor>> changed(variation.places.size());
    parity::run({.graph = *made.graph,
                 .plan = plan,
                 .backend = r_.backend,
                 .execution = variation.execution,
                 .inputs = inputs,
                 .tap =
                     [&](const PlannedStage& planned, std::span<const Value> outputs) {
                       const std::size_t s = trails[0].stages.size();
                       for (Trail& trail : trails) trail.stages.emplace_back();
                       for (std::size_t j = 0; j < outputs.size(); ++j) {
                         const Tensor whole = r_.backend.download(outputs[j], variation.execution);
                         const Shape& alone = r_.plan.stages[s].stage.output_types[j].shape;
                         const bool constant = planned.stage.output_types[j].shape == alone;
                         for (std::size_t p = 0; p < trails.size(); ++p) {
                           const Tensor mine =
                               constant ? whole
                                        : at_place(whole, variation.batch, variation.places[p]);
                           const Digest d = digest(mine);
                           trails[p].stages[s].push_back(d);
                           if (!axis.first && !changed[p] && d != reference_.stages[s][j])
                             changed[p] = mine;
                         }
                       }
                     },
                 .observer = observer(variation.axis + " " + variation.setting + ": ")});
    for (std::size_t p = 0; p < trails.size(); ++p) {
      const auto first = count(trails[p], axis);
      if (!first || axis.first) continue;
      const auto [stage, output] = *first;
      axis.first = change(
          variation.setting + ", place " + std::to_string(variation.places[p]), stage, output,
          trails[p].stages[static_cast<std::size_t>(stage)][static_cast<std::size_t>(output)],
          changed[p]);
    }
  }

  /// The evidence: the reference once more for its values, and the first element that differs.
  Change change(const std::string& setting, int stage, int output, const Digest& digest,
                const std::optional<Tensor>& changed) {
    Change result;
    result.setting = setting;
    result.stage = stage;
    result.output = output;
    const auto s = static_cast<std::size_t>(stage), j = static_cast<std::size_t>(output);
    result.reference = reference_.stages[s][j];
    result.changed = digest;
    if (!changed) {
      result.without = "the values of that run are out of reach";
      return result;
    }
    std::optional<Value> again;
    std::size_t at = 0;
    RunRequest request = request_of(r_.plan, r_.execution);
    request.tap = [&](const PlannedStage&, std::span<const Value> outputs) {
      if (at++ == s) again = outputs[j];
    };
    parity::run(request);
    if (r_.backend.digest(*again, r_.execution) != result.reference) {
      result.without = "the reference did not give its own bits again";
      return result;
    }
    const Value other = r_.backend.upload(*changed, r_.execution);
    const Comparison c = r_.backend.compare(*again, other, nullptr, {}, r_.execution);
    result.differing = c.differing;
    result.element = c.first;
    if (!c.first) result.without = "the values of that run did not come again";
    return result;
  }

  const DeterminismRequest& r_;
  DeterminismRecord record_;
  Progress progress_;
  std::int64_t macs_ = 0;
  Trail reference_;
  std::map<std::string, std::set<std::vector<std::uint64_t>>> trails_;  // by axis
};

}  // namespace

bool varies(const Backend& backend, ExecutionAxis axis) {
  const std::vector<ExecutionAxis> axes = backend.axes();
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

std::vector<Variation> stream_variations(const Backend& backend, const Execution& execution) {
  if (!varies(backend, ExecutionAxis::streams))
    return {{.axis = "streams", .not_tried = backend.info(execution).name + " has no streams"}};
  std::vector<Variation> all;
  for (const int count : {1, 2, 3, 5}) {
    if (count == execution.streams) continue;
    Variation v{.axis = "streams",
                .setting = std::to_string(count),
                .execution = execution,
                .digests = DigestsTaken::at_the_end};
    v.execution.streams = count;
    all.push_back(std::move(v));
  }
  return all;
}

std::vector<Variation> workspace_variations(const Plan& plan, const Backend& backend,
                                            const Execution& execution) {
  const std::string axis = "workspace";
  if (!varies(backend, ExecutionAxis::workspace))
    return {{.axis = axis,
             .not_tried = backend.info(execution).name + " lends no workspace to a library"}};
  if (!reads_workspace(plan))
    return {{.axis = axis,
             .not_tried = "no stage goes through a vendor's library, which alone is lent a "
                          "workspace (algorithm=gemm:cublas)"}};
  // cuBLAS asks for 16 KiB at least; larger ones than it gives itself are allowed.
  constexpr std::int64_t kibibyte = 1024;
  std::vector<Variation> all;
  for (const std::int64_t size : {16, 1024, 4 * 1024, 32 * 1024, 64 * 1024}) {
    if (size * kibibyte == execution.workspace_bytes) continue;
    Variation v{.axis = axis, .setting = std::to_string(size) + " KiB", .execution = execution};
    v.execution.workspace_bytes = size * kibibyte;
    all.push_back(std::move(v));
  }
  return all;
}

DeterminismRecord determinism(const DeterminismRequest& request) { return Repeater(request).run(); }

int exit_code_of(const DeterminismRecord& record, std::span<const std::string> demanded) {
  if (record.same < record.runs) return 1;
  for (const AxisResult& axis : record.axes)
    if (axis.runs == 0 && std::find(demanded.begin(), demanded.end(), axis.axis) != demanded.end())
      return 4;
  for (const StageRepeat& stage : record.stages)
    if (stage.informative == 0) return 4;
  return record.runs == 0 ? 4 : 0;
}

std::vector<Tensor> batched_inputs(std::span<const Tensor> inputs, std::int64_t batch,
                                   std::span<const std::int64_t> places) {
  std::vector<Tensor> all;
  for (const Tensor& input : inputs) {
    TensorType type = input.type();
    type.shape.front() *= batch;
    const std::size_t width = byte_width(type.type), bytes = input.size_bytes();
    const auto* const from = static_cast<const std::byte*>(input.data());
    const auto owner =
        std::make_shared<std::vector<std::byte>>(bytes * static_cast<std::size_t>(batch));
    const bool rotates = type.type == Type::float32 || type.type == Type::float64;
    for (std::int64_t place = 0; place < batch; ++place) {
      std::byte* const to = owner->data() + static_cast<std::size_t>(place) * bytes;
      const bool own = std::find(places.begin(), places.end(), place) != places.end();
      // Rotated by a prime more at each place; an index or a mask keeps its meaning as it is.
      const std::size_t count = bytes / width;
      const std::size_t by =
          own || !rotates || count == 0 ? 0 : (static_cast<std::size_t>(place) + 1) * 997 % count;
      std::memcpy(to, from + by * width, bytes - by * width);
      std::memcpy(to + bytes - by * width, from, by * width);
    }
    all.emplace_back(std::move(type), owner, owner->data());
  }
  return all;
}

}  // namespace parity
