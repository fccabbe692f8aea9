#include "compare/differ.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "compare/diagnosis.hpp"
#include "compare/forecast.hpp"
#include "compare/misread.hpp"
#include "compare/recurrence.hpp"
#include "compare/statistics.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/error.hpp"

namespace parity {
namespace {

/// A stage is judged against exact on every element when that costs no more than this.
constexpr std::int64_t cheap_macs = 50'000'000, cheap_elements = std::int64_t{1} << 20;

bool is_double(const Value& value) { return value.type().type == Type::float64; }

/// The walk's state between stages, and one function per step of DESIGN section 3.
class Walk {
 public:
  explicit Walk(const DiffRequest& request)
      : r_(request),
        a_(request.a.backend),
        b_(request.b.backend),
        exact_plan_(make_plan(request.stages, Numerics{}, request.referee.backend, "exact")),
        live_a_(request.graph, request.a.plan.stages),
        live_x_(request.graph, request.a.plan.stages),
        live_b_(request.graph, request.b.plan.stages),
        flow_(request.stages.size()) {
    const BackendInfo a = a_.info(r_.a.execution), b = b_.info(r_.b.execution);
    same_device_ = a.name == b.name && a.device == b.device;
    record_.a = side_record(r_.a.plan, a);
    record_.b = side_record(r_.b.plan, b);
  }

  RunRecord run() {
    Stopwatch total;
    begin();
    for (std::size_t i = 0; i < r_.stages.size(); ++i) {
      report(r_.stages[i].name);
      walk_stage(i);
      ++progress_.stages_done;
      progress_.macs_done += runs_per_stage * r_.stages[i].macs;
    }
    report({});
    end();
    record_.seconds = total.lap();
    return std::move(record_);
  }

 private:
  /// What one stage holds while it is looked at. Values marked x lie where B reads them.
  struct Spot {
    const PlannedStage& a_stage;
    const PlannedStage& b_stage;
    std::vector<Value> x_inputs;   ///< the shared input
    std::vector<Value> a, a_on_b;  ///< A on its own past, and the same for B to read
    std::vector<Value> a_local;    ///< A on the shared input, for B to read; mostly a_on_b
    std::vector<Value> b, l;
    std::vector<Value> magnitude;  ///< empty until somebody asks
    /// Where the oracle was asked, ascending; empty if it was not.
    std::vector<std::int64_t> sample = {};
    std::vector<double> exact = {};       ///< there: exact arithmetic on the shared input
    std::vector<std::int64_t> few = {};   ///< of the sample: where the inherited error is looked at
    std::vector<double> exact_of_b = {};  ///< there: exact arithmetic on b's own inputs
    std::optional<ChannelNoise> noise = {};
    std::vector<bool> differs = {};  ///< by output: whether bits of l and a_local do
    bool inputs_equal = false;
    bool converted = false;  ///< a_local is not a_on_b
  };

  static constexpr std::int64_t runs_per_stage = 4;  // A, B, l, M

  Value for_referee(const Value& value) {
    return on(r_.referee.backend, r_.referee.execution, b_, r_.b.execution, value);
  }
  std::vector<Value> for_referee(std::span<const Value> values) {
    std::vector<Value> result;
    for (const Value& value : values) result.push_back(for_referee(value));
    return result;
  }
  void note(std::string sentence) {
    if (!sentence.empty()) record_.notes.push_back(std::move(sentence));
  }
  Value for_b(const Value& value) { return on(b_, r_.b.execution, a_, r_.a.execution, value); }

  void report(const std::string& stage) {
    progress_.stage = stage;
    if (r_.observer) r_.observer(progress_);
  }

  void begin() {
    check_inputs(r_.graph, r_.inputs);
    if (r_.a.plan.stages.size() != r_.stages.size() || r_.b.plan.stages.size() != r_.stages.size())
      throw Error(Fault::internal, "a diff needs two plans of the same cut; there are " +
                                       std::to_string(r_.stages.size()) + " stages, and plans of " +
                                       std::to_string(r_.a.plan.stages.size()) + " and " +
                                       std::to_string(r_.b.plan.stages.size()));
    record_.model = r_.graph.name;
    record_.model_digest = r_.graph.digest;
    record_.producer = r_.graph.producer;
    record_.opset = r_.graph.opset;
    record_.notes = r_.graph.notes;
    record_.lints = r_.graph.lints;
    record_.tolerance = r_.tolerance;
    record_.decisions = undecided(r_.decisions);
    progress_.stages = static_cast<int>(r_.stages.size());
    for (const Stage& stage : r_.stages) progress_.macs += runs_per_stage * stage.macs;
    note_on_inputs(record_, r_.graph, r_.inputs);
    for (std::size_t i = 0; i < r_.inputs.size(); ++i) {
      const TensorId id = r_.graph.inputs[i];
      const Value value = a_.upload(r_.inputs[i], r_.a.execution);
      const Value shared = for_b(value);
      live_a_.put(id, value);
      live_x_.put(id, shared);
      live_b_.put(id, shared);
      equal_.insert(id);
      const Comparison self = comparison(shared, shared);
      flow_.source(id, self.rms_a * self.rms_a * static_cast<double>(self.elements));
      forecast_.source(id, shared.shape(), self.rms_a);
      accumulated_[id] = self;
    }
    for (const TensorId id : r_.graph.outputs) wanted_.insert(id);
  }

  Comparison comparison(const Value& a, const Value& b) {
    return b_.compare(a, b, nullptr, {}, r_.b.execution);
  }

  void walk_stage(std::size_t i) {
    const Stage& stage = r_.stages[i];
    StageResult result = frame_of(stage, r_.stages, &r_.a.plan.stages[i], &r_.b.plan.stages[i]);
    Spot spot{
        r_.a.plan.stages[i], r_.b.plan.stages[i], live_x_.at(stage.inputs), {}, {}, {}, {}, {}, {}};
    spot.inputs_equal = std::all_of(stage.inputs.begin(), stage.inputs.end(),
                                    [&](TensorId id) { return equal_.contains(id); });
    run_sides(i, spot, result);
    repeat(spot, result);
    judge(i, spot, result);
    accumulate(i, spot, result);
    spot.magnitude.clear();
    hand_on(stage, spot, result);
    if (r_.packed_weights == PackedWeights::forget) {
      a_.forget(spot.a_stage);
      b_.forget(spot.b_stage);
      b_.forget(exact_plan_.stages[i]);
      r_.referee.backend.forget(exact_plan_.stages[i]);
    }
    record_.stages.push_back(std::move(result));
  }

  /// a, b and l.
  void run_sides(std::size_t i, Spot& spot, StageResult& result) {
    const Stage& stage = r_.stages[i];
    Stopwatch watch;
    const std::vector<Value> a_inputs = live_a_.at(stage.inputs);
    spot.a = a_.run(spot.a_stage, a_inputs, Reading::values, r_.a.execution);
    result.seconds_a = watch.lap();
    if (r_.tap_a) r_.tap_a(spot.a_stage, spot.a);
    for (const Value& value : spot.a) spot.a_on_b.push_back(for_b(value));
    spot.a_local = spot.a_on_b;

    // In double on one side only, x was rounded when it was shared, and a is recomputed on what b
    // gets.
    for (std::size_t i = 0; i < a_inputs.size(); ++i)
      spot.converted |= is_double(a_inputs[i]) && !is_double(spot.x_inputs[i]);
    watch.lap();
    if (spot.converted) {
      std::vector<Value> shared;
      for (const Value& x : spot.x_inputs)
        shared.push_back(on(a_, r_.a.execution, b_, r_.b.execution, x));
      spot.a_local.clear();
      for (const Value& value : a_.run(spot.a_stage, shared, Reading::values, r_.a.execution))
        spot.a_local.push_back(for_b(value));
      result.seconds_local = watch.lap();
    }
    {
      const std::vector<Value> b_inputs = live_b_.at(stage.inputs);
      // After its last reader b's own past is not needed for l.
      live_b_.release(stage.inputs);
      spot.b = b_.run(spot.b_stage, b_inputs, Reading::values, r_.b.execution);
      result.seconds_b = watch.lap();
      if (!spot.inputs_equal && stage.macs > 0) {
        spot.few = few_of(element_count(spot.b[0].shape()));
        spot.exact_of_b = exact_values(i, b_inputs, spot.few);
      }
      watch.lap();
    }
    if (r_.tap_b) r_.tap_b(spot.b_stage, spot.b);
    watch.lap();
    if (spot.inputs_equal) {
      spot.l = spot.b;
    } else {
      spot.l = b_.run(spot.b_stage, spot.x_inputs, Reading::values, r_.b.execution);
      result.seconds_local += watch.lap();
    }
  }

  /// A part of the sample: what was inherited is a mean over it and judges nobody.
  static std::vector<std::int64_t> few_of(std::int64_t elements) {
    std::vector<std::int64_t> few;
    const std::vector<std::int64_t> sample = sample_of(elements, false, sample_seed, {});
    for (std::size_t i = 0; i < sample.size(); i += 8) few.push_back(sample[i]);
    return few;
  }

  std::vector<double> exact_values(std::size_t i, std::span<const Value> inputs,
                                   std::span<const std::int64_t> indices) {
    return r_.referee.oracle.exact_values_at(exact_plan_.stages[i], for_referee(inputs), indices,
                                             r_.referee.execution);
  }

  /// Exact arithmetic on the shared input at `few`, which lie in the sample if there is one.
  std::vector<double> exact_of_shared(std::size_t i, const Spot& spot) {
    if (spot.sample.empty()) return exact_values(i, spot.x_inputs, spot.few);
    std::vector<double> values;
    for (const std::int64_t index : spot.few)
      values.push_back(spot.exact[static_cast<std::size_t>(
          std::lower_bound(spot.sample.begin(), spot.sample.end(), index) - spot.sample.begin())]);
    return values;
  }

  /// What the stage inherited against f(x_b) - f(x_a) in double.
  void explain_inheritance(std::size_t i, Spot& spot, StageResult& result) {
    if (spot.exact_of_b.empty()) return;
    const std::vector<double> exact_of_a = exact_of_shared(i, spot),
                              b = b_.elements(spot.b[0], spot.few),
                              l = b_.elements(spot.l[0], spot.few);
    double measured = 0, exact = 0, rest = 0;
    for (std::size_t k = 0; k < b.size(); ++k) {
      const double inherited = b[k] - l[k], expected = spot.exact_of_b[k] - exact_of_a[k];
      measured += inherited * inherited;
      exact += expected * expected;
      rest += (inherited - expected) * (inherited - expected);
    }
    const auto count = static_cast<double>(b.size());
    if (!result.statistics) result.statistics.emplace();
    result.statistics->inherited =
        InheritedTest{static_cast<std::int64_t>(b.size()), std::sqrt(measured / count),
                      std::sqrt(exact / count), std::sqrt(rest / count)};
  }

  const std::vector<Value>& magnitude(std::size_t i, Spot& spot, StageResult& result) {
    if (!spot.magnitude.empty()) return spot.magnitude;
    Stopwatch watch;
    // With BatchNorm folded into the weights, |w'| would hide what cancels between mean and shift.
    const PlannedStage& kept = r_.b.plan.numerics.batch_norm == BatchNormalisation::folded
                                   ? exact_plan_.stages[i]
                                   : spot.b_stage;
    spot.magnitude = b_.run(kept, spot.x_inputs, Reading::magnitudes, r_.b.execution);
    result.seconds_magnitude += watch.lap();
    return spot.magnitude;
  }

  bool demands_zero(const Spot& spot) const {
    if (spot.a_stage.contract_text() != spot.b_stage.contract_text()) return false;
    if (spot.a_stage.numerics.batch_norm != spot.b_stage.numerics.batch_norm) return false;
    const Determinism promise = std::min(spot.a_stage.promise(), spot.b_stage.promise());
    return promise == Determinism::host_to_gpu ||
           (same_device_ && promise >= Determinism::run_to_run);
  }

  /// Whether a few elements already show that a and l differ; saves a pass without the magnitude.
  bool plainly_different(const Spot& spot) {
    const std::vector<std::int64_t> few =
        sample_of(element_count(spot.l[0].shape()), false, sample_seed, {});
    const std::vector<double> a = b_.elements(spot.a_local[0], few),
                              l = b_.elements(spot.l[0], few);
    for (std::size_t i = 0; i < few.size(); ++i)
      if (a[i] != l[i] && !(std::isnan(a[i]) && std::isnan(l[i]))) return true;
    return false;
  }

  /// The verdict of the stage: every output is compared, the worst decides, the first is what is
  /// shown.
  void judge(std::size_t i, Spot& spot, StageResult& result) {
    const bool zero = demands_zero(spot);
    const Allowance allowance_a = stage_allowance(spot.a_stage),
                    allowance_b = stage_allowance(spot.b_stage);
    const Allowance pair = {allowance_a.coefficient + allowance_b.coefficient,
                            allowance_a.underflow + allowance_b.underflow};
    const auto judged = [&](std::size_t j) {
      return b_.compare(spot.a_local[j], spot.l[j], &magnitude(i, spot, result)[j], pair,
                        r_.b.execution);
    };
    std::vector<Comparison> introduced;
    std::int64_t differing = 0;
    for (std::size_t j = 0; j < spot.l.size(); ++j) {
      // Under other contracts the bits differ almost surely: then one pass with the magnitude does.
      if (!zero && (differing > 0 || (j == 0 && plainly_different(spot)))) {
        introduced.push_back(judged(j));
      } else {
        introduced.push_back(comparison(spot.a_local[j], spot.l[j]));
        if (introduced[j].differing > 0 && !zero) introduced[j] = judged(j);
      }
      differing += introduced[j].differing;
      spot.differs.push_back(introduced[j].differing > 0);
    }
    if (differing > 0 && zero)
      for (Comparison& c : introduced) demand_equality(c);
    run_twins(spot, result);

    const auto beyond = [&] {
      std::int64_t sum = 0;
      for (const Comparison& c : introduced) sum += c.beyond;
      return sum;
    };
    // The same bits by two contracts can still be the bits of a third arithmetic.
    if (differing > 0 || spot.a_stage.contract_text() != spot.b_stage.contract_text()) {
      result.bound_coefficient_a = allowance_a.coefficient;
      result.bound_coefficient_b = allowance_b.coefficient;
      ask_oracle(i, spot, introduced[0], allowance_a, allowance_b, result);
    }
    const FollowedSteps followed = follow_steps(i, spot, allowance_a, allowance_b, result);
    decide(spot, zero, differing, beyond(), introduced[0], result);
    if (result.verdict == Verdict::diverged) result.reason += followed.first;
    for (const Unfollowed& side : followed.unfollowed)
      note(tell_of_wide_bounds(spot.b_stage, b_.elements(side.made, spot.sample), spot.exact,
                               b_.elements(spot.magnitude[0], spot.sample), side.allowance,
                               result));
    note(tell_of_unjudged(spot.b_stage, followed.unjudged, element_count(spot.l[0].shape()),
                          advice_on_steps, result));
    if (result.verdict == Verdict::diverged) result.diagnoses = examine(i, spot, result);
    if (introduced[0].differing > 0)
      result.map = b_.map(spot.a_local[0], spot.l[0], r_.b.execution);
    result.introduced = std::move(introduced[0]);
  }

  /// A bound of zero: any difference is beyond it.
  static void demand_equality(Comparison& c) {
    c.judged = true;
    c.beyond = c.differing;
    c.worst_bound = 0;
    if (c.differing == 0) return;
    c.worst_share = std::numeric_limits<double>::infinity();
    c.worst_judged = c.worst;
  }

  /// (1) Each side that promises host_to_gpu against the CPU twin of its own contract, on the
  /// shared input.
  void run_twins(Spot& spot, StageResult& result) {
    if (r_.a.twin && spot.a_stage.promise() == Determinism::host_to_gpu)
      result.twin_a =
          twin_test(*r_.a.twin, r_.a.execution, spot.a_stage, spot.x_inputs, spot.a_local);
    if (r_.b.twin && spot.b_stage.promise() == Determinism::host_to_gpu)
      result.twin_b = twin_test(*r_.b.twin, r_.b.execution, spot.b_stage, spot.x_inputs, spot.l);
  }

  TwinTest twin_test(Backend& twin, const Execution& execution, const PlannedStage& planned,
                     const std::vector<Value>& x_inputs, const std::vector<Value>& outputs) {
    std::vector<Value> inputs;
    for (const Value& x : x_inputs) inputs.push_back(on(twin, execution, b_, r_.b.execution, x));
    const std::vector<Value> expected = twin.run(planned, inputs, Reading::values, execution);
    TwinTest test;
    for (std::size_t j = 0; j < outputs.size(); ++j) {
      const Value given = on(twin, execution, b_, r_.b.execution, outputs[j]);
      const Comparison c = twin.compare(expected[j], given, nullptr, {}, execution);
      test.differing += c.differing;
      if (!test.first) test.first = c.first;
    }
    if (r_.packed_weights == PackedWeights::forget) twin.forget(planned);
    return test;
  }

  /// A side whose steps could not be judged one by one.
  struct Unfollowed {
    const Value& made;
    const Allowance& allowance;
  };

  struct FollowedSteps {
    std::vector<Unfollowed> unfollowed = {};
    std::int64_t unjudged = 0;  ///< elements of the side that has more of them
    std::string first = {};     ///< "; b first at step 24"
  };

  /// The steps of a recurrent layer that the oracle was asked about, each from the state that a side has
  /// before it. No double is a GRU's initial state: a GRU in double is unfollowed.
  FollowedSteps follow_steps(std::size_t i, const Spot& spot, const Allowance& allowance_a,
                             const Allowance& allowance_b, StageResult& result) {
    const auto in_float = [](const Value& value) { return value.type().type == Type::float32; };
    if (!is_recurrent(spot.b_stage) || spot.sample.empty()) return {};
    if (!std::all_of(spot.x_inputs.begin(), spot.x_inputs.end(), in_float))
      return {{{spot.a_local[0], allowance_a}, {spot.l[0], allowance_b}}};
    FollowedSteps followed;
    Referee referee = r_.referee;
    const std::vector<Value> inputs = for_referee(spot.x_inputs);
    const auto follow = [&](const char* who, const PlannedStage& planned, const Value& made,
                            const Allowance& allowance, OracleTest& test) {
      const Algorithm algorithm = planned.contracts.front().algorithm;
      const StepOrder order = algorithm == Algorithm::fp64    ? StepOrder::of_fp64
                              : algorithm == Algorithm::exact ? StepOrder::of_exact
                                                              : StepOrder::of_the_contract;
      std::optional<JudgedSteps> steps;
      if (in_float(made) == (order != StepOrder::of_fp64))
        steps = judge_steps(referee.backend, referee.execution, exact_plan_.stages[i], inputs,
                            b_.download(made, r_.b.execution), nullptr, allowance, order);
      if (!steps) {
        followed.unfollowed.push_back({made, allowance});
        return;
      }
      take_worse(steps->test, test);
      followed.unjudged =
          std::max(followed.unjudged,
                   left_unjudged(*steps, spot.sample, b_.elements(made, spot.sample), spot.exact));
      if (steps->first) followed.first += "; " + first_at(who, *steps->first);
    };
    follow("a", spot.a_stage, spot.a_local[0], allowance_a, *result.exact_a);
    follow("b", spot.b_stage, spot.l[0], allowance_b, *result.exact_b);
    return followed;
  }

  /// (2) Each side against the exact values of the stage, under its own bound.
  void ask_oracle(std::size_t i, Spot& spot, const Comparison& introduced,
                  const Allowance& allowance_a, const Allowance& allowance_b, StageResult& result) {
    const PlannedStage& exact_stage = exact_plan_.stages[i];
    const std::int64_t elements = element_count(spot.l[0].shape());
    const bool all = r_.stages[i].macs <= cheap_macs && elements <= cheap_elements;
    std::vector<std::int64_t> also;
    for (const auto& pair : {introduced.first, introduced.worst, introduced.worst_judged})
      if (pair) also.push_back(pair->index);
    const std::vector<std::int64_t> indices = sample_of(elements, all, sample_seed, also);
    Referee referee = r_.referee;
    const std::vector<ExactElement> elements_exact =
        referee.oracle.exact_at(exact_stage, for_referee(spot.x_inputs), indices,
                                noise_read(spot.a_stage, spot.b_stage), referee.execution);
    spot.sample = indices;
    spot.exact = values_of(elements_exact);
    const std::vector<double>& exact = spot.exact;
    const std::vector<double> m = b_.elements(magnitude(i, spot, result)[0], indices);
    const std::int64_t terms = stage_terms(exact_stage);
    const bool complete = static_cast<std::int64_t>(indices.size()) == elements;
    const std::vector<double> a = b_.elements(spot.a_local[0], indices),
                              l = b_.elements(spot.l[0], indices);
    result.exact_a = judge_exact(indices, complete, a, exact, m, allowance_a, terms);
    result.exact_b = judge_exact(indices, complete, l, exact, m, allowance_b, terms);
    const Shape& shape = spot.l[0].shape();
    const std::size_t stages = r_.stages.size();
    Statistics statistics{side_statistics(spot.a_stage, shape, indices, elements_exact, a, stages),
                          side_statistics(spot.b_stage, shape, indices, elements_exact, l, stages),
                          {}};
    if (statistics.a || statistics.b) result.statistics = std::move(statistics);
    spot.noise = channel_noise(spot.a_stage, spot.b_stage, shape, indices, elements_exact);
  }

  void decide(const Spot& spot, bool zero, std::int64_t differing, std::int64_t beyond,
              const Comparison& introduced, StageResult& result) {
    const bool twin_a_fails = result.twin_a && result.twin_a->differing > 0;
    const bool twin_b_fails = result.twin_b && result.twin_b->differing > 0;
    const bool exact_a_fails = result.exact_a && result.exact_a->beyond > 0;
    const bool exact_b_fails = result.exact_b && result.exact_b->beyond > 0;
    const auto noise_fails = [&](std::optional<SideStatistics> Statistics::*side) {
      return result.statistics && (*result.statistics).*side &&
             ((*result.statistics).*side)->fails();
    };
    const bool noise_a_fails = noise_fails(&Statistics::a),
               noise_b_fails = noise_fails(&Statistics::b);
    const auto blame = [](bool a, bool b) {
      return a == b ? Blame::pair : a ? Blame::a : Blame::b;
    };
    const std::string informative =
        introduced.informative < 32
            ? "; only " + counted(introduced.informative, "informative element")
            : std::string();
    const std::string changes = changes_between_runs(result);
    const auto diverge = [&](Blame side, const std::string& reason) {
      result.verdict = Verdict::diverged;
      result.blame = side;
      result.reason = reason + (changes.empty() ? "" : "; " + changes) + informative;
    };
    if (twin_a_fails || twin_b_fails)
      return diverge(
          blame(twin_a_fails, twin_b_fails),
          std::string(twin_a_fails && twin_b_fails ? "both sides differ from their CPU twins"
                      : twin_a_fails               ? "a differs from the CPU twin of its contract"
                                     : "b differs from the CPU twin of its contract"));
    if (differing > 0 && zero)
      return diverge(
          exact_a_fails || exact_b_fails ? blame(exact_a_fails, exact_b_fails)
                                         : blame(noise_a_fails, noise_b_fails),
          counted(differing, "element") + " with other bits under one contract, '" +
              spot.a_stage.contract_text() + "', which promises " +
              std::string(name(std::min(spot.a_stage.promise(), spot.b_stage.promise()))));
    if (exact_a_fails || exact_b_fails)
      return diverge(
          blame(exact_a_fails, exact_b_fails),
          std::string(exact_a_fails && exact_b_fails ? "both sides leave their own bounds"
                      : exact_a_fails                ? "a leaves its own bound"
                                                     : "b leaves its own bound") +
              " around the exact value");
    if (beyond > 0)
      return diverge(Blame::pair,
                     counted(beyond, "element") + " beyond the two sides' bounds together");
    if (noise_a_fails || noise_b_fails)
      return diverge(blame(noise_a_fails, noise_b_fails),
                     std::string(noise_a_fails && noise_b_fails ? "a (and b alike)"
                                 : noise_a_fails                ? "a"
                                                                : "b") +
                         " fails the statistical test: " +
                         complaint(noise_a_fails ? *result.statistics->a : *result.statistics->b));
    if (auto nothing = proves_nothing(b_, r_.b.execution, spot.b_stage, spot.x_inputs, spot.l[0],
                                      introduced)) {
      result.verdict = Verdict::untrusted;
      result.reason = nothing->evidence;
      result.diagnoses = {std::move(*nothing)};
      return;
    }
    if (!changes.empty()) {
      result.verdict = Verdict::untrusted;
      result.reason = changes + ", so one agreement shows nothing";
      return;
    }
    result.verdict = differing == 0 ? Verdict::same_bits : Verdict::within_bound;
    result.reason = (differing == 0 ? std::string("every bit agrees")
                                    : "the difference stays within the bounds of both contracts") +
                    informative;
  }

  /// "b gave 3 different outputs in 5 runs on the same input"; empty where both repeat.
  static std::string changes_between_runs(const StageResult& result) {
    std::string text;
    for (const auto& [side, distinct] :
         {std::pair{"a", result.distinct_a}, std::pair{"b", result.distinct_b}})
      if (distinct > 1)
        text += (text.empty() ? "" : " and ") + std::string(side) + " gave " +
                std::to_string(distinct) + " different outputs";
    return text.empty() ? text
                        : text + " in " + std::to_string(result.runs) + " runs on the same input";
  }

  /// Each side `repeat` times on the shared input; the digests tell.
  void repeat(Spot& spot, StageResult& result) {
    if (r_.repeat < 2) return;
    result.runs = r_.repeat;
    const auto distinct = [&](Backend& backend, const Execution& execution,
                              const PlannedStage& stage, const std::vector<Value>& inputs) {
      std::vector<std::vector<Digest>> seen;
      for (int run = 0; run < r_.repeat; ++run) {
        std::vector<Digest> digests;
        for (const Value& y : backend.run(stage, inputs, Reading::values, execution))
          digests.push_back(backend.digest(y, execution));
        if (std::find(seen.begin(), seen.end(), digests) == seen.end())
          seen.push_back(std::move(digests));
      }
      return static_cast<int>(seen.size());
    };
    std::vector<Value> a_inputs;
    for (const Value& x : spot.x_inputs)
      a_inputs.push_back(on(a_, r_.a.execution, b_, r_.b.execution, x));
    result.distinct_a = distinct(a_, r_.a.execution, spot.a_stage, a_inputs);
    result.distinct_b = distinct(b_, r_.b.execution, spot.b_stage, spot.x_inputs);
  }

  /// What the blamed side's output looks like. The reference is the same contract computed by the
  /// referee; where that has the suspect's bits or cannot be had, it is the other side's output.
  std::vector<Diagnosis> examine(std::size_t i, Spot& spot, StageResult& result) {
    const bool a_is_suspect = result.blame == Blame::a;
    const Side& side = a_is_suspect ? r_.a : r_.b;
    const PlannedStage& planned = a_is_suspect ? spot.a_stage : spot.b_stage;
    Referee referee = r_.referee;
    const auto on_host = [&](const Value& value) {
      return referee.backend.download(for_referee(value), referee.execution);
    };
    const Tensor suspect = on_host((a_is_suspect ? spot.a_local : spot.l)[0]);
    const Tensor other = on_host((a_is_suspect ? spot.l : spot.a_local)[0]);
    const std::vector<Value> inputs = for_referee(spot.x_inputs);
    Tensor reference = suspect;
    if (!referee.backend.refuses(planned)) {
      reference = referee.backend.download(
          referee.backend.run(planned, inputs, Reading::values, referee.execution)[0],
          referee.execution);
      referee.backend.forget(planned);
    }
    const Allowance own = stage_allowance(planned);
    std::vector<double> tolerance;
    if (same_bits(reference, suspect)) {
      reference = other;
      if (!demands_zero(spot)) {
        tolerance = widened(on_host(magnitude(i, spot, result)[0]));
        const double c = result.bound_coefficient_a + result.bound_coefficient_b;
        for (double& each : tolerance) each *= c;
      }
    }
    const auto again = [&](const PlannedStage& stage, std::span<const Value> operands) {
      std::vector<Value> values;
      for (const Value& operand : operands)
        values.push_back(
            on(side.backend, side.execution, referee.backend, referee.execution, operand));
      const Value y = side.backend.run(stage, values, Reading::values, side.execution)[0];
      return side.backend.download(y, side.execution);
    };
    return diagnose({.who = a_is_suspect ? "a" : "b",
                     .planned = emulated(planned),
                     .runner = referee.backend,
                     .oracle = referee.oracle,
                     .execution = referee.execution,
                     .inputs = inputs,
                     .reference = reference,
                     .suspect = suspect,
                     .tolerance = tolerance,
                     // Both the suspect and what the referee computes lie within its bound.
                     .allowance = {2 * own.coefficient, 2 * own.underflow},
                     .again = again});
  }

  /// b against a, each on its own past, and what that owes to the inputs.
  void accumulate(std::size_t i, Spot& spot, StageResult& result) {
    const Stage& stage = r_.stages[i];
    const bool as_introduced = spot.inputs_equal && !spot.converted;
    for (std::size_t j = 0; j < spot.b.size(); ++j) {
      std::optional<Split> split;
      Comparison c;
      if (as_introduced && j == 0) {
        c = unjudged(*result.introduced);
      } else if (!spot.converted && (spot.differs[j] || !spot.inputs_equal)) {
        Accumulation both = b_.accumulate(spot.a_local[j], spot.l[j], spot.b[j], r_.b.execution);
        c = std::move(both.comparison);
        if (c.differing > 0 || spot.differs[j]) split = both.split;
      } else {
        c = comparison(spot.a_on_b[j], spot.b[j]);
      }
      if (c.differing == 0 && (spot.a_on_b[j].type() == spot.b[j].type()))
        equal_.insert(stage.outputs[j]);
      if (wanted_.contains(stage.outputs[j])) accumulated_[stage.outputs[j]] = c;
      decide_margins(i, j, spot, result);
      // In double, the conversion of the shared input is a step of its own; the split is around
      // a_local.
      if (!split && (c.differing > 0 || spot.differs[j]))
        split = b_.split(spot.a_local[j], spot.l[j], spot.b[j], r_.b.execution);
      flow_.pass(i, stage.inputs, {&stage.outputs[j], 1}, split,
                 c.rms_a * c.rms_a * static_cast<double>(c.elements));
      if (j > 0) continue;
      result.accumulated = std::move(c);
      result.split = split;
    }
    const Comparison& c = *result.accumulated;
    if (result.split && !spot.inputs_equal)
      result.amplification = flow_.amplification(stage.inputs, *result.split);
    if (spot.converted) {
      const Comparison step = comparison(spot.a_on_b[0], spot.a_local[0]);
      result.conversion = step.rms_a > 0 ? step.rms / step.rms_a : 0;
    }
    explain_inheritance(i, spot, result);
    const double active =
        c.elements > 0 ? static_cast<double>(c.informative) / static_cast<double>(c.elements) : 0;
    result.predicted_rms =
        forecast_.pass(stage, spot.noise ? &*spot.noise : nullptr, c.rms_a, active);
    if (c.nan_mismatches + c.infinity_mismatches > 0)
      result.accumulated_relative = std::numeric_limits<double>::infinity();
    else if (c.max_abs > 0)
      result.accumulated_relative =
          c.rms_a > 0 ? c.max_abs / c.rms_a : std::numeric_limits<double>::infinity();
  }

  /// The decisions that somebody takes by this output.
  void decide_margins(std::size_t i, std::size_t j, Spot& spot, StageResult& result) {
    const TensorId id = r_.stages[i].outputs[j];
    for (std::size_t d = 0; d < r_.decisions.size(); ++d) {
      if (!names_output(r_.graph, r_.decisions[d], id)) continue;
      Allowance pair;  // zero where the stage's arithmetic is the same on both sides
      std::optional<Tensor> m;
      if (!demands_zero(spot)) {
        const Allowance a = stage_allowance(spot.a_stage), b = stage_allowance(spot.b_stage);
        pair = {a.coefficient + b.coefficient, a.underflow + b.underflow};
        m = b_.download(magnitude(i, spot, result)[j], r_.b.execution);
      }
      record_.decisions[d] =
          judge_decision(r_.decisions[d], b_.download(spot.a_on_b[j], r_.b.execution),
                         b_.download(spot.b[j], r_.b.execution), m ? &*m : nullptr, pair);
    }
  }

  static Comparison unjudged(Comparison c) {
    c.judged = false;
    c.worst_share = c.worst_bound = 0;
    c.beyond = c.uninformative_bounds = 0;
    c.worst_judged.reset();
    return c;
  }

  /// Digests, then the outputs become inputs of later stages.
  void hand_on(const Stage& stage, Spot& spot, StageResult& result) {
    result.digest_a = b_.digest(spot.a_on_b[0], r_.b.execution);
    result.digest_b =
        equal_.contains(stage.outputs[0]) ? result.digest_a : b_.digest(spot.b[0], r_.b.execution);
    spot.l.clear();
    spot.a_local.clear();
    spot.x_inputs.clear();
    live_a_.release(stage.inputs);
    live_x_.release(stage.inputs);
    for (std::size_t j = 0; j < stage.outputs.size(); ++j) {
      const TensorId id = stage.outputs[j];
      const bool round = is_double(spot.a[j]) && !is_double(spot.b[j]);
      const Value shared =
          round ? b_.upload(to_float32(a_.download(spot.a[j], r_.a.execution)), r_.b.execution)
                : spot.a_on_b[j];
      live_b_.put(id, equal_.contains(id) ? shared : spot.b[j]);
      live_x_.put(id, shared);
      live_a_.put(id, spot.a[j]);
    }
  }

  void end() {
    record_.outputs = output_results(r_.graph, r_.stages, accumulated_);
    std::vector<TensorId> outputs(wanted_.begin(), wanted_.end());
    conclude(record_, flow_.shares_of(outputs));
    attribute_worst();
  }

  /// Which stages matter is known only now, and their inputs are gone: a runs once more.
  void attribute_worst() {
    const std::vector<std::size_t> wanted =
        stages_to_attribute(record_, r_.attribute, r_.attribute_also);
    if (wanted.empty()) return;
    LiveValues live(r_.graph, r_.a.plan.stages);
    for (std::size_t i = 0; i < r_.inputs.size(); ++i)
      live.put(r_.graph.inputs[i], a_.upload(r_.inputs[i], r_.a.execution));
    for (std::size_t i = 0; i <= wanted.back(); ++i) {
      const Stage& stage = r_.stages[i];
      const PlannedStage& a_stage = r_.a.plan.stages[i];
      std::vector<Value> outputs;
      {
        const std::vector<Value> inputs = live.at(stage.inputs);
        outputs = a_.run(a_stage, inputs, Reading::values, r_.a.execution);
        if (std::binary_search(wanted.begin(), wanted.end(), i))
          record_.stages[i].attribution = attribution_of(i, inputs, outputs.front());
      }
      if (r_.packed_weights == PackedWeights::forget) a_.forget(a_stage);
      live.release(stage.inputs);
      for (std::size_t j = 0; j < outputs.size(); ++j)
        live.put(stage.outputs[j], std::move(outputs[j]));
    }
    add_causes(record_);
  }

  std::optional<Attribution> attribution_of(std::size_t i, const std::vector<Value>& a_inputs,
                                            const Value& a_output) {
    const PlannedStage& a_stage = r_.a.plan.stages[i];
    const PlannedStage& b_stage = r_.b.plan.stages[i];
    const bool b_keeps_double = keeps_double(b_stage);
    std::vector<Value> shared;
    bool converted = false;
    for (const Value& input : a_inputs) {
      const bool round = is_double(input) && !b_keeps_double;
      converted |= round;
      shared.push_back(
          round ? b_.upload(to_float32(a_.download(input, r_.a.execution)), r_.b.execution)
                : for_b(input));
    }
    Value a = for_b(a_output);
    if (converted) {
      std::vector<Value> given;
      for (const Value& x : shared) given.push_back(on(a_, r_.a.execution, b_, r_.b.execution, x));
      a = for_b(a_.run(a_stage, given, Reading::values, r_.a.execution).front());
    }
    const Value l = b_.run(b_stage, shared, Reading::values, r_.b.execution).front();
    if (r_.packed_weights == PackedWeights::forget) b_.forget(b_stage);
    const std::vector<Value> inputs = for_referee(shared);
    const StageResult& stage = record_.stages[i];
    return attribute({.stage = r_.stages[i],
                      .a = a_stage,
                      .b = &b_stage,
                      .host = r_.referee.backend,
                      .execution = r_.referee.execution,
                      .inputs = inputs,
                      .a_output = for_referee(a),
                      .b_output = for_referee(l),
                      .within_bound = stage.verdict == Verdict::within_bound,
                      .fault = stage.blame == Blame::a || stage.blame == Blame::b
                                   ? proved_fault(stage)
                                   : ProvedFault{},
                      .a_blamed = stage.blame == Blame::a});
  }

  static constexpr std::uint64_t sample_seed = 7;

  const DiffRequest& r_;
  Backend& a_;
  Backend& b_;
  Plan exact_plan_;
  LiveValues live_a_;  // A's values, readable by A
  LiveValues
      live_x_;  // the shared input: A's values as B reads them, float when B computes in float
  LiveValues live_b_;  // B's own values
  ErrorFlow flow_;
  DriftForecast forecast_;
  RunRecord record_;
  Progress progress_;
  bool same_device_ = false;
  std::set<TensorId> equal_;   // tensors whose bits agree on both sides
  std::set<TensorId> wanted_;  // graph outputs
  std::map<TensorId, Comparison> accumulated_;
};

}  // namespace

RunRecord diff(const DiffRequest& request) { return Walk(request).run(); }

}  // namespace parity
