#include "compare/narrow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "compare/walk.hpp"
#include "model/error.hpp"

namespace parity {
namespace {

/// What the culprits must leave of the difference when nobody says otherwise and no stage diverged.
constexpr double usual_goal = 0.5;

bool in_double(const Plan& plan) { return plan.numerics.conv == Math::fp64; }

/// A value on its way through a mixed run.
struct Mixed {
  Value value;
  bool on_b = false;  ///< which side made it
  bool of_a = false;  ///< bit for bit what a made
};

class Search {
 public:
  explicit Search(const NarrowRequest& request) : r_(request) {
    for (const Stage& stage : r_.stages) macs_ += stage.macs;
    macs_ = std::max<std::int64_t>(macs_, 1);
  }

  NarrowRecord run() {
    differ();
    const std::vector<bool> all(r_.stages.size(), true);
    record_.all = mixed(all);
    if (!record_.all.same_bits) {
      find();
      verify();
    } else {
      record_.rest = record_.all;
      record_.goal_reached = true;
    }
    record_.networks = static_cast<double>(spent_) / static_cast<double>(macs_);
    progress_.stage.clear();
    if (r_.observer) r_.observer(progress_);
    return std::move(record_);
  }

 private:
  /// The diff, and on its way all of a's values.
  void differ() {
    for (std::size_t i = 0; i < r_.inputs.size(); ++i)
      keep(r_.graph.inputs[i], r_.a.backend.upload(r_.inputs[i], r_.a.execution));
    DiffRequest request{.graph = r_.graph,
                        .stages = r_.stages,
                        .a = r_.a,
                        .b = r_.b,
                        .referee = r_.referee,
                        .inputs = r_.inputs,
                        .observer = r_.observer};
    request.tap_a = [&](const PlannedStage& planned, std::span<const Value> outputs) {
      for (std::size_t j = 0; j < outputs.size(); ++j) keep(planned.stage.outputs[j], outputs[j]);
    };
    record_.diff = diff(request);
  }

  void keep(TensorId id, const Value& value) {
    of_a_[id] = value;
    digest_of_a_[id] = r_.a.backend.digest(value, r_.a.execution);
  }

  const Side& side(bool b) const { return b ? r_.b : r_.a; }

  /// The value where a side reads it, rounded to float32 where that side computes in it.
  Value given_to(bool b, const Mixed& x) {
    const Side &to = side(b), &from = side(x.on_b);
    if (x.value.type().type == Type::float64 && !in_double(to.plan))
      return to.backend.upload(to_float32(from.backend.download(x.value, from.execution)),
                               to.execution);
    return on(to.backend, to.execution, from.backend, from.execution, x.value);
  }

  /// Runs the network with the marked stages by b and the others by a.
  FinalDifference mixed(const std::vector<bool>& by_b) {
    ++record_.runs;
    std::map<TensorId, Mixed> changed;  // values that are not a's
    std::map<TensorId, int> readers;
    for (const Stage& stage : r_.stages)
      for (const TensorId id : stage.inputs) ++readers[id];
    for (const TensorId id : r_.graph.outputs) ++readers[id];
    const auto find = [&](TensorId id) {
      const auto found = changed.find(id);
      return found != changed.end() ? found->second : Mixed{of_a_.at(id), false, true};
    };
    for (std::size_t i = 0; i < r_.stages.size(); ++i) {
      const Stage& stage = r_.stages[i];
      std::vector<Mixed> inputs;
      bool as_a = !by_b[i];
      for (const TensorId id : stage.inputs) {
        inputs.push_back(find(id));
        as_a = as_a && inputs.back().of_a;
      }
      if (!as_a && !known_same(i, by_b[i], inputs)) {
        tell(i, stage.name);
        spent_ += stage.macs;
        const Side& where = side(by_b[i]);
        std::vector<Value> given;
        for (const Mixed& input : inputs) given.push_back(given_to(by_b[i], input));
        std::vector<Value> made =
            where.backend.run(where.plan.stages[i], given, Reading::values, where.execution);
        where.backend.forget(where.plan.stages[i]);
        bool same = true;
        for (std::size_t j = 0; j < made.size(); ++j) {
          const TensorId id = stage.outputs[j];
          if (made[j].type() == of_a_.at(id).type() &&
              where.backend.digest(made[j], where.execution) == digest_of_a_.at(id))
            continue;
          same = false;
          changed[id] = {std::move(made[j]), by_b[i], false};
        }
        note_same(i, by_b[i], inputs, same);
      }
      for (const TensorId id : stage.inputs)
        if (--readers[id] == 0) changed.erase(id);
    }
    return difference(changed);
  }

  /// Whether the stage by b on a's own inputs is known to give a's bits.
  bool known_same(std::size_t i, bool b, const std::vector<Mixed>& inputs) const {
    return b && same_on_a_.contains(i) &&
           std::all_of(inputs.begin(), inputs.end(), [](const Mixed& x) { return x.of_a; });
  }
  void note_same(std::size_t i, bool b, const std::vector<Mixed>& inputs, bool same) {
    if (b && same &&
        std::all_of(inputs.begin(), inputs.end(), [](const Mixed& x) { return x.of_a; }))
      same_on_a_.insert(i);
  }

  FinalDifference difference(const std::map<TensorId, Mixed>& changed) {
    FinalDifference worst;
    worst.same_bits = true;
    for (const TensorId id : r_.graph.outputs) {
      const auto found = changed.find(id);
      if (found == changed.end()) continue;
      const Side& made = side(found->second.on_b);
      const Comparison c = r_.a.backend.compare(
          of_a_.at(id),
          on(r_.a.backend, r_.a.execution, made.backend, made.execution, found->second.value),
          nullptr, {}, r_.a.execution);
      if (c.differing == 0) continue;
      worst.same_bits = false;
      const bool breaks = c.nan_mismatches + c.infinity_mismatches > 0;
      const double max_abs = breaks ? std::numeric_limits<double>::infinity() : c.max_abs;
      const double relative = max_abs == 0  ? 0
                              : c.rms_a > 0 ? max_abs / c.rms_a
                                            : std::numeric_limits<double>::infinity();
      if (worst.output.empty() || relative > worst.relative)
        worst = {r_.graph.tensor(id).name, max_abs, relative, false};
    }
    return worst;
  }

  bool reached(const FinalDifference& d) const {
    if (record_.goal == 0) return d.same_bits;
    if (!std::isfinite(record_.all.relative)) return std::isfinite(d.relative);
    return d.relative <= record_.goal * record_.all.relative;
  }

  bool may_spend() {
    if (static_cast<double>(spent_) < r_.most_networks * static_cast<double>(macs_)) return true;
    if (record_.stopped.empty())
      record_.stopped = "the search had cost as much as " +
                        std::to_string(static_cast<std::int64_t>(r_.most_networks)) +
                        " runs of the network";
    return false;
  }

  /// Every stage by b but those of the set.
  FinalDifference without(const std::set<std::size_t>& replaced) {
    std::vector<bool> by_b(r_.stages.size(), true);
    for (const std::size_t i : replaced) by_b[i] = false;
    return mixed(by_b);
  }

  /// Whether the arithmetic is the same on both sides at every stage outside the set, by contract.
  bool others_promise_equality(const std::set<std::size_t>& set) const {
    for (std::size_t i = 0; i < r_.stages.size(); ++i) {
      const PlannedStage &a = r_.a.plan.stages[i], &b = r_.b.plan.stages[i];
      if (set.contains(i)) continue;
      if (a.contract_text() != b.contract_text() ||
          a.numerics.batch_norm != b.numerics.batch_norm ||
          std::min(a.promise(), b.promise()) != Determinism::host_to_gpu)
        return false;
    }
    return true;
  }

  void find() {
    std::set<std::size_t> culprits;
    for (std::size_t i = 0; i < record_.diff.stages.size(); ++i)
      if (record_.diff.stages[i].verdict == Verdict::diverged) culprits.insert(i);
    const bool proven = !culprits.empty();
    record_.goal = r_.goal.value_or(others_promise_equality(culprits) ? 0 : usual_goal);
    record_.rest = proven ? without(culprits) : record_.all;
    // Diverged stages explain the difference as a bug; what the others add is arithmetic.
    const bool enough = proven && !r_.goal && record_.goal != 0;
    if (!enough && !reached(record_.rest)) extend(culprits);
    record_.goal_reached = enough || reached(record_.rest);
    for (const std::size_t i : culprits) {
      const StageResult& stage = record_.diff.stages[i];
      Culprit culprit;
      culprit.stage = static_cast<int>(i);
      culprit.name = stage.name;
      culprit.contract_a = stage.contract_a;
      culprit.contract_b = stage.contract_b;
      culprit.verdict = stage.verdict;
      culprit.reason = stage.reason;
      record_.culprits.push_back(std::move(culprit));
    }
  }

  /// Adds the stages that the goal needs, and leaves rest as it is with them.
  void extend(std::set<std::size_t>& culprits) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < r_.stages.size(); ++i)
      if (!culprits.contains(i)) order.push_back(i);
    if (order.empty()) return;
    const auto share = [&](std::size_t i) { return record_.diff.stages[i].share_of_final; };
    const auto differs = [&](std::size_t i) {
      const auto& introduced = record_.diff.stages[i].introduced;
      return introduced && introduced->differing > 0;
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      if (differs(x) != differs(y)) return differs(x);
      return share(x) > share(y);
    });
    const auto with_prefix = [&](std::size_t count) {
      std::set<std::size_t> set = culprits;
      set.insert(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
      return set;
    };
    // Gallop to a prefix that reaches the goal, then bisect between it and the last that did not.
    std::size_t short_of = 0, enough = 0;
    for (std::size_t count = 1; enough == 0 && may_spend();
         count = std::min(2 * count, order.size())) {
      const FinalDifference d = without(with_prefix(count));
      if (reached(d)) {
        enough = count;
        record_.rest = d;
      } else {
        short_of = count;
        if (count == order.size()) return;  // not even a's whole arithmetic: a tie of rounding
      }
    }
    while (enough - short_of > 1 && may_spend()) {
      const std::size_t middle = (short_of + enough) / 2;
      const FinalDifference d = without(with_prefix(middle));
      (reached(d) ? enough : short_of) = middle;
      if (reached(d)) record_.rest = d;
    }
    if (enough == 0) return;
    std::set<std::size_t> set = with_prefix(enough);
    // The last of a shortest prefix is needed; of the others, the least likely go first.
    for (std::size_t k = enough - 1; k-- > 0 && may_spend();) {
      std::set<std::size_t> fewer = set;
      fewer.erase(order[k]);
      const FinalDifference d = without(fewer);
      if (!reached(d)) continue;
      set = std::move(fewer);
      record_.rest = d;
    }
    culprits = std::move(set);
  }

  /// What replacing each culprit does to the final difference.
  void verify() {
    std::set<std::size_t> all;
    for (const Culprit& culprit : record_.culprits)
      all.insert(static_cast<std::size_t>(culprit.stage));
    for (Culprit& culprit : record_.culprits) {
      const auto i = static_cast<std::size_t>(culprit.stage);
      culprit.replaced = all.size() == 1 ? record_.rest : without({i});
      std::vector<bool> only(r_.stages.size(), false);
      only[i] = true;
      culprit.alone = mixed(only);
      std::set<std::size_t> others = all;
      others.erase(i);
      culprit.left = others.empty() ? record_.all : without(others);
    }
  }

  void tell(std::size_t at, const std::string& stage) {
    if (!r_.observer) return;
    // How many runs it takes is not known: the measure is what it may cost at most.
    progress_.stage = stage + " in mixed run " + std::to_string(record_.runs);
    progress_.stages = static_cast<int>(r_.stages.size());
    progress_.stages_done = static_cast<int>(at);
    progress_.macs = static_cast<std::int64_t>(r_.most_networks * static_cast<double>(macs_));
    progress_.macs_done = std::min(spent_, progress_.macs);
    r_.observer(progress_);
  }

  const NarrowRequest& r_;
  NarrowRecord record_;
  Progress progress_;
  std::int64_t macs_ = 0, spent_ = 0;
  std::map<TensorId, Value> of_a_;
  std::map<TensorId, Digest> digest_of_a_;
  std::set<std::size_t> same_on_a_;  // stages that b computes to a's bits on a's inputs
};

}  // namespace

NarrowRecord narrow(const NarrowRequest& request) { return Search(request).run(); }

int exit_code_of(const NarrowRecord& record) {
  if (record.diff.exit_code == 0 && !record.stopped.empty()) return 4;
  return record.diff.exit_code;
}

}  // namespace parity
