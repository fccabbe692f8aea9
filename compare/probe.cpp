#include "compare/probe.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <optional>
#include <type_traits>

#include "compare/diagnosis.hpp"
#include "compare/misread.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

constexpr double largest_operand = 1000, largest_sum = 0x1p21, largest_value = 0x1p23;

/// Makes the steps of one stage exact, one after the other, and knows how large each value can get.
class Exactly {
 public:
  Exactly(const Stage& stage, std::uint64_t seed)
      : stage_(stage), types_(step_operand_types(stage)), seed_(seed) {}

  ExactStage run() {
    ExactStage exact{stage_, {}, {}};
    const double operand = operand_limit();
    for (std::size_t i = 0; i < stage_.inputs.size(); ++i) {
      if (stage_.input_types[i].type != Type::float32) {
        exact.left_out = "it reads integers or a mask, which no arithmetic rounds";
        exact.stage.steps.clear();
        return exact;
      }
      largest_[stage_.inputs[i]] = operand;
      exact.inputs.push_back(integers(stage_.input_types[i], operand));
    }
    std::size_t done = 0;
    for (; done < stage_.steps.size(); ++done) {
      Step& step = exact.stage.steps[done];
      exact.left_out = visit([&](const auto& op) { return make_exact(op, done, step); }, *step.op);
      if (!exact.left_out.empty()) break;
    }
    exact.stage =
        prefix_of({exact.stage, {}, std::vector<Contract>(stage_.steps.size())}, done).stage;
    if (done > 0 && !exact.left_out.empty())
      exact.left_out = "probed up to " + stage_.steps[done].op_type + ": " + exact.left_out;
    return exact;
  }

 private:
  /// What the stage's inputs may hold, so that its head does not overflow the integers.
  double operand_limit() const {
    const double terms = static_cast<double>(terms_of_head());
    return std::clamp(std::floor(std::sqrt(largest_sum / terms)), 1.0, largest_operand);
  }
  /// Terms of the head's sums, at most, and one for a bias.
  std::int64_t terms_of_head() const {
    return visit(
        [&](const auto& op) -> std::int64_t {
          if constexpr (requires { op.terms(types_[0].inputs[0]); }) {
            const std::int64_t n = op.terms(types_[0].inputs[0]);
            return n * n;  // the root of it is what the operands are divided by
          }
          const TensorType y = op.infer(types_[0])[0];
          // Of a window, as many as the weights have for one output channel.
          if constexpr (requires { op.window; })
            if (!types_[0].parameters.empty() && types_[0].parameters[0])
              return element_count(types_[0].parameters[0]->shape) /
                         std::max<std::int64_t>(1, y.shape[1]) +
                     1;
          const std::int64_t outputs = std::max<std::int64_t>(1, element_count(y.shape));
          return op.macs(types_[0]) / outputs + 1;
        },
        *stage_.steps[0].op);
  }

  double largest_of(const Step& step) const {
    double most = 0;
    for (const TensorId id : step.inputs) most = std::max(most, largest_.at(id));
    return most;
  }

  Tensor integers(const TensorType& type, double limit) {
    const auto most = static_cast<std::int64_t>(limit);
    return drawn(type, [&](std::uint64_t bits) {
      return static_cast<float>(
          static_cast<std::int64_t>(bits % static_cast<std::uint64_t>(2 * most + 1)) - most);
    });
  }
  template <class F>
  Tensor drawn(const TensorType& type, F f) {
    const Counter random(seed_,
                         "probe." + std::to_string(stage_.id) + "." + std::to_string(++drawn_));
    std::vector<float> elements(static_cast<std::size_t>(element_count(type.shape)));
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = f(random.bits(i));
    return Tensor::of(type.shape, std::move(elements));
  }
  void replace(std::shared_ptr<const Tensor>& parameter, Tensor tensor) {
    if (parameter) parameter = std::make_shared<const Tensor>(std::move(tensor));
  }

  /// Makes one step exact; a sentence when it cannot be. Notes how large its output can get.
  template <class T>
  std::string make_exact(const T& op, std::size_t at, Step& step) {
    const double x = largest_of(step);
    double y = x;
    if constexpr (std::is_same_v<T, Conv2d> || std::is_same_v<T, ConvTranspose2d> ||
                  std::is_same_v<T, MatMul>) {
      if (at > 0) return "a second product would need more than 24 bits";
      auto& parameters = step.parameters;
      if (!parameters.empty() && parameters[0])
        replace(parameters[0], integers(parameters[0]->type(), operand_limit()));
      if (parameters.size() > 1 && parameters[1])
        replace(parameters[1], integers(parameters[1]->type(), largest_operand));
      y = x * operand_limit() * static_cast<double>(terms_of_head()) + largest_operand;
      if constexpr (std::is_same_v<T, MatMul>) {
        MatMul even = op;
        if (even.alpha != 1) even.alpha = 2;
        if (even.beta != 0 && even.beta != 1) even.beta = 2;
        step.op = std::make_shared<const Op>(even);
        y = std::fabs(even.alpha) * y + 2 * largest_operand;
      }
    } else if constexpr (std::is_same_v<T, BatchNorm>) {
      BatchNorm even = op;
      even.epsilon = 0;
      step.op = std::make_shared<const Op>(even);
      const TensorType type = step.parameters[0]->type();
      // One stream for both: s = gamma / sqrt(var) is +-1 or +-2.
      const auto root = [](std::uint64_t bits) { return static_cast<float>(1 + (bits & 1)); };
      const Tensor roots = drawn(type, root);
      --drawn_;
      replace(step.parameters[3],
              drawn(type, [&](std::uint64_t bits) { return root(bits) * root(bits); }));
      --drawn_;
      replace(step.parameters[0], drawn(type, [&](std::uint64_t bits) {
                return root(bits) * ((bits & 2) ? 2.0F : 1.0F) * ((bits & 4) ? -1.0F : 1.0F);
              }));
      replace(step.parameters[1], integers(type, largest_operand));
      replace(step.parameters[2], integers(type, 100));
      y = 2 * x + largest_operand + 200;
    } else if constexpr (std::is_same_v<T, Binary>) {
      using F = Binary::Function;
      const bool sum = op.function == F::add || op.function == F::sub || op.function == F::max ||
                       op.function == F::min;
      if (!sum && op.function != F::mul)
        return "a " + std::string(op.kind()) + " divides, takes a power or a slope, and rounds";
      if (types_[at].inputs[0].type != Type::float32 || step.inputs.size() > 2)
        return std::string(op.kind()) + " of integers or of more than two has no exact probe";
      if (!step.parameters.empty() && step.parameters[0])
        replace(step.parameters[0],
                integers(step.parameters[0]->type(), sum ? largest_operand : 2));
      if (sum)
        y = 2 * x + largest_operand;
      else
        y = step.inputs.size() > 1 ? x * x : 2 * x;
    } else if constexpr (std::is_same_v<T, Unary>) {
      if (step_ulp(op.function) > 0)
        return "an elementary function rounds, and each library in its own way";
      if (op.function == EpilogueKind::clip) y = std::max(x, op.at_zero());
    } else if constexpr (std::is_same_v<T, Reduce>) {
      const std::int64_t n = op.terms(types_[at].inputs[0]);
      if (op.function == Reduce::Function::mean &&
          !std::has_single_bit(static_cast<std::uint64_t>(n)))
        return "a mean of " + std::to_string(n) + " elements is a division that rounds";
      if (op.function == Reduce::Function::l2) return "a root rounds";
      if (op.function == Reduce::Function::prod)
        return "a product of " + std::to_string(n) + " integers would need more than 24 bits";
      if (op.sums()) y = x * static_cast<double>(n);
      if (op.function == Reduce::Function::sum_square) y *= x;
    } else if constexpr (std::is_same_v<T, Placement>) {
      if (op.fill != std::trunc(op.fill)) return "it pads with a number that is not whole";
      y = std::max(x, std::fabs(op.fill));
    } else if constexpr (std::is_same_v<T, Resize>) {
      if (op.mode != Resize::Mode::nearest) return "an interpolation rounds";
    } else if constexpr (!(std::is_same_v<T, MaxPool> || std::is_same_v<T, Concat> ||
                           std::is_same_v<T, Movement> || std::is_same_v<T, Constant> ||
                           std::is_same_v<T, Pieces>)) {
      return std::string(op.kind()) + " has no exact probe";
    }
    if (y >= largest_value) return "its integers would need more than 24 bits";
    for (const TensorId id : step.outputs) largest_[id] = y;
    return {};
  }

  const Stage& stage_;
  std::vector<OperandTypes> types_;
  std::uint64_t seed_;
  std::map<TensorId, double> largest_;
  int drawn_ = 0;
};

/// One stage of both sides on its integers.
class StageProbe {
 public:
  StageProbe(const DiffRequest& request, const ExactStage& exact)
      : r_(request),
        exact_(exact),
        a_(planned(request.a)),
        b_(planned(request.b)),
        oracle_(make_plan({exact.stage}, Numerics{}, request.referee.backend, "exact").stages[0]) {}

  void run(StageResult& result) {
    const Tensor a = output(r_.a, a_), b = output(r_.b, b_);
    Referee referee = r_.referee;
    std::vector<Value> inputs;
    for (const Tensor& input : exact_.inputs)
      inputs.push_back(referee.backend.upload(input, referee.execution));
    const std::vector<std::int64_t> all = sample_of(b.size(), true, 1, {});
    const Tensor right =
        narrowed({Type::float32, b.shape()},
                 referee.oracle.exact_values_at(oracle_, inputs, all, referee.execution));
    const auto value = [&](const Tensor& tensor) {
      return referee.backend.upload(tensor, referee.execution);
    };
    result.contract_a = a_.contract_text();
    result.contract_b = b_.contract_text();
    result.introduced = referee.backend.compare(value(a), value(b), nullptr, {}, referee.execution);
    result.digest_a = referee.backend.digest(value(a), referee.execution);
    result.digest_b = referee.backend.digest(value(b), referee.execution);
    const auto wrong = [&](const Tensor& tensor) {
      return referee.backend.compare(value(right), value(tensor), nullptr, {}, referee.execution)
          .differing;
    };
    const std::int64_t wrong_a = wrong(a), wrong_b = wrong(b);
    const std::string left_out = exact_.left_out.empty() ? "" : "; " + exact_.left_out;
    if (wrong_a == 0 && wrong_b == 0) {
      const bool informs = result.introduced->informative > 0;
      result.verdict = informs ? Verdict::same_bits : Verdict::untrusted;
      result.reason = (informs ? "both sides have the exact integers bit for bit"
                               : "the integers of this stage are all zero") +
                      left_out;
      return;
    }
    result.verdict = Verdict::diverged;
    result.blame = wrong_a > 0 && wrong_b > 0 ? Blame::pair : wrong_a > 0 ? Blame::a : Blame::b;
    const std::int64_t most = std::max(wrong_a, wrong_b);
    result.reason = std::to_string(most) + " of " + std::to_string(b.size()) +
                    " elements are not the exact integers, which every correct arithmetic gives" +
                    left_out;
    const bool suspect_a = result.blame == Blame::a;
    const PlannedStage& suspect = suspect_a ? a_ : b_;
    const Side& side = suspect_a ? r_.a : r_.b;
    result.diagnoses =
        diagnose({.who = suspect_a ? "a" : "b",
                  .planned = emulated(suspect),
                  .runner = referee.backend,
                  .oracle = referee.oracle,
                  .execution = referee.execution,
                  .inputs = inputs,
                  .reference = right,
                  .suspect = to_float32(suspect_a ? a : b),
                  .again = [&](const PlannedStage& stage, std::span<const Value> operands) {
                    std::vector<Value> values;
                    for (const Value& operand : operands)
                      values.push_back(on(side.backend, side.execution, referee.backend,
                                          referee.execution, operand));
                    return to_float32(side.backend.download(
                        side.backend.run(stage, values, Reading::values, side.execution)[0],
                        side.execution));
                  }});
  }

 private:
  PlannedStage planned(const Side& side) const {
    return make_plan({exact_.stage}, side.plan.numerics, side.backend, side.plan.spec).stages[0];
  }
  /// Output 0 as float32: integers below 2^24 lose nothing.
  Tensor output(const Side& side, const PlannedStage& stage) const {
    std::vector<Value> inputs;
    for (const Tensor& input : exact_.inputs)
      inputs.push_back(side.backend.upload(input, side.execution));
    const Value y = side.backend.run(stage, inputs, Reading::values, side.execution)[0];
    side.backend.forget(stage);
    return to_float32(side.backend.download(y, side.execution));
  }

  const DiffRequest& r_;
  const ExactStage& exact_;
  PlannedStage a_, b_, oracle_;
};

}  // namespace

ExactStage exact_stage(const Stage& stage, std::uint64_t seed) {
  return Exactly(stage, seed).run();
}

RunRecord probe_exact(const DiffRequest& request, std::uint64_t seed) {
  Stopwatch total;
  RunRecord record;
  record.model = request.graph.name;
  record.model_digest = request.graph.digest;
  record.producer = request.graph.producer;
  record.opset = request.graph.opset;
  record.a = side_record(request.a.plan, request.a.backend.info(request.a.execution));
  record.b = side_record(request.b.plan, request.b.backend.info(request.b.execution));
  record.notes = {
      "exact probe: every stage ran alone, on integers for operands and weights, so small that no "
      "correct arithmetic rounds; any mismatch is a bug. Out of its reach: eps of BatchNorm, "
      "divisions, elementary functions, and what only this model's own weights show"};
  for (std::size_t i = 0; i < request.stages.size(); ++i) {
    const Stage& stage = request.stages[i];
    StageResult result =
        frame_of(stage, request.stages, &request.a.plan.stages[i], &request.b.plan.stages[i]);
    const ExactStage exact = exact_stage(stage, seed);
    if (exact.stage.steps.empty()) {
      result.verdict = Verdict::not_run;
      result.reason = "not probed: " + exact.left_out;
    } else {
      StageProbe(request, exact).run(result);
    }
    record.stages.push_back(std::move(result));
  }
  conclude(record, {});
  record.seconds = total.lap();
  return record;
}

}  // namespace parity
