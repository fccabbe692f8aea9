#include "compare/attribution.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>

#include "compare/misread.hpp"
#include "compare/summation.hpp"
#include "model/arithmetic/half.hpp"
#include "model/arithmetic/tf32.hpp"
#include "model/error.hpp"
#include "model/ops.hpp"
#include "model/select.hpp"

namespace parity {
namespace {

constexpr std::string_view another_order = "another order of float32 summation";
constexpr int most_runs = 10;
constexpr std::array<std::string_view, 9> cause_names = {
    "operand_rounding", "accumulator", "order", "batch_norm", "function",
    "subnormals",       "recording",   "fault", "rest"};
/// A stage up to here is summed again element by element to certify an order.
constexpr std::int64_t cheap_macs = 50'000'000;

/// What the operands of a multiply-accumulate are brought to before it; `flushed` also acts on the
/// stage's outputs (CONTRACTS section 1: an emulator's clause, never a backend's).
enum class Operands { as_given, tf32_rna, tf32_truncate, tf32_rn, bf16, fp16, flushed };

std::string text_of(Operands operands) {
  switch (operands) {
    case Operands::as_given:
      return {};
    case Operands::tf32_rna:
      return "tf32/rna operands";
    case Operands::tf32_truncate:
      return "tf32/truncate operands";
    case Operands::tf32_rn:
      return "tf32/rn operands";
    case Operands::bf16:
      return "bf16 operands";
    case Operands::fp16:
      return "fp16 operands";
    case Operands::flushed:
      return "subnormals flushed";
  }
  return {};
}

Operands operands_of(Rounding rounding) {
  switch (rounding) {
    case Rounding::rna:
      return Operands::tf32_rna;
    case Rounding::truncate:
      return Operands::tf32_truncate;
    case Rounding::rn:
      return Operands::tf32_rn;
  }
  return Operands::tf32_rna;
}

/// To nearest even with `dropped` low bits gone; infinity and NaN stay.
std::uint32_t nearest_even(std::uint32_t bits, int dropped) {
  if ((bits & 0x7f800000U) == 0x7f800000U) return bits;
  const std::uint32_t half = (1U << (dropped - 1)) - 1;
  return (bits + half + ((bits >> dropped) & 1U)) & ~((1U << dropped) - 1);
}

float brought_to(float x, Operands operands) {
  switch (operands) {
    case Operands::as_given:
      return x;
    case Operands::tf32_rna:
      return float_of(round_to_tf32(bits_of(x), Rounding::rna));
    case Operands::tf32_truncate:
      return float_of(round_to_tf32(bits_of(x), Rounding::truncate));
    case Operands::tf32_rn:
      return float_of(round_to_tf32(bits_of(x), Rounding::rn));
    case Operands::bf16:
      return float_of(nearest_even(bits_of(x), 16));
    case Operands::fp16:
      return round_to_half(x);
    case Operands::flushed:
      return (bits_of(x) & 0x7f800000U) == 0 ? 0.0F : x;
  }
  return x;
}

Tensor brought_to(const Tensor& tensor, Operands operands) {
  // Integers and truth values are no operands: nothing rounds them.
  const Type type = tensor.type().type;
  if (type != Type::float32 && type != Type::float64) return tensor;
  const Tensor given = to_float32(tensor);
  std::vector<float> values(given.values<float>().begin(), given.values<float>().end());
  for (float& value : values) value = brought_to(value, operands);
  return Tensor::of<float>(given.shape(), std::move(values));
}

bool tf32(const Numerics& n) { return n.conv == Math::tf32 || n.matmul == Math::tf32; }

/// Who computes elementary functions, Softmax's and recurrent layers' too: the contract's sequences, or a
/// library whose results are as good as rounded once.
enum class Library { none, rounded_once };

/// Whether a step computes an elementary function, for which each library has its own sequence.
bool computes_function(const Step& step) {
  return visit(
      [](const auto& op) {
        if constexpr (requires { op.function_clause(); })
          return !op.function_clause().empty();
        else
          return false;
      },
      *step.op);
}

/// An arithmetic that can be emulated: Numerics, operands that it rounds beforehand, a library.
struct Arithmetic {
  Numerics numerics;
  Operands operands = Operands::as_given;
  Library library = Library::none;
};

/// How close an emulation came.
struct Probe {
  double onto = 0;      ///< <y - a, e> / <e, e>
  double residual = 1;  ///< ||b - y||^2 / ||e||^2
  bool same_bits = false;
};

class Waterfall {
 public:
  explicit Waterfall(const AttributionRequest& request)
      : r_(request), fault_(request.a_blamed ? ProvedFault{} : request.fault) {}

  std::optional<Attribution> run() {
    const Split whole = r_.host.split(r_.a_output, r_.b_output, r_.b_output, r_.execution);
    energy_ = whole.introduced_on_accumulated;
    if (!(energy_ > 0) || !std::isfinite(energy_)) return std::nullopt;
    const Arithmetic said = r_.b != nullptr ? claimed() : presumed();
    Arithmetic target = said;
    if (!probe(said).same_bits)
      target = closest(said, candidates(r_.b != nullptr ? r_.b->numerics : said.numerics));
    // A fault that is an arithmetic (TF32 unnoticed) is told as one. Beside any other, an arithmetic
    // that comes near would only hide it.
    if (!result_.certificate.empty()) fault_ = {};
    if (!fault_.words.empty()) target = said;
    if (unknown_order()) find_order(target);
    explain(target);
    result_.runs = runs_;
    return std::move(result_);
  }

 private:
  static Numerics free(Numerics numerics) {
    numerics.promise = Determinism::not_guaranteed;  // emulating asks for no promise
    return emulated(std::move(numerics));
  }

  PlannedStage planned(const Arithmetic& arithmetic) const {
    return make_plan({r_.stage}, arithmetic.numerics, r_.host, "emulation").stages.front();
  }

  std::string text(const Arithmetic& arithmetic) const {
    const std::string contract = planned(arithmetic).contract_text();
    const std::string operands = text_of(arithmetic.operands);
    std::string text = operands.empty() ? contract : contract + " with " + operands;
    if (arithmetic.library == Library::rounded_once && function_step())
      text += (operands.empty() ? " with " : " and ") + function_text();
    return text;
  }

  /// Position of the stage's first elementary function.
  std::optional<std::size_t> function_step() const {
    for (std::size_t i = 0; i < r_.stage.steps.size(); ++i)
      if (computes_function(r_.stage.steps[i])) return i;
    return std::nullopt;
  }
  std::string function_text() const {
    return r_.stage.steps[*function_step()].op_type + " rounded once";
  }

  /// The stage with each elementary function in double and rounded once.
  Value with_functions_rounded_once(const PlannedStage& stage, std::vector<Value> x) {
    std::vector<Value> y = std::move(x);
    const auto part = [&](std::size_t first, std::size_t last, bool exact) {
      if (first == last) return;
      PlannedStage steps = suffix_of(prefix_of(stage, last), first);
      if (exact)
        steps = make_plan({steps.stage}, numerics_of(Math::exact), r_.host, "emulation").stages[0];
      y = r_.host.run(steps, y, Reading::values, r_.execution);
      r_.host.forget(steps);
    };
    std::size_t done = 0;
    for (std::size_t i = 0; i < stage.stage.steps.size(); ++i) {
      if (!computes_function(stage.stage.steps[i])) continue;
      part(done, i, false);
      part(i, i + 1, true);
      done = i + 1;
    }
    part(done, stage.stage.steps.size(), false);
    return y.front();
  }

  /// The emulation's output, once per arithmetic.
  const Probe& probe(const Arithmetic& arithmetic) {
    const std::string key = text(arithmetic);
    const auto found = probes_.find(key);
    if (found != probes_.end()) return found->second;
    ++runs_;
    PlannedStage stage = planned(arithmetic);
    std::vector<Value> inputs(r_.inputs.begin(), r_.inputs.end());
    if (arithmetic.operands != Operands::as_given)
      round_operands(arithmetic.operands, stage, inputs);
    Value y = arithmetic.library == Library::rounded_once
                  ? with_functions_rounded_once(stage, inputs)
                  : r_.host.run(stage, inputs, Reading::values, r_.execution).front();
    r_.host.forget(stage);
    if (arithmetic.operands == Operands::flushed)
      y = r_.host.upload(brought_to(r_.host.download(y, r_.execution), Operands::flushed),
                         r_.execution);
    if (r_.recorded_in_half)
      y = r_.host.upload(rounded_to_half(to_float32(r_.host.download(y, r_.execution))),
                         r_.execution);
    // Split's parts: from a to the emulation, and from there to b.
    const Split split = r_.host.split(r_.a_output, y, r_.b_output, r_.execution);
    Probe made{split.introduced_on_accumulated / energy_,
               split.inherited * split.inherited / energy_, false};
    if (made.residual == 0)
      made.same_bits = r_.host.compare(y, r_.b_output, nullptr, {}, r_.execution).differing == 0 &&
                       y.type() == r_.b_output.type();
    if (made.same_bits && result_.certificate.empty())
      result_.certificate = r_.recorded_in_half ? key + ", rounded to float16" : key;
    if (result_.nearest.empty() || made.residual < result_.nearest_residual) {
      result_.nearest = key;
      result_.nearest_residual = made.residual;
    }
    return probes_.emplace(key, made).first->second;
  }

  void round_operands(Operands operands, PlannedStage& stage, std::vector<Value>& inputs) {
    Step& head = stage.stage.steps.front();
    const auto* product = std::get_if<MatMul>(head.op.get());
    if (!head.parameters.empty() && head.parameters[0])
      head.parameters[0] =
          std::make_shared<const Tensor>(brought_to(*head.parameters[0], operands));
    // Of a product's values the addend is no operand.
    std::size_t count = 1;
    if (product != nullptr && product->constant == MatMul::Constant::neither) count = 2;
    for (std::size_t k = 0; k < std::min(count, head.inputs.size()); ++k)
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (stage.stage.inputs[i] == head.inputs[k])
          inputs[i] = r_.host.upload(
              brought_to(r_.host.download(r_.inputs[i], r_.execution), operands), r_.execution);
  }

  bool is_mac() const { return r_.stage.macs > 0; }

  /// Whether nobody says in which order b sums: an unknown program, or a library of the GPU.
  bool unknown_order() const {
    return r_.b == nullptr || r_.b->numerics.algorithm == Algorithm::gemm_cublas;
  }

  Arithmetic claimed() const { return {free(r_.b->numerics), Operands::as_given}; }

  /// What an unknown program most likely runs.
  Arithmetic presumed() const {
    Numerics said = free(r_.a.numerics);
    if (r_.tf32_permitted)
      said = free(numerics_of(Math::tf32, Arch::sm_90));
    else if (said.conv == Math::fp64 || said.conv == Math::exact || tf32(said))
      said = free(Numerics{});
    return {said, Operands::as_given};
  }

  /// What an unknown program's or a GPU library's order of summation was, where the arithmetic is float32 and no
  /// emulation that was run has its bits; `target` becomes what it was apart from the order.
  void find_order(Arithmetic& target) {
    const bool sums_in_float32 = target.numerics.conv == Math::fp32 &&
                                 target.numerics.matmul == Math::fp32 &&
                                 target.operands == Operands::as_given;
    if (!fault_.words.empty() || !result_.certificate.empty() || !is_mac() || !sums_in_float32 ||
        r_.recorded_in_half)
      return;
    const bool has_norm = batch_norm_of(r_.stage) < r_.stage.steps.size();
    for (const BatchNormalisation norm : {BatchNormalisation::kept, BatchNormalisation::folded}) {
      if (!has_norm && norm == BatchNormalisation::folded) continue;
      Arithmetic summed = target;
      summed.numerics.algorithm.reset();
      summed.numerics.batch_norm = norm;
      const PlannedStage stage = planned(summed);
      const std::optional<FoundSummation> found =
          find_summation({.planned = stage,
                          .host = r_.host,
                          .execution = r_.execution,
                          .inputs = r_.inputs,
                          .output = r_.b_output,
                          .whole = r_.stage.macs <= cheap_macs});
      if (!found) continue;
      target = summed;
      order_ = found->how.text();
      const std::string whole =
          norm == BatchNormalisation::folded ? order_ + ", batch norm folded" : order_;
      if (found->whole)
        result_.certificate = whole;
      else
        result_.summation = whole + ": the bits of all " + std::to_string(found->elements) +
                            " sampled elements, of which " + std::to_string(found->telling) +
                            " tell it from `chain`";
      return;
    }
  }

  /// Other arithmetics worth a run, likeliest first.
  std::vector<Arithmetic> candidates(const Numerics& said) const {
    std::vector<Arithmetic> list;
    Numerics plain = free(Numerics{});
    plain.batch_norm = said.batch_norm;
    list.push_back({plain, Operands::as_given});
    Numerics turned = plain;
    turned.batch_norm = said.batch_norm == BatchNormalisation::kept ? BatchNormalisation::folded
                                                                    : BatchNormalisation::kept;
    list.push_back({turned, Operands::as_given});
    if (r_.recorded_in_half) list.push_back({plain, Operands::fp16});
    if (function_step()) list.push_back({plain, Operands::as_given, Library::rounded_once});
    if (!is_mac()) {
      list.push_back({plain, Operands::flushed});
      return list;
    }
    const auto tensor = [&](Arch arch, Rounding rounding) {
      Numerics n = free(numerics_of(Math::tf32, arch));
      n.rounding = rounding;
      n.batch_norm = said.batch_norm;
      list.push_back({n, Operands::as_given});
    };
    tensor(Arch::sm_90, Rounding::rna);
    tensor(Arch::sm_90, Rounding::truncate);
    tensor(Arch::sm_80, Rounding::rna);
    for (const Algorithm order : {Algorithm::chunk256, Algorithm::gemm_eigen}) {
      Numerics ordered = plain;
      ordered.algorithm = order;
      list.push_back({ordered, Operands::as_given});
    }
    list.push_back({plain, Operands::bf16});
    list.push_back({plain, Operands::fp16});
    list.push_back({plain, Operands::flushed});
    tensor(Arch::sm_80, Rounding::truncate);
    return list;
  }

  /// The first with b's bits, else the one that comes nearest. To replace a likelier one it must
  /// leave less than half of what that leaves: two orders of one arithmetic are both as far from a
  /// third. Keeps a run for the path to it.
  Arithmetic closest(const Arithmetic& said, const std::vector<Arithmetic>& others) {
    Arithmetic best = said;
    double residual = probe(said).residual;
    for (const Arithmetic& other : others) {
      // The path keeps a run, and where a is wrong, what a should be another.
      if (!result_.certificate.empty() || runs_ >= most_runs - (r_.a_blamed ? 2 : 1)) break;
      const Probe& made = probe(other);
      if (!(made.residual < left_by_chance * residual) && !made.same_bits) continue;
      residual = made.residual;
      best = other;
    }
    return best;
  }

  /// The clauses between two arithmetics, each with the arithmetic after it is switched.
  struct Switch {
    Cause cause;
    std::string what;
    Arithmetic after;
  };
  std::vector<Switch> path(const Arithmetic& from, const Arithmetic& to) const {
    std::vector<Switch> switches;
    Arithmetic at = from;
    const auto turn = [&](Cause cause, const std::string& what, const Arithmetic& next) {
      if (text(next) == text(at)) return;
      at = next;
      switches.push_back({cause, what, next});
    };
    Arithmetic next = at;
    if (tf32(to.numerics)) {
      // Ties to even came with sm_90: on an older core that clause cannot be switched alone.
      if (tf32(at.numerics) &&
          (to.numerics.rounding != Rounding::rn || at.numerics.arch >= Arch::sm_90))
        next.numerics.rounding = to.numerics.rounding;
      else if (!tf32(at.numerics))
        next.operands = operands_of(to.numerics.rounding);
      turn(Cause::operand_rounding,
           "tf32 operand rounding (" + std::string(name(to.numerics.rounding)) + ")", next);
    } else if (to.operands != Operands::as_given && to.operands != Operands::flushed) {
      next.operands = to.operands;
      turn(Cause::operand_rounding, text_of(to.operands), next);
    }
    next = at;
    next.operands = to.operands == Operands::flushed ? Operands::as_given : to.operands;
    next.numerics.conv = to.numerics.conv;
    next.numerics.matmul = to.numerics.matmul;
    next.numerics.rnn = to.numerics.rnn;
    next.numerics.arch = to.numerics.arch;
    next.numerics.rounding = to.numerics.rounding;
    const bool sums_in_float32 = to.numerics.conv == Math::fp32;
    if (!sums_in_float32 || at.numerics.conv != Math::fp32) next.numerics.algorithm.reset();
    turn(Cause::accumulator, "accumulator (" + text({next.numerics, Operands::as_given}) + ")",
         next);
    next.numerics.algorithm = to.numerics.algorithm;
    turn(Cause::order, "order of summation (" + text({next.numerics, Operands::as_given}) + ")",
         next);
    next.numerics.batch_norm = to.numerics.batch_norm;
    turn(Cause::batch_norm,
         to.numerics.batch_norm == BatchNormalisation::folded ? "batch norm folded into weights"
                                                              : "batch norm kept out of weights",
         next);
    next.numerics.functions = to.numerics.functions;
    turn(Cause::function,
         to.numerics.functions == Functions::correct
             ? "elementary functions correctly rounded"
             : "elementary functions by the lab's own sequences",
         next);
    next.library = to.library;
    if (function_step()) turn(Cause::function, "elementary functions: " + function_text(), next);
    next.operands = to.operands;
    turn(Cause::subnormals, "subnormals flushed to zero", next);
    return switches;
  }

  /// Where a recording stays within its bound and one step alone rounds anything, what remains is
  /// how that step was computed: an elementary function, or the order of a reduction's sum.
  std::optional<CauseShare> by_elimination(double rest) const {
    if (!r_.within_bound || is_mac() || r_.recorded_in_half || r_.inputs_in_half || rest == 0 ||
        !result_.certificate.empty())
      return std::nullopt;
    const PlannedStage stage = planned({free(Numerics{}), Operands::as_given});
    const std::vector<OperandTypes> types = step_operand_types(stage.stage);
    std::vector<std::size_t> rounding;
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Step& step = stage.stage.steps[i];
      const Allowance own =
          visit(
              [&](const auto& op) {
                return op.allowance(types[i], step.parameters, stage.contracts[i]);
              },
              *step.op)
              .own;
      if (own.coefficient > 0 || own.underflow > 0) rounding.push_back(i);
    }
    if (rounding.size() != 1) return std::nullopt;
    const Step& step = stage.stage.steps[rounding.front()];
    if (computes_function(step))
      return CauseShare{Cause::function,
                        "elementary functions: another sequence for " + step.op_type, rest};
    if (stage.contracts[rounding.front()].algorithm == Algorithm::lanes32)
      return CauseShare{Cause::order, std::string(another_order), rest};
    return std::nullopt;
  }

  /// What nothing that was tried explains. Where an unknown program stays within its bound there is
  /// nothing wrong in it, and the bound allows for what it may do otherwise.
  std::string rest_text() const {
    if (!unknown_order() || !r_.within_bound) return "not explained";
    const bool tf32_asked = r_.tf32_permitted || (r_.b != nullptr && tf32(r_.b->numerics));
    const bool sums_alone =
        is_mac() && !tf32_asked && !r_.recorded_in_half && !r_.inputs_in_half && !function_step();
    return sums_alone ? "order of summation not identified (within bound)"
                      : "arithmetic not identified (within bound)";
  }

  /// Shares along the path from a's arithmetic to `target`.
  void explain(const Arithmetic& target) {
    const Arithmetic own{free(r_.a.numerics), Operands::as_given};
    // A tensor core cannot be emulated on operands that are not rounded: the clauses between it and
    // float32 are switched from the other end, which explains the same error.
    const bool backwards = tf32(own.numerics) && !tf32(target.numerics);
    const std::vector<Switch> switches = backwards ? path(target, own) : path(own, target);
    // What a's own arithmetic makes is a, unless it is made coarser for a recording, or a is wrong.
    const bool a_is_its_own = !r_.recorded_in_half && !r_.a_blamed;
    const auto at = [&](const Arithmetic& arithmetic) {
      return a_is_its_own && text(arithmetic) == text(own) ? 0 : probe(arithmetic).onto;
    };
    const double reached = at(target);
    double before = backwards ? reached : at(own);
    std::vector<CauseShare> shares;
    if (r_.recorded_in_half)
      shares.push_back({Cause::recording, "recording rounded to float16", at(own)});
    if (r_.a_blamed)
      shares.push_back({Cause::fault,
                        r_.fault.words.empty() ? "a is not what its own contract computes"
                                               : "fault of a: " + r_.fault.words,
                        at(own)});
    for (const Switch& each : switches) {
      const double after = at(each.after);
      shares.push_back({each.cause, each.what, backwards ? before - after : after - before});
      before = after;
    }
    result_.causes = std::move(shares);
    double rest = 1 - reached;
    if (!fault_.words.empty()) {
      result_.causes.push_back({Cause::fault, "fault: " + fault_.words, rest - fault_.leaves});
      if (fault_.bits) result_.certificate = text(target) + " with the fault " + fault_.words;
      rest = fault_.leaves;
      if (rest == 0) return;
    }
    if (!order_.empty())
      result_.causes.push_back({Cause::order, "order of summation (" + order_ + ")", rest});
    else if (r_.b == nullptr && r_.rest_is_order && result_.certificate.empty())
      result_.causes.push_back({Cause::order, std::string(another_order), rest});
    else if (const std::optional<CauseShare> only = by_elimination(rest))
      result_.causes.push_back(*only);
    else if (r_.inputs_in_half && target.operands == Operands::as_given && rest != 0)
      result_.causes.push_back(
          {Cause::recording, "inputs rounded to float16 when recorded (what they lost is unknown)",
           rest});
    else if (rest != 0 || result_.causes.empty())
      result_.causes.push_back({Cause::rest, rest_text(), rest});
  }

  const AttributionRequest& r_;
  Attribution result_;
  std::map<std::string, Probe> probes_;
  double energy_ = 0;
  int runs_ = 0;
  ProvedFault fault_;
  std::string order_;  ///< of an unknown program, when it was found
};

}  // namespace

std::string_view name(Cause cause) { return cause_names[static_cast<std::size_t>(cause)]; }
std::optional<Cause> cause_named(std::string_view text) {
  for (std::size_t i = 0; i < cause_names.size(); ++i)
    if (cause_names[i] == text) return static_cast<Cause>(i);
  return std::nullopt;
}

std::optional<Attribution> attribute(const AttributionRequest& request) {
  return Waterfall(request).run();
}

}  // namespace parity
