#include "compare/capture.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>

#include "compare/diagnosis.hpp"
#include "compare/misread.hpp"
#include "compare/recurrence.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/half.hpp"
#include "model/error.hpp"
#include "model/named_tensor.hpp"
#include "model/nearest.hpp"
#include "model/ops.hpp"
#include "model/steps.hpp"
#include "model/text.hpp"

namespace parity {

namespace {

/// What a runtime that places pixels and makes their weights in float32 may move a resize by, for
/// inputs of magnitude 1. A place is a product or quotient by a rounded scale and a difference, three
/// roundings of at most I + 1: it is off by at most d = 3u(I + 1). Linear and cubic interpolation are
/// continuous in the place with a slope of at most L per weight, also where the neighbours change, of
/// which then one more takes part; a weight itself is made with at most 50 roundings of 1 (Keys'
/// polynomial by Horner's rule on distances up to 2, |a| <= 1). With e = L*d + 50u per weight and S
/// the largest sum |w| of an axis of n neighbours, the axes together move the result by at most
/// prod(S + (n + 1)e) - prod S.
double resize_places(const Resize& op, const Shape& x) {
  if (op.mode == Resize::Mode::nearest) return 0;
  const auto a = static_cast<double>(op.cubic_a);
  const double slope = op.mode == Resize::Mode::linear
                           ? 1
                           : std::max(std::fabs(a), (a + 3) * (a + 3) / (3 * (a + 2)));
  double right = 1, moved = 1;
  for (const Resize::Axis& axis : op.axes) {
    const std::int64_t extent = x[static_cast<std::size_t>(axis.axis)];
    const Resize::Table table = op.table(axis, extent);
    double largest = 0;
    for (std::size_t i = 0; i < table.weights.size(); i += static_cast<std::size_t>(table.taps)) {
      double sum = 0;
      for (std::size_t t = 0; t < static_cast<std::size_t>(table.taps); ++t)
        sum += std::fabs(table.weights[i + t]);
      largest = std::max(largest, sum);
    }
    const double e = unit_roundoff * (slope * 3 * static_cast<double>(extent + 1) + 50);
    right *= largest;
    moved *= largest + static_cast<double>(table.taps + 1) * e;
  }
  return moved - right;
}

}  // namespace

// The bound of an unknown runtime. Each step's own allowance already holds for any order of its
// roundings where it is gamma(n) (Higham, section 3.1: n products and n - 1 sums in any order,
// fused or not). What a foreign runtime may do beyond the contract, and what each costs:
//
//   MAC             a bias may start the sum: one more term. TF32: products may also be summed
//   outside the tensor core in
//                   FP32 (split K), so gamma(n) is added to the tensor core's own loss; of the
//                   generations the one that loses most stands in (k4f24).
//   BatchNorm       s = gamma / sqrt(var + eps) in FP32: var + eps, sqrt, the division and the
//   product with w or x, one
//                   rounding each, sqrt halving the first: below gamma(4). As (x - mean)*s + beta
//                   or folded as w*s and (b - mean)*s + beta there are at most three more
//                   roundings, and every term of them is bounded by |s||z| or by |beta| + |s*mean|.
//                   Together below 8u of |s||z| and of |beta| + |s*mean|; the latter is no part of
//                   M, which has |t| = |beta - s*mean| with the cancellation inside, so its largest
//                   channel enters as an absolute term.
//   lanes32         a plain running sum: gamma(n) instead of the tree's.
//   sigmoid         implementations by rational approximation or with clamped arguments err by a
//   few units of 2^-24 on
//                   the scale of 1, not of y; magnitudes of a sigmoid are at least 1 (m/4 + 1), so
//                   4*2^-23 of M covers a function that is good to 4 ULP of 1.
//   float16         A value v recorded as h = fl16(v): |v - h| <= v16*max(|h|, 2^-14) with
//                   v16 = 2^-11/(1 - 2^-11), since half a step below 2^-14 is 2^-25. Of an input that
//                   is an error of v16*M before the first step, M read on max(|h|, 2^-14), and of two
//                   that the head multiplies (1 + v16)^2 - 1; of the output one more rounding. A
//                   divisor h below 2^-14 stands in M as d <= |h| so that v16/d is what the rounding
//                   of 1/h may be. Functions without a largest slope carry it by their own values at
//                   the ends of the interval that was rounded to h, see steep_magnitude().
//   resize          see resize_places().
namespace {

/// v16.
constexpr double recorded_roundoff = half_roundoff / (1 - half_roundoff);

/// How many values the head multiplies with each other.
std::int64_t factors_of(const Step& head, const OperandTypes& types) {
  if (const auto* reduce = std::get_if<Reduce>(head.op.get())) {
    if (reduce->function == Reduce::Function::sum_square) return 2;
    if (reduce->function == Reduce::Function::prod) return reduce->terms(types.inputs[0]);
  }
  const auto* binary = std::get_if<Binary>(head.op.get());
  const bool multiplies =
      binary
          ? binary->function == Binary::Function::mul || binary->function == Binary::Function::div
          : std::holds_alternative<MatMul>(static_cast<const Op::variant&>(*head.op));
  return multiplies && head.inputs.size() > 1 ? 2 : 1;
}

}  // namespace

Allowance foreign_allowance(const PlannedStage& planned, const RecordedStage& recorded) {
  const Stage& stage = planned.stage;
  const std::vector<OperandTypes> types = step_operand_types(stage);
  const std::int64_t terms = stage_terms(planned);
  Allowance total;
  if (recorded.inputs_in_half)
    total.coefficient = std::pow(1 + recorded_roundoff,
                                 static_cast<double>(factors_of(stage.steps.front(), types[0]))) -
                        1;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Step& step = stage.steps[i];
    const Contract& contract = planned.contracts[i];
    const StepAllowance allowed = visit(
        [&](const auto& o) { return o.allowance(types[i], step.parameters, contract); }, *step.op);
    Allowance own = allowed.own;
    switch (contract.algorithm) {
      case Algorithm::chain:
      case Algorithm::gemm_eigen:
      case Algorithm::gemm_cublas:
        own.coefficient += gamma(2);
        break;
      case Algorithm::chunk256:  // tighter than any order of its terms
      case Algorithm::tensor_k4f24:
      case Algorithm::tensor_k8f25:
        own.coefficient += gamma(terms) + gamma(2);
        break;
      case Algorithm::lanes32:
        own.coefficient += gamma(terms);
        break;
      default:
        break;
    }
    if (const auto* norm = std::get_if<BatchNorm>(step.op.get())) {
      constexpr double roundings = 8 * unit_roundoff;
      const ScaleShift constants = scale_shift(*norm, step.parameters);
      const std::span<const float> beta = step.parameters[1]->values<float>();
      const std::span<const float> mean = step.parameters[2]->values<float>();
      double largest = 0;
      for (std::size_t c = 0; c < constants.s64.size(); ++c)
        largest = std::max(largest, std::fabs(static_cast<double>(beta[c])) +
                                        std::fabs(static_cast<double>(mean[c]) * constants.s64[c]));
      own.coefficient += roundings;
      if (std::isfinite(largest)) own.underflow += roundings * largest;
    }
    if (!contract.function.empty()) own.coefficient += 4 * 0x1p-23;
    if (const auto* resize = std::get_if<Resize>(step.op.get()))
      own.underflow += resize_places(*resize, types[i].inputs[0].shape) * recorded.largest_input;
    total = {total.coefficient + own.coefficient * (1 + total.coefficient),
             total.underflow * allowed.gain + own.underflow};
  }
  if (recorded.output_in_half)
    total = {total.coefficient + half_roundoff * (1 + total.coefficient),
             total.underflow * (1 + half_roundoff) + half_roundoff * half_smallest_normal};
  return total;
}

Numerics arithmetic_behind(Numerics numerics) {
  numerics.batch_norm = BatchNormalisation::kept;
  numerics.promise = Determinism::not_guaranteed;
  numerics.algorithm.reset();
  const bool tf32 = numerics.conv == Math::tf32 || numerics.matmul == Math::tf32;
  numerics.arch = tf32 ? Arch::sm_80 : Arch::none;
  return numerics;
}

namespace {

std::string foreign_contract(const PlannedStage& planned) {
  for (const Contract& contract : planned.contracts)
    if (contract.rounding) return "foreign:tf32/" + std::string(name(*contract.rounding));
  return "foreign:fp32";
}

/// So many elements that are float16 and no small integers, which any precision has, are none by
/// chance: a float32 is one once in 2^13.
constexpr std::size_t telling_halves = 8;

/// Whether a recording has been through float16: every element is one, and `enough` of them tell, which
/// one that was there before does not.
bool holds_halves(const Tensor& tensor, std::size_t enough) {
  if (tensor.type().type != Type::float32) return false;
  std::vector<float> telling;
  for (const float value : tensor.values<float>()) {
    if (value == 0 || !std::isfinite(value)) continue;
    if (round_to_half(value) != value) return false;
    if (telling.size() < enough && value != std::trunc(value) &&
        std::find(telling.begin(), telling.end(), value) == telling.end())
      telling.push_back(value);
  }
  return telling.size() >= enough;
}

/// Whether a stage's result is no float16 by chance: a product or an elementary function made it, or any
/// rounding where what it read is none either.
bool rounds(const PlannedStage& planned, bool reads_halves) {
  if (planned.stage.macs > 0) return true;
  const std::vector<OperandTypes> types = step_operand_types(planned.stage);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Step& step = planned.stage.steps[i];
    const Contract& contract = planned.contracts[i];
    const Allowance own =
        visit([&](const auto& o) { return o.allowance(types[i], step.parameters, contract); },
              *step.op)
            .own;
    if (!contract.function.empty() || (!reads_halves && own.coefficient > 0)) return true;
  }
  return false;
}

/// max(|h|, 2^-14): what the rounding of an input to float16 is relative to.
Tensor above_smallest_half(const Tensor& tensor) {
  const std::span<const float> values = tensor.values<float>();
  std::vector<float> raised(values.size());
  std::transform(values.begin(), values.end(), raised.begin(), [](float value) {
    const float size = std::fabs(value);
    return size < 0x1p-14F ? 0x1p-14F : size;  // NaN stays
  });
  return Tensor::of(tensor.shape(), std::move(raised));
}

/// The same for a divisor: 1/|h| is off by at most v16/d, infinitely where h may have been 0.
Tensor below_smallest_half(const Tensor& tensor) {
  const std::span<const float> values = tensor.values<float>();
  std::vector<float> lowered(values.size());
  constexpr double rounded = recorded_roundoff * half_smallest_normal;
  std::transform(values.begin(), values.end(), lowered.begin(), [](float value) {
    const double size = std::fabs(static_cast<double>(value));
    if (!(size < half_smallest_normal)) return static_cast<float>(size);  // NaN stays
    return static_cast<float>(std::max(0.0, size * (size - rounded) / half_smallest_normal));
  });
  return Tensor::of(tensor.shape(), std::move(lowered));
}

/// Whether the head has no largest slope and is monotone on either side of 0, so that its values at the
/// ends of an interval, and at 0 where that lies inside, show how far it may go.
bool steep_and_monotone(const Step& head) {
  if (head.inputs.size() != 1) return false;
  if (const auto* unary = std::get_if<Unary>(head.op.get()))
    return unary->heads_stage() && unary->function != EpilogueKind::thresholded_relu;
  const auto* binary = std::get_if<Binary>(head.op.get());
  return binary && binary->heads_stage();
}

/// Of the values that round to the float16 `recorded`, the one nearest to `exact`: what is left of the
/// distance is the runtime's.
double nearest_unrounded(double recorded, double exact) {
  constexpr double overflow = 65520;  // rounds to infinity from here on
  if (std::isnan(recorded) || std::isnan(exact)) return recorded;
  if (std::isinf(recorded))
    return recorded > 0 ? std::max(exact, overflow) : std::min(exact, -overflow);
  const int exponent = std::max(-14, recorded == 0 ? -14 : std::ilogb(recorded));
  const double half_a_step = std::ldexp(1.0, exponent - 11);
  return std::clamp(exact, recorded - half_a_step, recorded + half_a_step);
}

/// Of the products recorded in float16, how many were computed so.
struct HalfVotes {
  int stages = 0, in_half = 0, in_float = 0;
  double most_equal = 0;  ///< of a stage's elements, those with the bits of its nearer emulation
  std::string most_equal_at;
};

/// A stage that TF32 may have rounded, and how noisy it is beside float32.
struct Tf32Evidence {
  std::string stage;
  double z_rms = 0;  ///< of its rounding error, in units of float32's
  bool beyond_float32 = false;
};

class CaptureWalk {
 public:
  explicit CaptureWalk(const CaptureRequest& request)
      : r_(request),
        a_(request.a.backend),
        host_(request.referee.backend),
        exact_plan_(make_plan(request.stages, in_double(BatchNormalisation::kept), host_, "exact")),
        folded_plan_(
            make_plan(request.stages, in_double(BatchNormalisation::folded), host_, "exact")),
        foreign_plan_(
            make_plan(request.stages, arithmetic_behind(request.numerics), host_, request.spec)),
        live_(request.graph, request.a.plan.stages),
        flow_(request.stages.size()),
        producers_(producers_of(request.stages)) {
    record_.a = side_record(r_.a.plan, a_.info(r_.a.execution));
    record_.b.spec = r_.spec;
    record_.b.backend = "capture";
    record_.b.device = r_.capture.file;
    record_.b.numerics = numerics_text(r_.numerics) + ", any order";
    record_.b.promise = name(Determinism::not_guaranteed);
  }

  RunRecord run() {
    Stopwatch total;
    begin();
    for (std::size_t i = 0; i < r_.stages.size(); ++i) {
      report(r_.stages[i].name);
      walk_stage(i);
      ++progress_.stages_done;
      progress_.macs_done += r_.stages[i].macs;
    }
    report({});
    end();
    record_.seconds = total.lap();
    return std::move(record_);
  }

 private:
  static Numerics in_double(BatchNormalisation batch_norm) {
    Numerics numerics;
    numerics.batch_norm = batch_norm;
    numerics.conv = numerics.matmul = numerics.rnn = Math::fp64;
    numerics.promise = Determinism::run_to_run;
    return numerics;
  }
  void report(const std::string& stage) {
    progress_.stage = stage;
    if (r_.observer) r_.observer(progress_);
  }

  void begin() {
    check_inputs(r_.graph, r_.inputs);
    record_.model = r_.graph.name;
    record_.model_digest = r_.graph.digest;
    record_.producer = r_.graph.producer;
    record_.opset = r_.graph.opset;
    record_.notes = r_.graph.notes;
    record_.lints = r_.graph.lints;
    match_names();
    record_.tolerance = r_.tolerance;
    record_.decisions = undecided(r_.decisions);
    progress_.stages = static_cast<int>(r_.stages.size());
    for (const Stage& stage : r_.stages) progress_.macs += stage.macs;
    note_on_inputs(record_, r_.graph, r_.inputs);
    for (std::size_t i = 0; i < r_.inputs.size(); ++i) {
      const TensorId id = r_.graph.inputs[i];
      const auto held = captured_.find(id);
      const bool as_given = held == captured_.end() || same_bits(held->second, r_.inputs[i]);
      // Recorded in float16, the input as it was before is the better one.
      const bool rounded = !as_given && halves_.contains(id) &&
                           same_bits(held->second, rounded_to_half(r_.inputs[i]));
      if (rounded) halves_.erase(id);
      if (!as_given && !rounded)
        throw Error(
            Fault::bad_input,
            r_.capture.file + " was recorded with another input: its tensor '" +
                r_.graph.tensor(id).name +
                "' differs from the input given; give the input of the recording with --input");
      captured_[id] = r_.inputs[i];
      const Value value = a_.upload(r_.inputs[i], r_.a.execution);
      live_.put(id, value);
      equal_.insert(id);
      const Comparison self = a_.compare(value, value, nullptr, {}, r_.a.execution);
      flow_.source(id, norm_square(self));
      if (r_.graph.outputs.end() != std::find(r_.graph.outputs.begin(), r_.graph.outputs.end(), id))
        accumulated_[id] = self;
    }
  }

  /// Finds what each captured name means; refuses a capture that knows nothing of this model.
  void match_names() {
    std::map<std::string, TensorId> known;
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, TensorId id) {
      if (known.emplace(name, id).second) names.push_back(name);
    };
    for (const Stage& stage : r_.stages)
      for (std::size_t j = 0; j < stage.outputs.size(); ++j)
        add(stage.output_names[j], stage.outputs[j]);
    // A tensor's own name comes before a stage's: a stage may be called like another stage's
    // tensor.
    for (const Stage& stage : r_.stages) add(stage.name, stage.outputs[0]);
    std::set<TensorId> of_stages;
    for (const auto& [name, id] : known) of_stages.insert(id);
    for (const TensorId id : r_.graph.inputs) add(r_.graph.tensor(id).name, id);
    std::set<std::string> inner;
    for (const Stage& stage : r_.stages)
      for (const Step& step : stage.steps)
        for (const TensorId id : step.outputs)
          if (!known.contains(r_.graph.tensor(id).name)) inner.insert(r_.graph.tensor(id).name);
    int matched = 0, inside = 0;
    std::vector<std::string> unknown;
    for (const auto& [name, tensor] : r_.capture.tensors) {
      const auto found = known.find(name);
      if (found == known.end()) {
        inner.contains(name) ? static_cast<void>(++inside) : unknown.push_back(name);
        continue;
      }
      require_type(name, tensor, r_.graph.tensor(found->second));
      captured_[found->second] = with_canonical_nan(tensor);
      if (holds_halves(tensor, telling_halves)) halves_.insert(found->second);
      matched += of_stages.contains(found->second);
    }
    // What was computed is no float16 by chance; what a pool or an input holds may be.
    const bool reads_halves =
        std::any_of(r_.inputs.begin(), r_.inputs.end(),
                    [](const Tensor& input) { return holds_halves(input, 0); });
    bool in_half = false;
    for (std::size_t i = 0; i < r_.stages.size() && !in_half; ++i)
      in_half = halves_.contains(r_.stages[i].outputs[0]) &&
                rounds(foreign_plan_.stages[i], reads_halves);
    if (!in_half) halves_.clear();
    // Where some were, tensors of too few elements to tell were as well.
    if (in_half)
      for (const auto& [id, tensor] : captured_)
        if (holds_halves(tensor, 1)) halves_.insert(id);
    if (matched > 0) {
      if (lacks_a_stage()) note_unused(inside, unknown, names);
      return;
    }
    std::string why =
        "no tensor of " + r_.capture.file + " is a tensor or a stage of " + r_.graph.name;
    if (r_.capture.tensors.empty()) {
      why += ": it is empty";
    } else if (!captured_.empty()) {
      why += ", but for inputs of the model";
    } else {
      const std::string& first = r_.capture.tensors.front().first;
      why += ": it holds " + shown(first) + did_you_mean(first, names);
    }
    throw Error(Fault::bad_input, why + ". Record tensors under their ONNX names (" +
                                      listed(names, 6) +
                                      ") or under stage names; `inspect` lists both.");
  }

  /// Whether a stage has no recorded output and no constant of the file in its place. Where none
  /// has, whatever else the file holds is of no interest.
  bool lacks_a_stage() const {
    return std::any_of(r_.stages.begin(), r_.stages.end(), [&](const Stage& stage) {
      return !stage.inputs.empty() &&
             std::none_of(stage.outputs.begin(), stage.outputs.end(),
                          [&](TensorId id) { return captured_.contains(id); });
    });
  }

  /// Which tensors of the file say nothing here: one of them may be what a stage lacks.
  void note_unused(int inside, const std::vector<std::string>& unknown,
                   const std::vector<std::string>& names) {
    if (inside == 0 && unknown.empty()) return;
    const std::size_t all = r_.capture.tensors.size();
    std::string text = std::to_string(static_cast<std::size_t>(inside) + unknown.size()) + " of " +
                       counted(static_cast<std::int64_t>(all), "tensor") + " in " +
                       r_.capture.file + " are not used: ";
    if (inside > 0)
      text += std::to_string(inside) + " lie inside a stage, which is judged by its last tensor" +
              (unknown.empty() ? "" : "; ");
    if (!unknown.empty()) {
      text += std::to_string(unknown.size()) + (unknown.size() == 1 ? " has" : " have") +
              " no name of what is compared, as ";
      std::string near;
      for (std::size_t i = 0; i < std::min<std::size_t>(unknown.size(), 100) && near.empty(); ++i)
        if (const std::string other = nearest(unknown[i], names); !other.empty())
          near = shown(unknown[i]) + " (nearest: " + shown(other) + ")";
      text += near.empty() ? shown(unknown.front()) : near;
    }
    record_.notes.push_back(text);
  }

  void require_type(const std::string& name, const Tensor& tensor, const TensorInfo& made) const {
    const TensorType& wanted = made.type;
    if (tensor.type() == wanted) return;
    const auto declared = r_.capture.declared.find(name);
    const std::string held =
        type_text(tensor.type(), declared == r_.capture.declared.end() ? "" : declared->second);
    const bool rounded = tensor.type().type == Type::float64 && wanted.type == Type::float32;
    // Rounded here, its stage's output would be judged as bits that no runtime made; unrounded, it
    // would not be what a float32 stage reads.
    throw Error(Fault::bad_input,
                "tensor " + shown(name) + " of " + r_.capture.file + " is " + held +
                    ", but the model makes it " + type_text(wanted, made.declared) +
                    (rounded ? ": the differ judges the bits that a float32 runtime made; cast to "
                               "float32 when saving"
                             : "; record it in ONNX layout and at the input shape of this run"));
  }

  static double norm_square(const Comparison& c) {
    return c.rms_a * c.rms_a * static_cast<double>(c.elements);
  }

  void walk_stage(std::size_t i) {
    const Stage& stage = r_.stages[i];
    StageResult result = frame_of(stage, r_.stages, &r_.a.plan.stages[i], nullptr);
    result.contract_b = foreign_contract(foreign_plan_.stages[i]);
    if (record_.b.contract.empty() && stage.macs > 0) record_.b.contract = result.contract_b;
    Stopwatch watch;
    const std::vector<Value> a =
        a_.run(r_.a.plan.stages[i], live_.at(stage.inputs), Reading::values, r_.a.execution);
    result.seconds_a = watch.lap();
    result.digest_a = a_.digest(a[0], r_.a.execution);
    const bool constant = stage.inputs.empty() && !captured_.contains(stage.outputs[0]);
    if (constant)  // nobody records what stands in the file
      for (std::size_t j = 0; j < stage.outputs.size(); ++j)
        captured_.emplace(stage.outputs[j], as_read(a_.download(a[j], r_.a.execution)));
    const std::string missing_input = first_missing(stage);
    std::vector<std::size_t> held;  // outputs that were recorded
    for (std::size_t j = 0; j < stage.outputs.size(); ++j)
      if (captured_.contains(stage.outputs[j])) held.push_back(j);
    if (held.empty()) {
      result.verdict = Verdict::not_run;
      result.reason =
          "the capture has no tensor '" + result.tensor + "' and no stage '" + stage.name + "'";
      const Comparison self = a_.compare(a[0], a[0], nullptr, {}, r_.a.execution);
      flow_.carry(stage.inputs, stage.outputs, norm_square(self));
    }
    // The worst output is the stage's; an earlier one of as bad a verdict comes first.
    for (const std::size_t j : held) {
      StageResult of_output = result;
      const Tensor& recorded = captured_.at(stage.outputs[j]);
      const Value y = a_.upload(recorded, r_.a.execution);
      of_output.tensor = stage.output_names[j];
      of_output.shape = to_string(stage.output_types[j].shape);
      of_output.elements = element_count(stage.output_types[j].shape);
      of_output.digest_a = a_.digest(a[j], r_.a.execution);
      of_output.digest_b = a_.digest(y, r_.a.execution);
      of_output.accumulated = a_.compare(a[j], y, nullptr, {}, r_.a.execution);
      if (missing_input.empty()) {
        judge(i, j, a, y, of_output);
      } else {
        of_output.verdict = Verdict::not_run;
        of_output.reason =
            "the capture lacks the stage's input '" + missing_input +
            "', so it cannot be judged on its own input; the accumulated error is known";
        take_all(i, j, of_output);
      }
      note_accumulated(stage.outputs[j], of_output);
      decide_margins(i, j, a[j], recorded);
      if (j == held.front() || rank_of(of_output.verdict) > rank_of(result.verdict))
        result = std::move(of_output);
    }
    if (constant) result.reason = "the file's own constant, which no recording need hold";
    for (std::size_t j = 0; j < stage.outputs.size() && !held.empty(); ++j)
      if (std::find(held.begin(), held.end(), j) == held.end())
        flow_.carry(stage.inputs, {&stage.outputs[j], 1},
                    norm_square(a_.compare(a[j], a[j], nullptr, {}, r_.a.execution)));
    live_.release(stage.inputs);
    for (std::size_t j = 0; j < stage.outputs.size(); ++j) live_.put(stage.outputs[j], a[j]);
    a_.forget(r_.a.plan.stages[i]);
    a_.forget(exact_plan_.stages[i]);
    host_.forget(exact_plan_.stages[i]);
    record_.stages.push_back(std::move(result));
  }

  /// Whatever happened since the last tensor that can be judged is put down to this stage.
  void take_all(std::size_t i, std::size_t j, const StageResult& result) {
    const Stage& stage = r_.stages[i];
    Split all;
    all.accumulated = result.accumulated->rms * std::sqrt(static_cast<double>(result.elements));
    all.introduced_on_accumulated = all.accumulated * all.accumulated;
    flow_.pass(i, stage.inputs, {&stage.outputs[j], 1}, all, norm_square(*result.accumulated));
  }

  /// Whether the recorded output of a diverged stage shows that it was not computed from the recorded
  /// inputs: what differs between these and a's own, the output does not carry. Nearer to a's own
  /// past by half is more than errors that point anywhere make.
  static bool contradicts(const StageResult& result, const Split& split) {
    if (result.verdict != Verdict::diverged || result.blame == Blame::a) return false;
    const auto classes = [](const Comparison& c) {
      return c.nan_mismatches + c.infinity_mismatches;
    };
    if (classes(*result.accumulated) != classes(*result.introduced))
      return classes(*result.accumulated) < classes(*result.introduced);
    return 2 * split.accumulated < split.introduced;
  }

  /// The stage says nothing: what it read is not what was recorded. Its makers are remembered.
  void note_contradiction(std::size_t i, StageResult& result) {
    const Stage& stage = r_.stages[i];
    std::vector<std::string> doubtful;
    for (std::size_t k = 0; k < stage.inputs.size(); ++k) {
      if (equal_.contains(stage.inputs[k])) continue;
      const auto maker = producers_.find(stage.inputs[k]);
      if (maker == producers_.end() ||
          record_.stages[static_cast<std::size_t>(maker->second)].verdict != Verdict::diverged)
        continue;
      doubtful.push_back(stage.input_names[k]);
      auto& readers = denied_[maker->second];
      if (readers.empty() || readers.back() != stage.name) readers.push_back(stage.name);
    }
    if (doubtful.empty())
      for (std::size_t k = 0; k < stage.inputs.size(); ++k)
        if (!equal_.contains(stage.inputs[k])) doubtful.push_back(stage.input_names[k]);
    result.verdict = Verdict::untrusted;
    result.blame = Blame::nobody;
    result.reason = "the recording contradicts itself: this output lies " +
                    how_near(*result.accumulated) + " from what a makes of its own values and " +
                    how_near(*result.introduced) +
                    " from what a makes of the recorded ones, so the stage did not read " +
                    listed(doubtful, 3) + " as recorded";
    result.introduced.reset();
    result.exact_a.reset();
    result.exact_b.reset();
    result.statistics.reset();
    result.diagnoses.clear();
    result.map.reset();
    result.bound_coefficient_a = result.bound_coefficient_b = 0;
  }
  static std::string how_near(const Comparison& c) {
    const std::int64_t classes = c.nan_mismatches + c.infinity_mismatches;
    if (classes > 0) return counted(classes, "NaN or infinite element");
    std::string text(32, '\0');
    text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.2g", c.rms)));
    return "rms " + text;
  }

  /// Says of each stage whose output its readers do not know that it is so.
  void blame_contradicted() {
    for (const auto& [maker, readers] : denied_) {
      StageResult& stage = record_.stages[static_cast<std::size_t>(maker)];
      Diagnosis found;
      found.label = "recording_contradicts_itself";
      found.proof = Proof::pattern;
      found.confidence = 1;
      found.evidence = "what the recording holds of '" + stage.tensor + "' is not what " +
                       listed(readers, 3) +
                       " read: overwritten in place after it was made, recorded in another run or "
                       "under another name, or its scale moved into the next layer";
      const bool proved =
          !stage.diagnoses.empty() && stage.diagnoses.front().proof != Proof::pattern;
      stage.diagnoses.insert(stage.diagnoses.begin() + (proved ? 1 : 0), std::move(found));
      // Nobody reads what was recorded here: how large its error is says nothing of the network.
      stage.accumulated_relative = std::numeric_limits<double>::quiet_NaN();
      record_.notes.push_back("the recording contradicts itself behind " + stage.name +
                              ": shares, amplification and causes are counted from the next stage "
                              "that can be judged");
    }
  }

  /// How much a verdict says against a stage.
  static int rank_of(Verdict verdict) {
    switch (verdict) {
      case Verdict::same_bits:
        return 0;
      case Verdict::within_bound:
        return 1;
      case Verdict::untrusted:
      case Verdict::not_run:
        return 2;
      case Verdict::diverged:
        return 3;
    }
    return 0;
  }

  /// The decisions that somebody takes by the stage's output j, M read on a's own inputs.
  void decide_margins(std::size_t i, std::size_t j, const Value& a, const Tensor& y) {
    const Stage& stage = r_.stages[i];
    for (std::size_t d = 0; d < r_.decisions.size(); ++d) {
      if (!names_output(r_.graph, r_.decisions[d], stage.outputs[j])) continue;
      const Value x = live_.at(stage.inputs).front();
      const RecordedStage as_made{false, halves_.contains(stage.outputs[j]),
                                  largest_of(a_.download(x, r_.a.execution))};
      const Allowance own = stage_allowance(r_.a.plan.stages[i]),
                      foreign = foreign_allowance(foreign_plan_.stages[i], as_made);
      const Tensor m = a_.download(
          a_.run(kept_stage(i), live_.at(stage.inputs), Reading::magnitudes, r_.a.execution)[j],
          r_.a.execution);
      record_.decisions[d] = judge_decision(
          r_.decisions[d], a_.download(a, r_.a.execution), y, &m,
          {own.coefficient + foreign.coefficient, own.underflow + foreign.underflow});
    }
  }

  /// The stage as magnitudes are read from it: with BatchNorm folded into the weights, |w'| would
  /// hide what cancels between mean and shift.
  const PlannedStage& kept_stage(std::size_t i) const {
    return r_.a.plan.numerics.batch_norm == BatchNormalisation::folded ? exact_plan_.stages[i]
                                                                       : r_.a.plan.stages[i];
  }

  std::string first_missing(const Stage& stage) const {
    for (std::size_t k = 0; k < stage.inputs.size(); ++k)
      if (!captured_.contains(stage.inputs[k])) return stage.input_names[k];
    return {};
  }

  void note_accumulated(TensorId id, StageResult& result) {
    const Comparison& c = *result.accumulated;
    if (c.differing == 0) equal_.insert(id);
    accumulated_[id] = c;
    if (c.nan_mismatches + c.infinity_mismatches > 0)
      result.accumulated_relative = std::numeric_limits<double>::infinity();
    else if (c.max_abs > 0)
      result.accumulated_relative =
          c.rms_a > 0 ? c.max_abs / c.rms_a : std::numeric_limits<double>::infinity();
  }

  /// The captured output j against A and against exact, both on the capture's own inputs.
  void judge(std::size_t i, std::size_t j, const std::vector<Value>& a, const Value& y,
             StageResult& result) {
    const Stage& stage = r_.stages[i];
    const PlannedStage& planned = r_.a.plan.stages[i];
    Stopwatch watch;
    const std::vector<Value> inputs = recorded_inputs(stage);
    const bool inputs_equal = std::all_of(stage.inputs.begin(), stage.inputs.end(),
                                          [&](TensorId id) { return equal_.contains(id); });
    const Value local =
        inputs_equal ? a[j] : a_.run(planned, inputs, Reading::values, r_.a.execution)[j];
    result.seconds_local = watch.lap();
    const Value m = magnitude(i, j, inputs);
    result.seconds_magnitude = watch.lap();

    const RecordedStage recorded = recorded_as(stage, j);
    const Allowance foreign = foreign_allowance(foreign_plan_.stages[i], recorded);
    const Allowance own = stage_allowance(planned);
    result.bound_coefficient_a = own.coefficient;
    result.bound_coefficient_b = foreign.coefficient;
    const Value finite = recorded.output_in_half ? before_overflow(y, local) : y;
    result.introduced = a_.compare(
        local, finite, &m,
        {own.coefficient + foreign.coefficient, own.underflow + foreign.underflow}, r_.a.execution);
    std::vector<Value> on_host;
    for (const Value& input : inputs) on_host.push_back(for_host(input));
    const Value exact =
        host_.run(exact_plan_.stages[i], on_host, Reading::values, r_.referee.execution)[j];
    const Value m_host = for_host(m);
    result.exact_a = against_exact(i, exact, for_host(local), m_host, own);
    // |y| may be far below M: the output's own rounding is taken out, not bounded.
    result.exact_b = against_exact(
        i, exact, recorded.output_in_half ? unrounded(for_host(y), exact) : for_host(y), m_host,
        foreign_allowance(foreign_plan_.stages[i], before_its_output(recorded)));
    // Further outputs are the states behind the last step, of which Y has the history: Y_h is the last of its
    // steps, Y_c is known as far as they tell.
    std::optional<JudgedSteps> steps;
    std::optional<OracleTest> last;
    if (is_recurrent(planned) && !recorded.inputs_in_half && !recorded.output_in_half) {
      const Tensor given = host_.download(for_host(y), r_.referee.execution);
      const auto history = captured_.find(stage.outputs[0]);
      const bool seen = history != captured_.end() && !halves_.contains(stage.outputs[0]);
      if (j == 0) {
        steps = judge_steps(host_, r_.referee.execution, exact_plan_.stages[i], on_host, given,
                            nullptr, foreign, StepOrder::any);
      } else if (seen && output_among(stage, LastOf::memory) == j) {
        if (const auto all = judge_steps(host_, r_.referee.execution, exact_plan_.stages[i],
                                         on_host, history->second, &given, foreign, StepOrder::any))
          last = all->memory;
      } else if (seen && output_among(stage, LastOf::state) == j) {
        last = judge_last_state(host_, r_.referee.execution, exact_plan_.stages[i], history->second,
                                given);
      }
    }
    if (last) take_worse(*last, *result.exact_b);
    if (steps) take_worse(steps->test, *result.exact_b);
    decide(planned, inputs, y, result);
    if (result.verdict == Verdict::diverged) {
      if (steps && steps->first) result.reason += "; " + first_at("the capture", *steps->first);
      if (last && last->beyond > 0)
        result.reason += "; " + stage.output_names[j] + " is not what the recorded steps end in";
    }
    const auto values = [&](const Value& value) {
      return widened(host_.download(value, r_.referee.execution));
    };
    if (steps && !steps->unjudged.empty()) {
      const std::int64_t elements = element_count(y.shape());
      note(tell_of_unjudged(planned,
                            left_unjudged(*steps, sample_of(elements, true, 0, {}),
                                          values(for_host(y)), values(exact)),
                            elements, advice_on_steps, result));
    }
    if (is_recurrent(planned) && !steps && !last)
      note(tell_of_wide_bounds(planned, values(for_host(y)), values(exact), values(m_host), foreign,
                               result));
    // What bounds itself is not linear in |x|: its M says nothing of an error that x brings along.
    if (result.verdict == Verdict::diverged && result.blame != Blame::a &&
        recorded.inputs_in_half && bounds_itself(*stage.steps.front().op) &&
        !steep_and_monotone(stage.steps.front())) {
      result.verdict = Verdict::untrusted;
      result.blame = Blame::nobody;
      result.reason =
          "its inputs were recorded in float16, and no bound tells what that rounding does "
          "to " +
          stage.steps.front().op_type + ": record it in float32";
    }

    if (result.accumulated->differing > 0 || result.introduced->differing > 0) {
      // Split's local run is B's on A's inputs; here it is A's on B's inputs, so the two parts
      // change places.
      const Split swapped = a_.split(a[j], local, y, r_.a.execution);
      Split split = swapped;
      std::swap(split.introduced, split.inherited);
      std::swap(split.introduced_on_accumulated, split.inherited_on_accumulated);
      if (!inputs_equal && contradicts(result, split)) {
        note_contradiction(i, result);
        take_all(i, j, result);
        return;
      }
      result.split = split;
      result.amplification = inputs_equal ? 0 : flow_.amplification(stage.inputs, split);
    }
    flow_.pass(i, stage.inputs, {&stage.outputs[j], 1}, result.split,
               norm_square(*result.accumulated));

    if (result.introduced->differing > 0) result.map = a_.map(local, y, r_.a.execution);
    if (j > 0) return;  // the oracle is asked about first outputs
    if (result.introduced->differing > 0)
      look_at_noise(i, on_host, local, y, result);
    else if (foreign_plan_.stages[i].contracts.front().rounding)
      tf32_evidence_.push_back({stage.name, 0, false});
    if (recorded.output_in_half && stage.macs > 0)
      vote_on_half(i, on_host, for_host(local), for_host(y));
    if (result.verdict == Verdict::diverged && result.blame != Blame::a)
      result.diagnoses = examine(i, on_host, exact, for_host(y), m_host, recorded);
  }

  /// A recording in float16 whose infinities are what they may have been before: beyond 65,504 there is
  /// nothing else to record.
  Value before_overflow(const Value& recorded, const Value& local) {
    std::vector<double> y = widened(a_.download(recorded, r_.a.execution));
    if (std::none_of(y.begin(), y.end(), [](double value) { return std::isinf(value); }))
      return recorded;
    const std::vector<double> here = widened(a_.download(local, r_.a.execution));
    for (std::size_t i = 0; i < y.size(); ++i)
      if (std::isinf(y[i])) y[i] = nearest_unrounded(y[i], here[i]);
    return a_.upload(narrowed({Type::float32, recorded.shape()}, y), r_.a.execution);
  }

  /// A recording in float16 as it may have been before.
  Value unrounded(const Value& recorded, const Value& exact) {
    std::vector<double> y = widened(host_.download(recorded, r_.referee.execution));
    const std::vector<double> right = widened(host_.download(exact, r_.referee.execution));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = nearest_unrounded(y[i], right[i]);
    return host_.upload(Tensor::of(recorded.shape(), std::move(y)), r_.referee.execution);
  }

  /// What a stage's bound takes from its recording.
  RecordedStage recorded_as(const Stage& stage, std::size_t j) const {
    return {std::any_of(stage.inputs.begin(), stage.inputs.end(),
                        [&](TensorId id) { return halves_.contains(id); }),
            halves_.contains(stage.outputs[j]),
            stage.inputs.empty() ? 0 : largest_of(captured_.at(stage.inputs[0]))};
  }
  static RecordedStage before_its_output(RecordedStage recorded) {
    recorded.output_in_half = false;
    return recorded;
  }

  /// M on the recorded inputs.
  Value magnitude(std::size_t i, std::size_t j, std::vector<Value> inputs) {
    const Stage& stage = r_.stages[i];
    const Step& head = stage.steps.front();
    const bool in_half = std::any_of(stage.inputs.begin(), stage.inputs.end(),
                                     [&](TensorId id) { return halves_.contains(id); });
    if (in_half && steep_and_monotone(head)) return steep_magnitude(i, j, inputs.front());
    const auto* binary = std::get_if<Binary>(head.op.get());
    const bool divides =
        binary && binary->function == Binary::Function::div && head.inputs.size() == 2;
    // What bounds itself reads the values as they are.
    for (std::size_t k = 0; k < inputs.size() && !bounds_itself(*head.op); ++k)
      if (halves_.contains(stage.inputs[k])) {
        const Tensor recorded = to_float32(a_.download(inputs[k], r_.a.execution));
        inputs[k] =
            a_.upload(divides && stage.inputs[k] == head.inputs[1] ? below_smallest_half(recorded)
                                                                   : above_smallest_half(recorded),
                      r_.a.execution);
      }
    return a_.run(kept_stage(i), inputs, Reading::magnitudes, r_.a.execution)[j];
  }

  /// M of a stage whose head has no largest slope, on an input that was rounded to float16: the head's
  /// own, and beside it what v16 of M must hold, the farthest that the head's value goes while its
  /// input stays within the rounding. Infinite, so that it judges nothing, where that reaches a pole or
  /// the end of the head's domain.
  Value steep_magnitude(std::size_t i, std::size_t j, const Value& input) {
    const Execution& execution = r_.referee.execution;
    const PlannedStage& kept = kept_stage(i);
    const PlannedStage exact = prefix_of(exact_plan_.stages[i], 1);
    const std::vector<double> x = widened(a_.download(input, r_.a.execution));
    // Where 0 does not lie inside, x itself takes its place.
    std::vector<double> low(x.size()), high(x.size()), zero(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double by = recorded_roundoff * std::max(std::fabs(x[k]), half_smallest_normal);
      low[k] = x[k] - by;
      high[k] = x[k] + by;
      zero[k] = low[k] <= 0 && high[k] >= 0 ? 0 : x[k];
    }
    const auto values_at = [&](std::vector<double> at) {
      const Value value = host_.upload(Tensor::of(input.shape(), std::move(at)), execution);
      return widened(host_.download(
          host_.run(exact, {&value, 1}, Reading::values, execution).front(), execution));
    };
    const std::vector<double> y = values_at(x),
                              ends[] = {values_at(low), values_at(high), values_at(zero)};
    const PlannedStage head = prefix_of(kept, 1);
    const Value own = a_.run(head, {&input, 1}, Reading::magnitudes, r_.a.execution).front();
    std::vector<double> m = widened(a_.download(own, r_.a.execution));
    for (std::size_t k = 0; k < m.size(); ++k) {
      double farthest = 0;
      for (const std::vector<double>& end : ends) {
        const double d = std::fabs(end[k] - y[k]);
        farthest = std::isfinite(d) ? std::max(farthest, d) : d;
        if (!std::isfinite(d)) break;
      }
      // The conversion to float32 may round down.
      m[k] = std::isfinite(farthest) ? (m[k] + farthest / recorded_roundoff) * (1 + 0x1p-20)
                                     : std::numeric_limits<double>::infinity();
    }
    const Value made = a_.upload(narrowed({Type::float32, own.shape()}, m), r_.a.execution);
    if (kept.stage.steps.size() == 1) return made;
    return a_.run(suffix_of(kept, 1), {&made, 1}, Reading::magnitudes, r_.a.execution)[j];
  }

  /// Whether a product that was recorded in float16 lies nearer to operands rounded to float16 or to
  /// float32 ones, both results rounded as they were recorded. Of a runtime in float16 the first
  /// leaves what it accumulates; of one in float32 it adds the rounding of the weights to what the
  /// inputs lost, which doubles what is left.
  void vote_on_half(std::size_t i, const std::vector<Value>& inputs, const Value& local,
                    const Value& y) {
    const PlannedStage& stage = r_.a.plan.stages[i];
    const Execution& execution = r_.referee.execution;
    const Misreading& row = *misreading_of(Bug::half_operands);
    if (!row.applies(stage) || host_.refuses(stage)) return;
    const Seat seat{stage, host_, inputs, execution};
    const Tensor recorded = host_.download(y, execution);
    const std::span<const float> there = recorded.values<float>();
    struct Nearness {
      double rest = 0, equal = 0;
    };
    const auto nearness = [&](const Value& value) {
      const Tensor made = rounded_to_half(to_float32(host_.download(value, execution)));
      const std::span<const float> here = made.values<float>();
      Nearness near;
      for (std::size_t k = 0; k < here.size(); ++k) {
        const double d = static_cast<double>(here[k]) - static_cast<double>(there[k]);
        if (std::isfinite(d)) near.rest += d * d;
        near.equal += here[k] == there[k];
      }
      near.equal /= static_cast<double>(std::max<std::size_t>(1, here.size()));
      return near;
    };
    const Nearness in_float = nearness(local),
                   in_half = nearness(run_misread(seat, row.make(seat, 1), Reading::values)[0]);
    ++votes_.stages;
    votes_.in_half += 2 * in_half.rest < in_float.rest;
    votes_.in_float += in_float.rest < in_half.rest;
    const double equal = in_half.rest < in_float.rest ? in_half.equal : in_float.equal;
    if (equal > votes_.most_equal) {
      votes_.most_equal = equal;
      votes_.most_equal_at = r_.stages[i].name;
    }
  }

  void tell_of_half() {
    std::vector<std::string> names;
    for (const Stage& stage : r_.stages)
      if (halves_.contains(stage.outputs[0])) names.push_back(stage.output_names[0]);
    if (names.empty()) return;
    const std::string of = " of " + counted(votes_.stages, "product");
    char equal[32];
    std::snprintf(equal, sizeof equal, "%.3g %%", 100 * votes_.most_equal);
    const std::string best = "; at best " + std::string(equal) +
                             " of a stage's elements have its bits, at " + votes_.most_equal_at;
    std::string verdict;
    if (votes_.in_half > votes_.stages / 2)
      verdict = "The runtime computed in float16: " + std::to_string(votes_.in_half) + of +
                " lie nearer to operands rounded to float16 than to float32 ones" + best;
    else if (votes_.in_float > votes_.stages / 2)
      verdict = "Only the recording was rounded: " + std::to_string(votes_.in_float) + of +
                " lie nearer to float32 operands than to ones rounded to float16" + best;
    else
      verdict = "Whether the runtime computed in float16 too does not show";
    record_.notes.push_back(r_.capture.file + " holds float16: " + listed(names, 4) +
                            ". The bounds allow for that rounding of what was recorded. " +
                            verdict);
  }

  /// How noisy both are on a sample, the capture's against `chain` or the TF32 it may have used.
  void look_at_noise(std::size_t i, const std::vector<Value>& on_host, const Value& local,
                     const Value& y, StageResult& result) {
    const Shape& shape = y.shape();
    const std::vector<std::int64_t> indices = sample_of(element_count(shape), false, 7, {});
    const std::vector<ExactElement> exact = r_.referee.oracle.exact_at(
        exact_plan_.stages[i], on_host, indices, NoiseWanted::everything(), r_.referee.execution);
    const std::vector<double> there = a_.elements(y, indices);
    const auto foreign = [&](std::optional<Rounding> operands) {
      return foreign_statistics(shape, indices, exact, there, operands, r_.stages.size());
    };
    Statistics statistics{side_statistics(r_.a.plan.stages[i], shape, indices, exact,
                                          a_.elements(local, indices), r_.stages.size()),
                          {},
                          {}};
    const RecordedStage recorded = recorded_as(r_.stages[i], 0);
    // The rounding of a recording in float16 is no noise of the runtime's.
    if (!recorded.inputs_in_half && !recorded.output_in_half) {
      statistics.b = foreign(std::nullopt);
      const bool permitted = foreign_plan_.stages[i].contracts.front().rounding.has_value();
      if (permitted && statistics.b) {
        tf32_evidence_.push_back(
            {r_.stages[i].name, statistics.b->z_rms, !statistics.b->as_predicted()});
        if (!statistics.b->as_predicted()) statistics.b = foreign(r_.numerics.rounding);
      }
    }
    if (statistics.a || statistics.b) result.statistics = std::move(statistics);
  }

  /// What TF32 as a permission comes to: used, not used, or needed by one stage alone.
  void tell_of_tf32() {
    std::vector<std::string> needing;
    double worst = 0, others = 0;
    for (const Tf32Evidence& each : tf32_evidence_) {
      (each.beyond_float32 ? worst : others) =
          std::max(each.beyond_float32 ? worst : others, each.z_rms);
      if (each.beyond_float32) needing.push_back(each.stage);
    }
    const std::size_t all = tf32_evidence_.size();
    if (all < 2 || 2 * needing.size() > all) return;
    char text[96];
    if (needing.empty()) {
      std::snprintf(text, sizeof text, "at most %.2g times float32's", others);
      record_.notes.push_back("TF32 was not used: in none of " + std::to_string(all) +
                              " stages is the rounding noise more than float32 makes (" + text +
                              "). Without math=tf32 the bounds are some thousand times tighter");
      return;
    }
    std::snprintf(text, sizeof text, "%.3g times float32's, in the other %zu at most %.2g", worst,
                  all - needing.size(), others);
    record_.notes.push_back("of the stages that TF32 may round, only " + listed(needing, 3) +
                            (needing.size() == 1 ? " needs" : " need") + " it (rounding noise " +
                            text +
                            "): either TF32 was on there alone, or it was off and the fault is "
                            "there; compare without math=tf32");
  }

  OracleTest against_exact(std::size_t i, const Value& exact, const Value& y, const Value& m,
                           Allowance allowance) {
    allowance.coefficient +=
        (static_cast<double>(stage_terms(exact_plan_.stages[i])) + 8) * unit_roundoff_double;
    const Comparison c = host_.compare(exact, y, &m, allowance, r_.referee.execution);
    OracleTest test;
    test.elements = c.elements;
    test.all = true;
    test.worst_share = c.worst_share;
    test.max_abs = c.max_abs;
    test.beyond = c.beyond;
    if (c.worst_judged) {
      test.worst_index = c.worst_judged->index;
      test.worst_exact = c.worst_judged->a;
      test.worst_value = c.worst_judged->b;
    }
    if (c.nan_mismatches == 0) return test;
    // M is NaN there, so the comparison judged none of them.
    const std::vector<double> exact_values = widened(host_.download(exact, r_.referee.execution)),
                              y_values = widened(host_.download(y, r_.referee.execution));
    for (std::size_t k = 0; k < y_values.size(); ++k) {
      if (!swallowed(exact_values[k], y_values[k])) continue;
      ++test.beyond;
      test.max_abs = test.worst_share = std::numeric_limits<double>::infinity();
      test.worst_index = static_cast<std::int64_t>(k);
      test.worst_exact = exact_values[k];
      test.worst_value = y_values[k];
    }
    return test;
  }

  /// What the capture looks like beside the exact values, under the bound of its arithmetic.
  std::vector<Diagnosis> examine(std::size_t i, const std::vector<Value>& inputs,
                                 const Value& exact, const Value& y, const Value& m,
                                 const RecordedStage& recorded) {
    const Execution& execution = r_.referee.execution;
    const PlannedStage& stage = exact_plan_.stages[i];
    std::vector<double> tolerance = widened(host_.download(m, execution));
    const Allowance before =
        foreign_allowance(foreign_plan_.stages[i], before_its_output(recorded));
    const std::vector<double> values = widened(host_.download(y, execution));
    for (std::size_t k = 0; k < tolerance.size(); ++k) {
      tolerance[k] = before.coefficient * tolerance[k] + before.underflow;
      if (recorded.output_in_half)
        tolerance[k] += half_roundoff * std::max(std::fabs(values[k]), half_smallest_normal);
    }
    return diagnose({.who = "the capture",
                     .planned = stage,
                     .runner = host_,
                     .oracle = r_.referee.oracle,
                     .execution = execution,
                     .folded = &folded_plan_.stages[i],
                     .inputs = inputs,
                     .reference = host_.download(exact, execution),
                     .suspect = host_.download(y, execution),
                     .tolerance = tolerance,
                     .allowance = foreign_allowance(foreign_plan_.stages[i], recorded),
                     .recorded_in_half = recorded.output_in_half});
  }

  void note(std::string sentence) {
    if (!sentence.empty()) record_.notes.push_back(std::move(sentence));
  }

  void decide(const PlannedStage& planned, const std::vector<Value>& inputs, const Value& y,
              StageResult& result) {
    const Comparison& introduced = *result.introduced;
    const bool a_fails = result.exact_a->beyond > 0, b_fails = result.exact_b->beyond > 0;
    const std::string informative =
        introduced.informative < 32
            ? "; informative elements: " + std::to_string(introduced.informative)
            : std::string();
    if (a_fails || b_fails || introduced.beyond > 0) {
      result.verdict = Verdict::diverged;
      result.blame = a_fails == b_fails ? Blame::pair : a_fails ? Blame::a : Blame::b;
      result.reason = (b_fails   ? "the capture leaves the bound of any order of its arithmetic "
                                   "around the exact value"
                       : a_fails ? "a leaves its own bound around the exact value"
                                 : "elements lie beyond the two sides' bounds together") +
                      informative;
    } else if (auto nothing = proves_nothing(a_, r_.a.execution, planned, inputs, y, introduced)) {
      result.verdict = Verdict::untrusted;
      result.reason = nothing->evidence;
      result.diagnoses = {std::move(*nothing)};
    } else {
      result.verdict = introduced.differing == 0 ? Verdict::same_bits : Verdict::within_bound;
      result.reason =
          (introduced.differing == 0 ? "every bit agrees"
                                     : "the capture stays within the bound of its arithmetic") +
          informative;
    }
  }

  void end() {
    tell_of_half();
    tell_of_tf32();
    tell_of_missing_outputs();
    blame_contradicted();
    record_.outputs = output_results(r_.graph, r_.stages, accumulated_);
    conclude(record_, flow_.shares_of(r_.graph.outputs));
    for (const std::size_t i : stages_to_attribute(record_, r_.attribute, r_.attribute_also))
      record_.stages[i].attribution = attribution_of(i);
    add_causes(record_);
  }

  /// Graph outputs that are not in the recording though another output of their stage is: without a word
  /// the stage would stand for all of them.
  void tell_of_missing_outputs() {
    std::vector<std::string> missing;
    for (const TensorId id : r_.graph.outputs) {
      const auto maker = producers_.find(id);
      if (maker == producers_.end() || captured_.contains(id)) continue;
      const std::vector<TensorId>& made =
          r_.stages[static_cast<std::size_t>(maker->second)].outputs;
      if (std::any_of(made.begin(), made.end(), [&](TensorId m) { return captured_.contains(m); }))
        missing.push_back(r_.graph.tensor(id).name);
    }
    if (missing.empty()) return;
    note(counted(static_cast<std::int64_t>(missing.size()), "output") + " of the model not in " +
         r_.capture.file + ", so not compared: " + listed(missing, 4));
  }

  /// The stage's inputs as recorded, where a reads them.
  std::vector<Value> recorded_inputs(const Stage& stage) {
    std::vector<Value> inputs;
    for (const TensorId id : stage.inputs)
      inputs.push_back(a_.upload(as_read(captured_.at(id)), r_.a.execution));
    return inputs;
  }

  /// The largest finite magnitude among float32 elements.
  static double largest_of(const Tensor& x) {
    if (x.type().type != Type::float32) return 0;
    double largest = 0;
    for (const float value : x.values<float>())
      if (std::isfinite(value)) largest = std::max<double>(largest, std::fabs(value));
    return largest;
  }

  /// A recording as a float32 stage reads it; integers stay.
  static Tensor as_read(const Tensor& tensor) {
    return tensor.type().type == Type::float64 ? to_float32(tensor) : tensor;
  }

  Value for_host(const Value& value) {
    return on(host_, r_.referee.execution, a_, r_.a.execution, value);
  }

  std::optional<Attribution> attribution_of(std::size_t i) {
    const Stage& stage = r_.stages[i];
    if (!captured_.contains(stage.outputs[0])) return std::nullopt;
    const PlannedStage& planned = r_.a.plan.stages[i];
    const std::vector<Value> given = recorded_inputs(stage);
    const Value a = a_.run(planned, given, Reading::values, r_.a.execution).front();
    a_.forget(planned);
    std::vector<Value> inputs;
    for (const Value& input : given) inputs.push_back(for_host(input));
    const std::optional<Statistics>& statistics = record_.stages[i].statistics;
    const RecordedStage recorded = recorded_as(stage, 0);
    const bool float32_noise = statistics && statistics->b && statistics->b->as_predicted() &&
                               statistics->b->noise == name(Algorithm::chain);
    return attribute(
        {.stage = stage,
         .a = planned,
         .b = nullptr,
         .host = host_,
         .execution = r_.referee.execution,
         .inputs = inputs,
         .a_output = for_host(a),
         .b_output = for_host(a_.upload(captured_.at(stage.outputs[0]), r_.a.execution)),
         // Where the noise is float32's, no operand was rounded.
         .tf32_permitted = may_use_tf32() && !float32_noise,
         // Under a permission to round operands the rest may be the rounding of a unit unknown here.
         .rest_is_order = record_.stages[i].verdict == Verdict::within_bound && float32_noise,
         .within_bound = record_.stages[i].verdict == Verdict::within_bound,
         .recorded_in_half = recorded.output_in_half,
         .inputs_in_half = recorded.inputs_in_half,
         .fault = proved_fault(record_.stages[i])});
  }

  bool may_use_tf32() const {
    return r_.numerics.conv == Math::tf32 || r_.numerics.matmul == Math::tf32;
  }

  const CaptureRequest& r_;
  Backend& a_;
  Backend& host_;
  Plan exact_plan_, folded_plan_, foreign_plan_;
  LiveValues live_;
  ErrorFlow flow_;
  RunRecord record_;
  Progress progress_;
  std::map<TensorId, Tensor> captured_;
  std::map<TensorId, Comparison> accumulated_;
  std::set<TensorId> equal_;
  std::set<TensorId> halves_;  ///< recorded in float16
  std::map<TensorId, int> producers_;
  std::map<int, std::vector<std::string>>
      denied_;  ///< stages whose output its readers did not read
  HalfVotes votes_;
  std::vector<Tf32Evidence> tf32_evidence_;
};

}  // namespace

RunRecord diff_capture(const CaptureRequest& request) { return CaptureWalk(request).run(); }

}  // namespace parity
