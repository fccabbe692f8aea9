#include "compare/walk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "compare/misread.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"
#include "model/text.hpp"

namespace parity {

double Stopwatch::lap() {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - start_).count();
  start_ = now;
  return seconds;
}

Value on(Backend& to, const Execution& to_execution, Backend& from, const Execution& from_execution,
         const Value& value) {
  if (to.reads(value)) return value;
  return to.upload(from.download(value, from_execution), to_execution);
}

void ErrorFlow::source(TensorId input, double norm_square) { known_[input] = {0, norm_square, {}}; }

void ErrorFlow::pass(std::size_t stage, std::span<const TensorId> inputs,
                     std::span<const TensorId> outputs, const std::optional<Split>& split,
                     double norm_square) {
  Lineage made{0, norm_square, {}};
  const double energy = split ? split->accumulated * split->accumulated : 0;
  if (energy > 0 && std::isfinite(energy)) {
    made.energy = energy;
    double carried = 0;
    for (const TensorId id : inputs) carried += known_.at(id).energy;
    const double both = split->introduced_on_accumulated + split->inherited_on_accumulated;
    // Without an error at the inputs, or a measure to divide by, all of it was made here.
    const double introduced = carried > 0 && both > 0 ? split->introduced_on_accumulated / both : 1;
    made.shares.assign(stages_, 0.0);
    if (carried > 0)
      for (const TensorId id : inputs) {
        const Lineage& from = known_.at(id);
        if (from.shares.empty()) continue;
        for (std::size_t s = 0; s < stages_; ++s)
          made.shares[s] += (1 - introduced) * (from.energy / carried) * from.shares[s];
      }
    made.shares[stage] += introduced;
  }
  for (const TensorId id : outputs) known_[id] = made;
}

void ErrorFlow::carry(std::span<const TensorId> inputs, std::span<const TensorId> outputs,
                      double norm_square) {
  Lineage made{0, norm_square, shares_of(inputs)};
  for (const TensorId id : inputs) made.energy += known_.at(id).energy;
  for (const TensorId id : outputs) known_[id] = made;
}

double ErrorFlow::amplification(std::span<const TensorId> inputs, const Split& split) const {
  double error = 0, norm = 0;
  for (const TensorId id : inputs) {
    error += known_.at(id).energy;
    norm += known_.at(id).norm_square;
  }
  if (!(error > 0) || !(norm > 0) || !(split.norm_a > 0) || !(split.inherited > 0)) return 0;
  return split.inherited / split.norm_a / std::sqrt(error / norm);
}

std::vector<double> ErrorFlow::shares_of(std::span<const TensorId> tensors) const {
  double energy = 0;
  for (const TensorId id : tensors) {
    const auto found = known_.find(id);
    if (found != known_.end()) energy += found->second.energy;
  }
  if (!(energy > 0)) return {};
  std::vector<double> total(stages_, 0.0);
  for (const TensorId id : tensors) {
    const auto found = known_.find(id);
    if (found == known_.end() || found->second.shares.empty()) continue;
    for (std::size_t s = 0; s < stages_; ++s)
      total[s] += found->second.energy / energy * found->second.shares[s];
  }
  return total;
}

bool keeps_double(const PlannedStage& planned) {
  return std::any_of(planned.contracts.begin(), planned.contracts.end(),
                     [](const Contract& c) { return c.algorithm == Algorithm::fp64; });
}

std::map<TensorId, int> producers_of(const std::vector<Stage>& stages) {
  std::map<TensorId, int> made_by;
  for (std::size_t i = 0; i < stages.size(); ++i)
    for (const TensorId id : stages[i].outputs) made_by[id] = static_cast<int>(i);
  return made_by;
}

StageResult frame_of(const Stage& stage, const std::vector<Stage>& all, const PlannedStage* a,
                     const PlannedStage* b) {
  StageResult result;
  result.id = stage.id;
  result.name = stage.name;
  result.block = stage.block;
  for (const Step& step : stage.steps) {
    result.nodes.push_back(step.node);
    result.op_types.push_back(step.op_type);
  }
  result.tensor = stage.output_names.empty() ? std::string() : stage.output_names.front();
  result.shape = to_string(stage.output_types.front().shape);
  result.elements = element_count(stage.output_types.front().shape);
  result.macs = stage.macs;
  if (a) result.contract_a = a->contract_text();
  if (b) result.contract_b = b->contract_text();
  std::set<int> producers;
  for (const Stage& other : all)
    for (const TensorId made : other.outputs)
      if (std::find(stage.inputs.begin(), stage.inputs.end(), made) != stage.inputs.end())
        producers.insert(other.id);
  result.producers.assign(producers.begin(), producers.end());
  return result;
}

std::string numerics_text(const Numerics& numerics) {
  std::string text =
      "conv " + std::string(name(numerics.conv)) + ", matmul " + std::string(name(numerics.matmul));
  if (numerics.rnn != numerics.matmul) text += ", rnn " + std::string(name(numerics.rnn));
  if (numerics.conv == Math::tf32 || numerics.matmul == Math::tf32 || numerics.rnn == Math::tf32)
    text += ", round " + std::string(name(numerics.rounding));
  text += numerics.batch_norm == BatchNormalisation::folded ? ", batch norm folded"
                                                            : ", batch norm kept";
  if (numerics.functions == Functions::correct) text += ", functions correctly rounded";
  if (numerics.algorithm) text += ", algorithm " + std::string(name(*numerics.algorithm));
  if (numerics.arch != Arch::none) text += ", " + std::string(name(numerics.arch));
  return text;
}

SideRecord side_record(const Plan& plan, const BackendInfo& info) {
  SideRecord side;
  side.spec = plan.spec;
  side.backend = info.name;
  side.device = info.device;
  side.facts = info.facts;
  side.numerics = numerics_text(plan.numerics);
  std::vector<std::pair<std::string, int>> counted;
  Determinism weakest = Determinism::host_to_gpu;
  for (const PlannedStage& planned : plan.stages) {
    weakest = std::min(weakest, planned.promise());
    if (planned.stage.macs == 0) continue;
    const std::string text = planned.contract_text();
    const auto found = std::find_if(counted.begin(), counted.end(),
                                    [&](const auto& entry) { return entry.first == text; });
    if (found == counted.end())
      counted.emplace_back(text, 1);
    else
      ++found->second;
  }
  const auto most =
      std::max_element(counted.begin(), counted.end(),
                       [](const auto& x, const auto& y) { return x.second < y.second; });
  if (most != counted.end()) side.contract = most->first;
  side.promise = name(weakest);
  return side;
}

std::vector<std::int64_t> sample_of(std::int64_t elements, bool all, std::uint64_t seed,
                                    std::span<const std::int64_t> also) {
  constexpr std::int64_t sampled = 4096;
  std::vector<std::int64_t> indices;
  if (all || elements <= sampled) {
    indices.resize(static_cast<std::size_t>(elements));
    for (std::int64_t i = 0; i < elements; ++i) indices[static_cast<std::size_t>(i)] = i;
    return indices;
  }
  const Counter random(seed, "differ.sample");
  indices.assign(also.begin(), also.end());
  for (std::int64_t i = 0; i < sampled; ++i)
    indices.push_back(static_cast<std::int64_t>(random.bits(static_cast<std::uint64_t>(i)) %
                                                static_cast<std::uint64_t>(elements)));
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

bool is_recurrent(const PlannedStage& planned) {
  return std::holds_alternative<Recurrent>(*planned.stage.steps.front().op);
}

std::string tell_of_wide_bounds(const PlannedStage& planned, std::span<const double> y,
                                std::span<const double> exact, std::span<const double> magnitude,
                                const Allowance& allowance, StageResult& result) {
  if (!is_recurrent(planned) || result.verdict != Verdict::within_bound) return {};
  double largest = 0;
  for (const double value : exact)
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  std::int64_t wide = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    wide += y[i] != exact[i] &&
            !(allowance.coefficient * magnitude[i] + allowance.underflow <= 2 * largest);
  return tell_of_unjudged(planned, wide, static_cast<std::int64_t>(magnitude.size()),
                          "run fewer steps, or let the layer give every step", result);
}

std::string tell_of_unjudged(const PlannedStage& planned, std::int64_t unjudged, std::int64_t all,
                             const std::string& advice, StageResult& result) {
  if (unjudged == 0 || result.verdict != Verdict::within_bound) return {};
  result.verdict = Verdict::untrusted;
  result.reason =
      (unjudged == all ? "every element's"
                       : std::to_string(unjudged) + " of " + std::to_string(all) + " elements'") +
      " bound is wider than the layer's values, because the worst case grows along the steps, so " +
      (unjudged == all ? "nothing of it could" : "these could not") + " be judged: " + advice;
  return planned.stage.name + ": " + result.reason;
}

OracleTest judge_exact(std::span<const std::int64_t> indices, bool all, std::span<const double> y,
                       std::span<const double> exact, std::span<const double> magnitude,
                       const Allowance& allowance, std::int64_t terms) {
  OracleTest test;
  test.elements = static_cast<std::int64_t>(indices.size());
  test.all = all;
  // What the exact value itself may be off by (CONTRACTS section 2, fp64).
  const double own = (static_cast<double>(terms) + 8) * unit_roundoff_double;
  const double limit = (0x1p127 - allowance.underflow) / (1 + 0x1p-9);
  double worst = -1;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (swallowed(exact[i], y[i])) {
      ++test.beyond;
      test.max_abs = worst = test.worst_share = std::numeric_limits<double>::infinity();
      test.worst_index = indices[i];
      test.worst_value = y[i];
      test.worst_exact = exact[i];
    }
    if (!(magnitude[i] < limit)) continue;
    const bool same = y[i] == exact[i] || (std::isnan(y[i]) && std::isnan(exact[i]));
    double distance = same ? 0 : std::fabs(y[i] - exact[i]);
    if (std::isnan(distance)) distance = std::numeric_limits<double>::infinity();
    // An integer is its own magnitude, with its sign.
    const double bound =
        (allowance.coefficient + own) * std::fabs(magnitude[i]) + allowance.underflow;
    const double share = distance == 0 ? 0
                         : bound > 0   ? distance / bound
                                       : std::numeric_limits<double>::infinity();
    test.beyond += distance > bound;
    test.max_abs = std::max(test.max_abs, distance);
    if (share > worst) {
      worst = share;
      test.worst_share = share;
      test.worst_index = indices[i];
      test.worst_value = y[i];
      test.worst_exact = exact[i];
    }
  }
  return test;
}

namespace {

/// Whether every element of the value has the bits of the first.
bool is_constant(Backend& backend, const Execution& execution, const Value& value) {
  const std::int64_t size = element_count(value.shape());
  // A few elements tell nearly always; only then is the whole tensor read.
  const std::vector<std::int64_t> few = sample_of(size, false, 1, {});
  const auto flat = [](std::span<const double> y) {
    return std::all_of(y.begin(), y.end(), [&](double each) {
      return canonical_bits(each) == canonical_bits(y.front());
    });
  };
  const std::span<const std::int64_t> probe(few.data(), std::min<std::size_t>(few.size(), 64));
  if (!flat(backend.elements(value, probe))) return false;
  return flat(widened(backend.download(value, execution)));
}

/// Position of the input that has the output's bits.
std::optional<std::size_t> input_handed_through(Backend& backend, const Execution& execution,
                                                const PlannedStage& planned,
                                                std::span<const Value> inputs,
                                                const Value& output) {
  // A ReLU or a maximum of what is already so returns it unchanged; a Where may take one side.
  for (const char* selection :
       {"Relu", "LeakyRelu", "PRelu", "Elu", "Abs", "Clip", "Max", "Min", "Where", "MaxPool",
        "ReduceMax", "ReduceMin", "ScatterND", "ScatterElements", "Resize", "TopK"})
    if (planned.stage.steps.front().op_type == selection) return std::nullopt;
  const auto is_float = [](const Value& value) {
    return value.type().type == Type::float32 || value.type().type == Type::float64;
  };
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Value& input = inputs[k];
    // In double the same value is the same element: what did nothing in float did nothing there.
    const bool widened_input = input.type().type != output.type().type;
    if (input.shape() != output.shape() || element_count(output.shape()) == 0) continue;
    if (widened_input && !(is_float(input) && is_float(output))) continue;
    const std::vector<std::int64_t> few = sample_of(element_count(output.shape()), false, 1, {});
    const std::span<const std::int64_t> probe(few.data(), std::min<std::size_t>(few.size(), 64));
    const auto equal = [](std::span<const double> x, std::span<const double> y) {
      return std::equal(x.begin(), x.end(), y.begin(), [](double a, double b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      });
    };
    if (!equal(backend.elements(input, probe), backend.elements(output, probe))) continue;
    const bool whole = widened_input
                           ? equal(widened(backend.download(input, execution)),
                                   widened(backend.download(output, execution)))
                           : backend.compare(input, output, nullptr, {}, execution).differing == 0;
    if (whole) return k;
  }
  return std::nullopt;
}

/// A tensor of fewer elements may be one constant by chance.
constexpr std::int64_t fewest_of_a_constant = 32;

}  // namespace

std::optional<Diagnosis> proves_nothing(Backend& backend, const Execution& execution,
                                        const PlannedStage& planned, std::span<const Value> inputs,
                                        const Value& output, const Comparison& introduced) {
  const auto found = [](Bug bug, std::string evidence) {
    Diagnosis diagnosis;
    diagnosis.label = name(bug);
    diagnosis.proof = Proof::bits;
    diagnosis.confidence = 1;
    diagnosis.evidence = std::move(evidence);
    return diagnosis;
  };
  // What reads no input is the file's own constant: a canvas of zeros is meant.
  if (inputs.empty()) return std::nullopt;
  // Integers and masks agree to the bit or not at all, and may well be constant.
  if (output.type().type == Type::int64 || output.type().type == Type::boolean) return std::nullopt;
  if (introduced.informative == 0) {
    const std::vector<double> values = widened(backend.download(output, execution));
    if (std::all_of(values.begin(), values.end(), [](double y) { return y == 0; }))
      return found(Bug::output_zeroed, "every element is zero, so its agreement shows nothing");
    Diagnosis diagnosis =
        found(Bug::output_constant, "no element is finite and other than zero on both sides");
    diagnosis.label = "nothing_finite";
    return diagnosis;
  }
  // Movement passes bits by contract.
  if (planned.contracts.front().algorithm == Algorithm::move) return std::nullopt;
  if (element_count(output.shape()) >= fewest_of_a_constant &&
      is_constant(backend, execution, output))
    return found(Bug::output_constant,
                 "every element is the same constant, so its agreement shows nothing");
  if (const auto k = input_handed_through(backend, execution, planned, inputs, output))
    return found(Bug::input_returned, "the output equals the input '" +
                                          planned.stage.input_names[*k] +
                                          "' bit for bit, as if the stage had not run");
  return std::nullopt;
}

namespace {

void add_blocks(RunRecord& record) {
  for (const StageResult& stage : record.stages) {
    auto block = std::find_if(record.blocks.begin(), record.blocks.end(),
                              [&](const BlockResult& b) { return b.name == stage.block; });
    if (block == record.blocks.end()) {
      record.blocks.push_back({stage.block, stage.id, stage.id, 0, 0, 0});
      block = record.blocks.end() - 1;
    }
    block->first = std::min(block->first, stage.id);
    block->last = std::max(block->last, stage.id);
    block->share_of_final += stage.share_of_final;
    block->max_abs =
        stage.accumulated ? stage.accumulated->max_abs : std::numeric_limits<double>::quiet_NaN();
    block->diverged += stage.verdict == Verdict::diverged;
  }
  if (record.blocks.size() < 2 || record.blocks.size() < record.stages.size()) return;
  // Names without structure put every stage in a block of its own, which brackets nothing.
  BlockResult whole = record.blocks.back();
  whole.name.clear();
  whole.first = record.stages.front().id;
  whole.share_of_final = 0;
  whole.diverged = 0;
  for (const BlockResult& block : record.blocks) {
    whole.share_of_final += block.share_of_final;
    whole.diverged += block.diverged;
  }
  record.blocks = {whole};
}

bool beyond(const Comparison& comparison, double tolerance) {
  return comparison.max_abs > tolerance ||
         comparison.nan_mismatches + comparison.infinity_mismatches > 0;
}

void add_milestones(RunRecord& record) {
  constexpr double thresholds[] = {1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3};
  for (const double threshold : thresholds)
    for (const StageResult& stage : record.stages)
      if (stage.accumulated_relative >= threshold) {
        record.answers.milestones.push_back({threshold, stage.id});
        break;
      }
}

/// Maps of the first diverging stage and of the three largest shares stay.
void drop_maps(RunRecord& record) {
  std::set<int> kept = {record.answers.first_diverging};
  for (std::size_t i = 0; i < record.answers.by_share.size() && i < 3; ++i)
    kept.insert(record.answers.by_share[i]);
  for (StageResult& stage : record.stages)
    if (!kept.contains(stage.id)) stage.map.reset();
}

}  // namespace

std::string counted(std::int64_t count, const std::string& of) {
  return std::to_string(count) + " " + of + (count == 1 ? "" : "s");
}

void note_on_inputs(RunRecord& record, const Graph& graph, std::span<const Tensor> inputs) {
  const auto zero = [](const Tensor& tensor) {
    if (tensor.type().type != Type::float32) return tensor.type().type != Type::float64;
    const std::span<const float> x = tensor.values<float>();
    return std::all_of(x.begin(), x.end(), [](float value) { return value == 0; });
  };
  const bool floats = std::any_of(inputs.begin(), inputs.end(), [](const Tensor& tensor) {
    return tensor.type().type == Type::float32 && tensor.size() > 0;
  });
  if (floats && std::all_of(inputs.begin(), inputs.end(), zero))
    record.notes.push_back(
        "every float input is zero throughout, so no weight of the first stages takes part: an "
        "agreement here says little; give data with --input");
  const auto not_finite = [](const auto& x) {
    return std::count_if(x.begin(), x.end(), [](auto value) { return !std::isfinite(value); });
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Type type = inputs[i].type().type;
    const std::int64_t odd = type == Type::float32   ? not_finite(inputs[i].values<float>())
                             : type == Type::float64 ? not_finite(inputs[i].values<double>())
                                                     : 0;
    if (odd > 0)
      record.notes.push_back("input " + shown(graph.tensor(graph.inputs[i]).name) +
                             " holds NaN or infinity in " + counted(odd, "element") +
                             ": what they reach is compared as it is, and no bound judges it");
  }
}

ProvedFault proved_fault(const StageResult& stage) {
  if (stage.verdict != Verdict::diverged || stage.diagnoses.empty()) return {};
  const Diagnosis& found = stage.diagnoses.front();
  if (found.proof == Proof::pattern) return {};
  std::string words = found.label;
  std::replace(words.begin(), words.end(), '_', ' ');
  const bool bits = found.proof == Proof::bits;
  return {words, bits ? 0 : 1 - found.confidence, bits};
}

std::vector<OutputResult> output_results(const Graph& graph, const std::vector<Stage>& stages,
                                         const std::map<TensorId, Comparison>& accumulated) {
  const std::map<TensorId, int> made_by = producers_of(stages);
  std::vector<OutputResult> results;
  for (const TensorId id : graph.outputs) {
    OutputResult output;
    output.name = graph.tensor(id).name;
    output.shape = to_string(graph.tensor(id).type.shape);
    const auto maker = made_by.find(id);
    if (maker != made_by.end()) output.stage = stages[static_cast<std::size_t>(maker->second)].id;
    const auto found = accumulated.find(id);
    if (found != accumulated.end()) output.accumulated = found->second;
    results.push_back(std::move(output));
  }
  return results;
}

void conclude(RunRecord& record, const std::vector<double>& shares) {
  Answers& answers = record.answers;
  double largest_introduced = 0;
  for (std::size_t i = 0; i < record.stages.size(); ++i) {
    StageResult& stage = record.stages[i];
    if (i < shares.size()) stage.share_of_final = shares[i];
    ++answers.counts[static_cast<int>(stage.verdict)];
    if (stage.verdict == Verdict::diverged && answers.first_diverging < 0)
      answers.first_diverging = stage.id;
    if (stage.introduced && stage.introduced->differing > 0) {
      if (answers.first_different < 0) answers.first_different = stage.id;
      const double relative = stage.introduced->rms_a > 0
                                  ? stage.introduced->max_abs / stage.introduced->rms_a
                                  : std::numeric_limits<double>::infinity();
      if (relative > largest_introduced) {
        largest_introduced = relative;
        answers.largest_introduced = stage.id;
      }
    }
    const double worst = largest_share_of_bound(stage).value_or(0);
    if (worst > answers.worst_share_of_bound) {
      answers.worst_share_of_bound = worst;
      answers.worst_share_stage = stage.id;
    }
    if (record.tolerance && answers.first_beyond_tolerance < 0 && stage.accumulated &&
        beyond(*stage.accumulated, *record.tolerance))
      answers.first_beyond_tolerance = stage.id;
    if (stage.share_of_final != 0) answers.by_share.push_back(stage.id);
  }
  std::map<int, double> share_of;
  for (const StageResult& stage : record.stages) share_of[stage.id] = stage.share_of_final;
  std::stable_sort(answers.by_share.begin(), answers.by_share.end(),
                   [&](int x, int y) { return share_of[x] > share_of[y]; });
  for (OutputResult& output : record.outputs)
    output.beyond_tolerance =
        record.tolerance && output.accumulated && beyond(*output.accumulated, *record.tolerance);
  add_milestones(record);
  add_blocks(record);
  drop_maps(record);
  record.exit_code = exit_code_of(record);
}

namespace {

/// Whether the stage's output tells nothing whatever made it (proves_nothing()): of zeros or one
/// constant nobody learns a cause.
bool tells_nothing(const StageResult& stage) {
  return stage.verdict == Verdict::untrusted && !stage.diagnoses.empty();
}

}  // namespace

std::vector<std::size_t> stages_to_attribute(const RunRecord& record, std::size_t most, int also) {
  if (most == attribute_none) return {};
  std::set<int> ids = {record.answers.first_diverging, also};
  for (std::size_t i = 0; i < record.answers.by_share.size() && i < most; ++i)
    ids.insert(record.answers.by_share[i]);
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < record.stages.size(); ++i) {
    const StageResult& stage = record.stages[i];
    const bool differs = stage.introduced && stage.introduced->differing > 0;
    if (differs && !tells_nothing(stage) && (ids.contains(stage.id) || most == attribute_all))
      positions.push_back(i);
  }
  return positions;
}

void add_causes(RunRecord& record) {
  Answers& answers = record.answers;
  double total = 0;
  std::size_t attributed = 0;
  for (const StageResult& stage : record.stages) {
    if (!stage.attribution) continue;
    ++attributed;
    total += std::max(0.0, stage.share_of_final);
  }
  answers.attributed_share = total;
  for (const StageResult& stage : record.stages) {
    if (!stage.attribution) continue;
    // Where no error reaches an output, the stages count alike.
    const double weight = total > 0 ? std::max(0.0, stage.share_of_final) / total
                                    : 1 / static_cast<double>(attributed);
    for (const CauseShare& share : stage.attribution->causes) {
      auto found = std::find_if(answers.causes.begin(), answers.causes.end(), [&](const auto& c) {
        return c.cause == share.cause && c.what == share.what;
      });
      if (found == answers.causes.end())
        found = answers.causes.insert(answers.causes.end(), {share.cause, share.what, 0});
      found->share += weight * share.share;
    }
  }
  std::stable_sort(answers.causes.begin(), answers.causes.end(),
                   [](const auto& x, const auto& y) { return x.share > y.share; });
}

int exit_code_of(const RunRecord& record) {
  bool incomplete = false, failed = record.answers.first_beyond_tolerance >= 0;
  for (const StageResult& stage : record.stages) {
    failed |= stage.verdict == Verdict::diverged;
    incomplete |= stage.verdict == Verdict::untrusted || stage.verdict == Verdict::not_run;
  }
  for (const OutputResult& output : record.outputs) failed |= output.beyond_tolerance;
  for (const DecisionResult& decision : record.decisions) {
    failed |= decision.flipped > 0;
    incomplete |= !decision.not_judged.empty();
  }
  if (failed) return 1;
  return incomplete ? 4 : 0;
}

double needed_seconds(const RunRecord& record) {
  double seconds = 0;
  for (const StageResult& stage : record.stages)
    seconds += stage.seconds_a + stage.seconds_b + stage.seconds_local + stage.seconds_magnitude;
  return seconds;
}

}  // namespace parity
