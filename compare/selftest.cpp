#include "compare/selftest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "compare/capture.hpp"
#include "compare/differ.hpp"
#include "compare/probe.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"
#include "model/samples/topologies.hpp"
#include "model/spec.hpp"

namespace parity {
namespace {

struct Pair {
  const char *a, *b;
  std::string text() const { return std::string(a) + " | " + b; }
};
/// One contract on both sides: every bit counts.
constexpr std::array<Pair, 4> one_contract = {{{"cpu:fp32", "cpu:fp32"},
                                               {"cpu:tf32@sm_90", "cpu:tf32@sm_90"},
                                               {"cpu:tf32@sm_80", "cpu:tf32@sm_80"},
                                               {"cpu:fp32,fold_bn=on", "cpu:fp32,fold_bn=on"}}};
/// Two contracts: the bounds count.
constexpr std::array<Pair, 6> two_contracts = {
    {{"cpu:fp64", "cpu:fp32"},
     {"cpu:exact", "cpu:fp32"},
     {"cpu:tf32@sm_90", "cpu:fp32"},
     {"cpu:fp32", "cpu:tf32@sm_80"},
     {"cpu:fp32,fold_bn=on", "cpu:fp32"},
     {"cpu:fp32,algorithm=gemm:eigen,promise=run_to_run", "cpu:fp32"}}};
/// A recording of the second, judged against the first by what its arithmetic may have been.
constexpr std::array<Pair, 3> recordings = {
    {{"cpu:fp32", "cpu:fp32,algorithm=gemm:eigen,promise=run_to_run"},
     {"cpu:fp32", "cpu:fp32,fold_bn=on"},
     {"cpu:fp32", "cpu:tf32@sm_90"}}};
constexpr std::array<Pair, 17> clean_pairs = {
    {{"cpu:fp32", "cpu:fp32"},
     {"cpu:tf32@sm_90", "cpu:tf32@sm_90"},
     {"cpu:fp32", "cpu:tf32@sm_80"},
     {"cpu:fp32", "cpu:tf32@sm_90"},
     {"cpu:fp32", "cpu:tf32@sm_90,round=truncate"},
     {"cpu:tf32@sm_80", "cpu:tf32@sm_90"},
     {"cpu:tf32@sm_90,round=rn", "cpu:tf32@sm_90"},
     {"cpu:fp32", "cpu:fp64"},
     {"cpu:fp64", "cpu:fp32"},
     {"cpu:fp64", "cpu:tf32@sm_90"},
     {"cpu:fp32", "cpu:fp32,fold_bn=on"},
     {"cpu:fp32,fold_bn=on", "cpu:tf32@sm_80"},
     {"cpu:fp32", "cpu:fp32,algorithm=gemm:eigen,promise=run_to_run"},
     {"cpu:fp64", "cpu:fp32,algorithm=gemm:eigen,promise=run_to_run"},
     {"cpu:exact", "cpu:fp32"},
     {"cpu:exact", "cpu:tf32@sm_90,round=truncate"},
     {"cpu:fp64", "cpu:fp32,algorithm=chunk256"}}};

/// What a network is fed.
enum class Feed { normal, sparse, integers, hostile, tiny, one_nan };
constexpr std::array<Feed, 5> clean_feeds = {Feed::normal, Feed::sparse, Feed::integers,
                                             Feed::hostile, Feed::tiny};

Tensor fed(const TensorType& type, Feed feed, std::uint64_t seed) {
  if (feed == Feed::integers) return filled(type, Fill::exact, seed);
  if (feed == Feed::hostile) return filled(type, Fill::hostile, seed);
  std::vector<double> x = widened(filled(type, Fill::real, seed));
  const Counter random(seed, "selftest.feed");
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (feed == Feed::sparse && random.uniform(i) < 0.7) x[i] = 0;
    if (feed == Feed::tiny) x[i] *= 0x1p-127;
  }
  if (feed == Feed::one_nan)
    x[random.bits(0) % x.size()] = std::numeric_limits<double>::quiet_NaN();
  return narrowed(type, x);
}

/// One small network, cut and fed, and a workbench to run it on.
class Trial {
 public:
  Trial(const Workbench& bench, Topology topology, std::uint64_t seed, Feed feed)
      : bench_(bench),
        graph_(small_network(topology, seed,
                             feed == Feed::tiny ? Dressing::bare : Dressing::normalised)),
        stages_(cut(graph_)) {
    for (const TensorId id : graph_.inputs)
      inputs_.push_back(fed(graph_.tensor(id).type, feed, seed));
  }

  const std::vector<Stage>& stages() const { return stages_; }
  const Graph& graph() const { return graph_; }

  Plan plan(const char* spec) const {
    return make_plan(stages_, parse_spec(spec).numerics, *bench_.backend, spec);
  }

  RunRecord compare(const Plan& a, const Plan& b, const Injection* fault,
                    const Execution& on_b = Execution{}) const {
    const std::unique_ptr<Backend> faulty = faulty_or_null(fault);
    return diff(request(a, b, faulty.get(), on_b));
  }
  /// b's stages recorded, as another program would hand them over, and judged as a recording.
  RunRecord judge_recording(const Plan& a, const Plan& b, const Injection* fault) const {
    const std::unique_ptr<Backend> faulty = faulty_or_null(fault);
    Backend& recorder = faulty ? *faulty : *bench_.backend;
    Capture capture{"the recording", {}};
    run({.graph = graph_,
         .plan = b,
         .backend = recorder,
         .execution = {},
         .inputs = inputs_,
         .tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
           for (std::size_t j = 0; j < outputs.size(); ++j)
             capture.tensors.emplace_back(planned.stage.output_names[j],
                                          recorder.download(outputs[j], {}));
         }});
    return diff_capture({.graph = graph_,
                         .stages = stages_,
                         .a = {*bench_.backend, a, {}},
                         .referee = {*bench_.oracle, *bench_.backend, {}},
                         .inputs = inputs_,
                         .capture = capture,
                         .spec = "capture:recording.npz",
                         .numerics = foreign(b.numerics)});
  }
  RunRecord probe(const Plan& a, const Plan& b, const Injection* fault, std::uint64_t seed) const {
    const std::unique_ptr<Backend> faulty = faulty_or_null(fault);
    return probe_exact(request(a, b, faulty.get(), {}), seed);
  }

  enum class Visibility { silent, invisible, visible };
  /// By itself, without the differ: what the faulty stage makes of the values that it is judged on,
  /// A's in a diff and its own in a recording.
  Visibility visibility(const Plan& a, const Plan& b, const Injection& fault, bool recorded) const {
    Backend& cpu = *bench_.backend;
    const auto at = static_cast<std::size_t>(fault.stage);
    const PlannedStage& planned = b.stages[at];
    const std::vector<Value> x = inputs_of(recorded ? b : a, at);
    const std::unique_ptr<Backend> faulty = inject(cpu, fault);
    const Execution execution;
    const Value right = cpu.run(planned, x, Reading::values, execution)[0];
    const Value wrong = faulty->run(planned, x, Reading::values, execution)[0];
    if (cpu.compare(right, wrong, nullptr, {}, execution).differing == 0) return Visibility::silent;
    if (!recorded && a.stages[at].contract_text() == planned.contract_text() &&
        a.numerics.batch_norm == b.numerics.batch_norm)
      return Visibility::visible;
    const Plan exact = plan("cpu:exact");
    const std::vector<std::int64_t> all = sample_of(element_count(wrong.shape()), true, 1, {});
    const PlannedStage& kept =
        b.numerics.batch_norm == BatchNormalisation::folded ? exact.stages[at] : planned;
    const Value m = cpu.run(kept, x, Reading::magnitudes, execution)[0];
    // Who recorded may have summed in any order.
    const Allowance allowance =
        recorded ? foreign_allowance(
                       make_plan(stages_, arithmetic_behind(foreign(b.numerics)), cpu, "recorded")
                           .stages[at])
                 : stage_allowance(planned);
    const OracleTest test =
        judge_exact(all, true, cpu.elements(wrong, all),
                    bench_.oracle->exact_values_at(exact.stages[at], x, all, execution),
                    cpu.elements(m, all), allowance, stage_terms(exact.stages[at]));
    return test.beyond > 0 ? Visibility::visible : Visibility::invisible;
  }

 private:
  /// What a recording's spec would say of the arithmetic behind it.
  static Numerics foreign(const Numerics& numerics) {
    return parse_spec(numerics.conv == Math::tf32 ? "capture:x.npz,math=tf32" : "capture:x.npz")
        .numerics;
  }
  std::unique_ptr<Backend> faulty_or_null(const Injection* fault) const {
    return fault ? inject(*bench_.backend, *fault) : nullptr;
  }
  DiffRequest request(const Plan& a, const Plan& b, Backend* faulty, const Execution& on_b) const {
    return {.graph = graph_,
            .stages = stages_,
            .a = {*bench_.backend, a, {}},
            .b = {faulty ? *faulty : *bench_.backend, b, on_b},
            .referee = {*bench_.oracle, *bench_.backend, {}},
            .inputs = inputs_};
  }

  /// What stage `at` reads when `a` ran everything before it, in float32 as it is shared.
  std::vector<Value> inputs_of(const Plan& a, std::size_t at) const {
    Backend& cpu = *bench_.backend;
    std::map<TensorId, Value> made;
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      made[graph_.inputs[i]] = cpu.upload(inputs_[i], {});
    for (std::size_t s = 0; s < at; ++s) {
      std::vector<Value> x;
      for (const TensorId id : stages_[s].inputs) x.push_back(made.at(id));
      const std::vector<Value> y = cpu.run(a.stages[s], x, Reading::values, {});
      for (std::size_t j = 0; j < y.size(); ++j) made[stages_[s].outputs[j]] = y[j];
    }
    std::vector<Value> x;
    for (const TensorId id : stages_[at].inputs)
      x.push_back(cpu.upload(to_float32(cpu.download(made.at(id), {})), {}));
    return x;
  }

  const Workbench& bench_;
  Graph graph_;
  std::vector<Stage> stages_;
  std::vector<Tensor> inputs_;
};

/// Runs f(bench, k) for k in [first, last) on all threads; the results lie in order.
template <class Result, class F>
std::vector<Result> in_parallel(const std::vector<Workbench>& benches, std::int64_t first,
                                std::int64_t last, F f) {
  std::vector<Result> results(static_cast<std::size_t>(last - first));
  std::atomic<std::int64_t> next{first};
  std::mutex lock;
  std::exception_ptr failure;
  const auto work = [&](const Workbench& bench) {
    try {
      for (std::int64_t k = next++; k < last; k = next++)
        results[static_cast<std::size_t>(k - first)] = f(bench, k);
    } catch (...) {
      const std::lock_guard guard(lock);
      failure = std::current_exception();
      next = last;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 1; t < benches.size(); ++t)
    threads.emplace_back(work, std::cref(benches[t]));
  work(benches[0]);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  return results;
}

/// One fault seated, and what the differ said.
struct FaultCase {
  std::optional<Injection> injection;  ///< nothing: no fault of the kind drawn fits this network
  Trial::Visibility visibility = Trial::Visibility::silent;
  bool stage_right = false, proved = false, recorded = false;
  std::string given;  ///< label
  std::string where;
};

std::string shown(const Trial& trial, const Pair& pair, const Injection& fault) {
  const Stage& stage = trial.stages()[static_cast<std::size_t>(fault.stage)];
  return fmt::format("{} {:.6g} in stage {} ({}) of {}, {}", name(fault.bug), fault.amount,
                     fault.stage, stage.steps.front().op_type, trial.graph().name, pair.text());
}

/// Which inputs of a stage a ReLU has read before it: what is left of them when it works in place.
std::vector<double> overwritten(const std::vector<Stage>& stages, const Stage& stage) {
  std::vector<double> inputs;
  for (std::size_t k = 0; k < stage.inputs.size(); ++k)
    for (const Stage& earlier : stages) {
      const auto* unary = std::get_if<Unary>(earlier.steps.front().op.get());
      if (earlier.id < stage.id && unary && unary->function == EpilogueKind::relu &&
          earlier.inputs.front() == stage.inputs[k]) {
        inputs.push_back(static_cast<double>(k));
        break;
      }
    }
  return inputs;
}

FaultCase fault_case(const Workbench& bench, std::uint64_t seed, std::int64_t k) {
  const Counter random(seed, "selftest.fault." + std::to_string(k));
  const auto draw = [&](std::uint64_t i, std::size_t of) { return random.bits(i) % of; };
  const Topology topology = all_topologies()[static_cast<std::size_t>(k) % all_topologies().size()];
  const std::size_t round = static_cast<std::size_t>(k) / all_topologies().size();
  // Faults of NaN and of subnormals need inputs of their own.
  const Feed feed = round % 24 == 5 ? Feed::one_nan : round % 24 == 11 ? Feed::tiny : Feed::normal;
  const bool recorded = round % 3 == 2 && feed == Feed::normal;
  const Pair pair = recorded ? recordings[draw(0, recordings.size())]
                    : round % 3 == 1 && feed == Feed::normal
                        ? two_contracts[draw(0, two_contracts.size())]
                        : one_contract[draw(0, one_contract.size())];
  const Trial trial(bench, topology, random.bits(1) >> 32, feed);
  const Plan a = trial.plan(pair.a), b = trial.plan(pair.b);

  const auto sizes_of = [&](Bug bug, const PlannedStage& planned) {
    return bug == Bug::relu_in_place ? overwritten(trial.stages(), planned.stage)
                                     : amounts(bug, planned);
  };
  std::vector<std::pair<Bug, std::vector<int>>> kinds;
  for (const Bug bug : all_bugs()) {
    if ((feed == Feed::one_nan) != (bug == Bug::nan_swallowed)) continue;
    if ((feed == Feed::tiny) != (bug == Bug::subnormals_flushed)) continue;
    // A recording cannot be asked again.
    if (recorded && (bug == Bug::run_to_run || bug == Bug::race || bug == Bug::batch_dependent))
      continue;
    std::vector<int> seats;
    for (const PlannedStage& planned : b.stages)
      if (applies({planned.stage.id, bug}, planned) && !sizes_of(bug, planned).empty())
        seats.push_back(planned.stage.id);
    if (!seats.empty()) kinds.emplace_back(bug, std::move(seats));
  }
  FaultCase result;
  if (kinds.empty()) return result;
  const auto& [bug, seats] = kinds[draw(2, kinds.size())];
  const int stage = seats[draw(3, seats.size())];
  const std::vector<double> sizes = sizes_of(bug, b.stages[static_cast<std::size_t>(stage)]);
  const Injection fault{stage, bug, sizes[draw(4, sizes.size())], random.bits(5)};
  result.injection = fault;
  result.recorded = recorded;
  result.where = shown(trial, pair, fault) + (recorded ? ", recorded" : "");
  result.visibility = trial.visibility(a, b, fault, recorded);
  if (result.visibility != Trial::Visibility::visible) return result;
  const RunRecord record =
      recorded ? trial.judge_recording(a, b, &fault) : trial.compare(a, b, &fault);
  std::vector<int> named;
  for (const StageResult& each : record.stages)
    if (each.verdict == Verdict::diverged) named.push_back(each.id);
  result.stage_right = named == std::vector<int>{stage};
  const StageResult& faulty = record.stages[static_cast<std::size_t>(stage)];
  if (!faulty.diagnoses.empty()) {
    result.given = faulty.diagnoses.front().label;
    result.proved = faulty.diagnoses.front().proof == Proof::bits;
  }
  return result;
}

/// A clean comparison: how many stages, and which of them raised an alarm.
struct CleanCase {
  std::int64_t stages = 0, untrusted = 0;
  std::string alarm;
};

CleanCase clean_case(const Workbench& bench, std::uint64_t seed, std::int64_t k) {
  const Counter random(seed, "selftest.clean." + std::to_string(k));
  const auto draw = [&](std::uint64_t i, std::size_t of) { return random.bits(i) % of; };
  const Topology topology = all_topologies()[static_cast<std::size_t>(k) % all_topologies().size()];
  const bool recorded = draw(4, 8) == 0;
  const Pair pair =
      recorded ? recordings[draw(0, recordings.size())] : clean_pairs[draw(0, clean_pairs.size())];
  const Feed feed = clean_feeds[draw(1, clean_feeds.size())];
  const Trial trial(bench, topology, random.bits(2) >> 32, feed);
  // What must change no bit. Threads must not either, but teams of them on networks this small
  // spend their time on each other; tests/cpu compares them.
  const Execution execution{1, draw(3, 2) == 0 ? InstructionSet::best : InstructionSet::scalar, 0};
  const Plan a = trial.plan(pair.a), b = trial.plan(pair.b);
  const RunRecord record =
      recorded ? trial.judge_recording(a, b, nullptr) : trial.compare(a, b, nullptr, execution);
  CleanCase result;
  result.stages = static_cast<std::int64_t>(record.stages.size());
  for (const StageResult& stage : record.stages) {
    result.untrusted += stage.verdict == Verdict::untrusted;
    if (stage.verdict == Verdict::diverged && result.alarm.empty())
      result.alarm = fmt::format("stage {} of {}, {}: {}", stage.id, trial.graph().name,
                                 pair.text(), stage.reason);
  }
  return result;
}

/// A clean probe across two contracts, and one with an element moved by one ULP.
struct ProbeCase {
  std::int64_t stages = 0;
  std::string alarm;
  std::optional<bool> found;  ///< nothing: the fault's stage could not be probed
};

ProbeCase probe_case(const Workbench& bench, std::uint64_t seed, std::int64_t k) {
  const Counter random(seed, "selftest.probe." + std::to_string(k));
  const auto draw = [&](std::uint64_t i, std::size_t of) { return random.bits(i) % of; };
  const Topology topology = all_topologies()[static_cast<std::size_t>(k) % all_topologies().size()];
  const Pair pair = clean_pairs[draw(0, clean_pairs.size())];
  const Trial trial(bench, topology, random.bits(1) >> 32, Feed::integers);
  const Plan a = trial.plan(pair.a), b = trial.plan(pair.b);
  ProbeCase result;
  const RunRecord clean = trial.probe(a, b, nullptr, random.bits(2));
  for (const StageResult& stage : clean.stages) {
    result.stages += stage.verdict == Verdict::same_bits;
    if (stage.verdict == Verdict::diverged && result.alarm.empty())
      result.alarm = fmt::format("stage {} of {}, {}: {}", stage.id, trial.graph().name,
                                 pair.text(), stage.reason);
  }
  // In double one ULP of float32 is no ULP at all.
  const int stage = static_cast<int>(draw(3, trial.stages().size()));
  const bool wide = b.numerics.conv == Math::fp64;
  if (wide || clean.stages[static_cast<std::size_t>(stage)].verdict != Verdict::same_bits)
    return result;
  const Injection fault{stage, Bug::ulp_bumped, 1, random.bits(4)};
  const RunRecord faulty = trial.probe(a, b, &fault, random.bits(2));
  result.found = faulty.answers.first_diverging == stage &&
                 faulty.answers.counts[static_cast<int>(Verdict::diverged)] == 1;
  return result;
}

struct ThresholdJob {
  const char* op;
  Topology topology;
  Pair pair;
};
std::vector<ThresholdJob> threshold_jobs() {
  struct Place {
    const char* op;
    Topology topology;
  };
  constexpr std::array<Place, 7> places = {{{"Conv", Topology::plain},
                                            {"ConvTranspose", Topology::deconv},
                                            {"Gemm", Topology::mlp},
                                            {"Add", Topology::residual},
                                            {"MaxPool", Topology::strided},
                                            {"GlobalAveragePool", Topology::mlp},
                                            {"Concat", Topology::neck}}};
  constexpr std::array<Pair, 3> pairs = {
      {{"cpu:fp32", "cpu:fp32"}, {"cpu:fp64", "cpu:fp32"}, {"cpu:fp32", "cpu:tf32@sm_90"}}};
  std::vector<ThresholdJob> jobs;
  for (const Place& place : places)
    for (const Pair& pair : pairs) jobs.push_back({place.op, place.topology, pair});
  return jobs;
}

/// The smallest power of two, from `least` to `most`, from which on the fault is always found.
template <class Found>
double smallest(int least, int most, Found found) {
  int low = least - 1, high = most + 1;  // found at high and above, not at low
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (found(std::ldexp(1.0, middle)) ? high : low) = middle;
  }
  return high > most ? 0 : std::ldexp(1.0, high);
}

Threshold threshold(const Workbench& bench, std::uint64_t seed, int samples,
                    const ThresholdJob& job) {
  Threshold result{job.op, job.pair.text(), 0, 0, 0};
  for (int sample = 0; sample < samples; ++sample) {
    const std::uint64_t own = seed * 1000 + static_cast<std::uint64_t>(sample);
    const Trial trial(bench, job.topology, own, Feed::normal);
    const auto stage =
        std::find_if(trial.stages().begin(), trial.stages().end(),
                     [&](const Stage& each) { return each.steps.front().op_type == job.op; });
    if (stage == trial.stages().end()) continue;
    const Plan a = trial.plan(job.pair.a), b = trial.plan(job.pair.b);
    const auto finds = [&](Bug bug) {
      return [&, bug](double amount) {
        const Injection fault{stage->id, bug, amount, own};
        const RunRecord record = trial.compare(a, b, &fault);
        return record.stages[static_cast<std::size_t>(stage->id)].verdict == Verdict::diverged;
      };
    };
    const double scale = smallest(-26, 3, finds(Bug::channel_scaled));
    const double ulp = smallest(0, 30, finds(Bug::ulp_bumped));
    ++result.networks;
    // The worst network counts; one in which no size was found voids the threshold.
    const bool first = result.networks == 1;
    result.scale = scale == 0 || (!first && result.scale == 0) ? 0 : std::max(result.scale, scale);
    result.ulp = ulp == 0 || (!first && result.ulp == 0) ? 0 : std::max(result.ulp, ulp);
  }
  return result;
}

void count(FaultCount& into, const FaultCase& each) {
  ++into.seated;
  into.silent += each.visibility == Trial::Visibility::silent;
  into.invisible += each.visibility == Trial::Visibility::invisible;
  if (each.visibility != Trial::Visibility::visible) return;
  ++into.visible;
  into.stage_right += each.stage_right;
  const bool right = each.given == name(expected_label(*each.injection));
  into.label_right += right;
  into.label_equal += !right && each.proved;
}

}  // namespace

bool SelftestResult::passed() const {
  const auto visible = static_cast<double>(total.visible);
  return static_cast<double>(total.stage_right) >= stages_demanded * visible &&
         static_cast<double>(total.label_right) >= labels_demanded * visible &&
         false_alarms.empty() && probe_alarms.empty() && probe_found == probe_faults;
}

SelftestResult selftest(const SelftestRequest& request) {
  std::vector<Workbench> benches;
  for (int t = 0; t < std::max(1, request.threads); ++t) benches.push_back(request.workbench());
  const std::vector<ThresholdJob> jobs = threshold_jobs();
  const std::int64_t all = request.faults + request.clean;
  const auto report = [&](std::int64_t done) {
    if (request.progress) request.progress(std::min(done, all), all);
  };
  SelftestResult result;
  result.seed = request.seed;
  constexpr std::int64_t block = 64;

  std::map<Bug, FaultCount> by_bug;
  std::map<std::pair<std::string, std::string>, Confusion> confusions;
  for (std::int64_t k = 0; result.total.visible < request.faults; k += block) {
    const auto cases = in_parallel<FaultCase>(benches, k, k + block,
                                              [&](const Workbench& bench, std::int64_t each) {
                                                return fault_case(bench, request.seed, each);
                                              });
    for (const FaultCase& each : cases) {
      if (!each.injection || result.total.visible == request.faults) continue;
      FaultCount& own = by_bug[each.injection->bug];
      own.bug = each.injection->bug;
      count(own, each);
      count(result.total, each);
      if (each.recorded) count(result.recorded, each);
      if (each.visibility != Trial::Visibility::visible) continue;
      if (!each.stage_right) result.missed.push_back(each.where);
      const std::string expected(name(expected_label(*each.injection)));
      if (each.given == expected) continue;
      Confusion& confusion = confusions[{expected, each.given}];
      if (confusion.count++ == 0)
        confusion = {expected, each.given.empty() ? "nothing" : each.given, 1, each.where};
    }
    report(result.total.visible);
  }
  for (auto& [bug, counted] : by_bug) result.faults.push_back(counted);
  for (auto& [key, confusion] : confusions) result.confusions.push_back(confusion);
  std::stable_sort(result.confusions.begin(), result.confusions.end(),
                   [](const Confusion& x, const Confusion& y) { return x.count > y.count; });

  for (std::int64_t k = 0; k < request.clean; k += block) {
    const auto cases = in_parallel<CleanCase>(benches, k, std::min(k + block, request.clean),
                                              [&](const Workbench& bench, std::int64_t each) {
                                                return clean_case(bench, request.seed, each);
                                              });
    for (const CleanCase& each : cases) {
      ++result.clean_runs;
      result.clean_stages += each.stages;
      result.untrusted_stages += each.untrusted;
      if (!each.alarm.empty()) result.false_alarms.push_back(each.alarm);
    }
    report(request.faults + k + block);
  }

  const auto probes = in_parallel<ProbeCase>(benches, 0, request.clean / 10 + 1,
                                             [&](const Workbench& bench, std::int64_t each) {
                                               return probe_case(bench, request.seed, each);
                                             });
  for (const ProbeCase& each : probes) {
    result.probed_stages += each.stages;
    result.probe_faults += each.found.has_value();
    result.probe_found += each.found.value_or(false);
    if (!each.alarm.empty()) result.probe_alarms.push_back(each.alarm);
  }

  if (request.threshold_samples > 0)
    result.thresholds =
        in_parallel<Threshold>(benches, 0, static_cast<std::int64_t>(jobs.size()),
                               [&](const Workbench& bench, std::int64_t each) {
                                 return threshold(bench, request.seed, request.threshold_samples,
                                                  jobs[static_cast<std::size_t>(each)]);
                               });
  return result;
}

}  // namespace parity
