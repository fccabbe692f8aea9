#include "compare/recurrence.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "compare/lstm_interval.hpp"
#include "compare/misread.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/bounds.hpp"

namespace parity {

std::optional<std::vector<std::size_t>> places_in_output(Backend& runner,
                                                         const Execution& execution,
                                                         const PlannedStage& planned,
                                                         const Shape& y) {
  const std::vector<Step>& steps = planned.stage.steps;
  const bool moved = std::all_of(steps.begin() + 1, steps.end(), [](const Step& step) {
    return std::holds_alternative<Movement>(*step.op);
  });
  const std::int64_t size = element_count(y);
  if (!moved || size > std::int64_t{1} << 24) return std::nullopt;
  std::vector<float> numbered(static_cast<std::size_t>(size));
  std::iota(numbered.begin(), numbered.end(), 0.0F);  // exact up to 2^24
  Value value = runner.upload(Tensor::of(y, std::move(numbered)), execution);
  if (steps.size() > 1)
    value = runner.run(suffix_of(planned, 1), {&value, 1}, Reading::values, execution).front();
  const std::vector<double> made = widened(runner.download(value, execution));
  return std::vector<std::size_t>(made.begin(), made.end());
}

PlannedStage one_direction(const PlannedStage& planned, std::int64_t d, const TensorType& x,
                           Tensor state) {
  PlannedStage made = planned;
  Recurrent one = std::get<Recurrent>(*planned.stage.steps.front().op);
  const bool backward = one.direction == Recurrent::Direction::reverse || d == 1;
  one.direction = backward ? Recurrent::Direction::reverse : Recurrent::Direction::forward;
  one.forms = {CellForm(one.forms.at(static_cast<std::size_t>(d)))};
  one.state = Recurrent::Initial::parameter;
  one.lengths.clear();
  one.outputs = {0};
  Stage& stage = made.stage;
  stage.steps.resize(1);
  made.contracts.resize(1);
  Step& head = stage.steps.front();
  head.op = std::make_shared<const Op>(one);
  for (const std::size_t at :
       {recurrent_parameter::weights, recurrent_parameter::recurrence, recurrent_parameter::bias}) {
    auto& parameter = head.parameters[at];
    if (!parameter) continue;
    Shape shape = parameter->shape();
    shape[0] = 1;
    const auto size = static_cast<std::size_t>(element_count(shape));
    const auto values =
        parameter->values<float>().subspan(static_cast<std::size_t>(d) * size, size);
    parameter = std::make_shared<const Tensor>(
        Tensor::of(shape, std::vector<float>(values.begin(), values.end())));
  }
  head.parameters[recurrent_parameter::state] = std::make_shared<const Tensor>(std::move(state));
  head.inputs.resize(1);
  head.outputs.resize(1);
  stage.inputs.resize(1);
  stage.input_types = {x};
  stage.input_names.resize(1);
  stage.outputs = head.outputs;
  stage.output_types = one.infer(step_operand_types(stage).front());
  stage.output_names.resize(1);
  return made;
}

namespace {

/// A layer that gives every step, and what a side made of them.
struct Steps {
  const PlannedStage& stage;
  const Recurrent& layer;
  RecurrentExtents e;
  std::vector<std::size_t> at;  ///< where each element of Y stands in the output
  std::vector<double> made;     ///< the output

  std::size_t element(std::int64_t t, std::int64_t d, std::int64_t n, std::int64_t i) const {
    return at[static_cast<std::size_t>(e.y_row(t, d, n) * e.H + i)];
  }
  const Tensor* parameter(std::size_t which) const {
    return stage.stage.steps.front().parameters[which].get();
  }
};

std::optional<Steps> steps_of(Backend& runner, const Execution& execution,
                              const PlannedStage& planned, const Tensor& suspect) {
  const Step& head = planned.stage.steps.front();
  const auto* layer = std::get_if<Recurrent>(head.op.get());
  if (layer == nullptr || layer->outputs.front() != 0) return std::nullopt;
  const auto places =
      places_in_output(runner, execution, planned,
                       layer->infer(step_operand_types(planned.stage).front()).front().shape);
  Steps steps{planned,
              *layer,
              extents(*layer, planned.stage.input_types[0].shape,
                      head.parameters[recurrent_parameter::recurrence]->shape()),
              {},
              widened(suspect)};
  if (steps.e.T < 2 || !places || places->size() != steps.made.size()) return std::nullopt;
  steps.at.resize(places->size());
  for (std::size_t k = 0; k < steps.at.size(); ++k) steps.at[(*places)[k]] = k;
  return steps;
}

/// Gathers what single steps show.
class Findings {
 public:
  /// Bounds beyond `widest` times the layer's largest value judge nothing.
  Findings(const Steps& steps, double widest) : steps_(steps), widest_(widest) {
    judged_.test.all = true;
  }

  /// Element i of item n, in direction d's s-th step; right values lie within `bound` of `exact`.
  void add(std::int64_t d, std::int64_t n, std::int64_t s, std::int64_t i, double exact,
           double bound) {
    const std::int64_t t = step_of(steps_.layer, steps_.e, d, n, s);
    const std::size_t k = steps_.element(t, d, n, i);
    // Whether a NaN belongs there is asked of the layer as a whole.
    if (!std::isnan(steps_.made[k])) bounds_.emplace_back(bound, k);
    if (std::isfinite(bound)) largest_ = std::max(largest_, std::fabs(exact));
    if (take(k, steps_.made[k], exact, bound, judged_.test) && (!judged_.first || s < first_)) {
      judged_.first = t;
      first_ = s;
    }
  }

  /// Element k of the state behind the last step, which the side gave as `made`.
  void add_state(std::int64_t k, double made, double right) {
    take(static_cast<std::size_t>(k), made, right, 0, judged_.test);
  }

  /// Element k of the memory behind the last step, which the side gave as `made`.
  void add_memory(std::int64_t k, double made, const Interval& right) {
    if (!judged_.memory) judged_.memory.emplace().all = true;
    take(static_cast<std::size_t>(k), made, (right.low + right.high) / 2,
         (right.high - right.low) / 2, *judged_.memory);
  }

  JudgedSteps judged() && {
    for (const auto& [bound, k] : bounds_)
      if (bound > widest_ * largest_) judged_.unjudged.push_back(static_cast<std::int64_t>(k));
    return std::move(judged_);
  }

 private:
  /// Whether the value lies beyond its bound.
  static bool take(std::size_t k, double value, double exact, double bound, OracleTest& test) {
    const double distance = std::fabs(value - exact);
    ++test.elements;
    if (!std::isfinite(bound) || !std::isfinite(distance)) return false;
    const bool beyond = distance > bound;
    test.beyond += beyond;
    test.max_abs = std::max(test.max_abs, distance);
    if (distance <= test.worst_share * bound) return beyond;
    test.worst_share = distance / bound;
    test.worst_index = static_cast<std::int64_t>(k);
    test.worst_value = value;
    test.worst_exact = exact;
    return beyond;
  }

  const Steps& steps_;
  double widest_;
  JudgedSteps judged_;
  std::vector<std::pair<double, std::size_t>> bounds_;  ///< and elements
  double largest_ = 0;
  std::int64_t first_ = 0;
};

void judge_gru(Backend& runner, const Execution& execution, const Steps& steps, const Value& x,
               Allowance allowance, Findings& findings) {
  const RecurrentExtents& e = steps.e;
  // Every step of every item becomes an item of one step; x keeps its order.
  const bool time_first = e.axes == Recurrent::Axes::time_first;
  const std::int64_t items = e.T * e.N;
  const auto of_one_step = [&](std::int64_t features) {
    return time_first ? Shape{1, items, features} : Shape{items, 1, features};
  };
  const TensorType x_type{Type::float32, of_one_step(e.I)};
  const Value x_items =
      runner.upload(narrowed(x_type, widened(runner.download(x, execution))), execution);
  allowance.coefficient +=
      (static_cast<double>(stage_terms(steps.stage)) + 8) * unit_roundoff_double;
  for (std::int64_t d = 0; d < e.D; ++d) {
    // each(n, s, t, the step before): every step but an item's first.
    const auto for_each_step = [&](const auto& each) {
      for (std::int64_t s = 1; s < e.T; ++s)
        for (std::int64_t n = 0; n < e.N; ++n)
          if (const std::int64_t t = step_of(steps.layer, e, d, n, s); t >= 0)
            each(n, s, t, step_of(steps.layer, e, d, n, s - 1));
    };
    std::vector<double> state(static_cast<std::size_t>(items * e.H), 0.0);
    for_each_step([&](std::int64_t n, std::int64_t, std::int64_t t, std::int64_t before) {
      for (std::int64_t i = 0; i < e.H; ++i)
        state[static_cast<std::size_t>(e.x_row(t, n) * e.H + i)] =
            steps.made[steps.element(before, d, n, i)];
    });
    PlannedStage stage =
        one_direction(steps.stage, d, x_type, narrowed({Type::float32, of_one_step(e.H)}, state));
    stage.contracts.front().algorithm = Algorithm::fp64;
    const auto run = [&](Reading reading) {
      return widened(
          runner.download(runner.run(stage, {&x_items, 1}, reading, execution).front(), execution));
    };
    const std::vector<double> y = run(Reading::values), m = run(Reading::magnitudes);
    runner.forget(stage);
    for_each_step([&](std::int64_t n, std::int64_t s, std::int64_t t, std::int64_t) {
      for (std::int64_t i = 0; i < e.H; ++i) {
        const auto mine = static_cast<std::size_t>(e.x_row(t, n) * e.H + i);
        findings.add(d, n, s, i, y[mine], allowance.coefficient * m[mine] + allowance.underflow);
      }
    });
  }
}

/// Of rows (x, h) the sums of all gates in direction d, W and R side by side: a product of matrices in
/// double.
PlannedStage sums_of_gates(const Steps& steps, std::int64_t d) {
  const RecurrentExtents& e = steps.e;
  const std::int64_t rows = e.G * e.H;
  const auto w = steps.parameter(recurrent_parameter::weights)->values<float>(),
             r = steps.parameter(recurrent_parameter::recurrence)->values<float>();
  std::vector<float> both;
  both.reserve(static_cast<std::size_t>(rows * (e.I + e.H)));
  for (std::int64_t row = d * rows; row < (d + 1) * rows; ++row) {
    const auto of_x = w.subspan(static_cast<std::size_t>(row * e.I), static_cast<std::size_t>(e.I));
    const auto of_h = r.subspan(static_cast<std::size_t>(row * e.H), static_cast<std::size_t>(e.H));
    both.insert(both.end(), of_x.begin(), of_x.end());
    both.insert(both.end(), of_h.begin(), of_h.end());
  }
  PlannedStage made = steps.stage;
  made.contracts.resize(1);
  made.contracts.front().algorithm = Algorithm::fp64;
  Stage& stage = made.stage;
  stage.steps.resize(1);
  Step& head = stage.steps.front();
  head.op = std::make_shared<const Op>(MatMul{.right = MatMul::Stored::transposed});
  head.parameters = {
      std::make_shared<const Tensor>(Tensor::of<float>({rows, e.I + e.H}, std::move(both))),
      nullptr};
  head.inputs.resize(1);
  head.outputs.resize(1);
  stage.inputs.resize(1);
  stage.input_names.resize(1);
  stage.outputs = head.outputs;
  stage.output_names.resize(1);
  return made;
}

/// A state that direction d begins in, by items.
std::vector<double> initial(Backend& runner, const Execution& execution, const Steps& steps,
                            std::int64_t d, Recurrent::Initial from, const Tensor* constant,
                            const Value* given) {
  const RecurrentExtents& e = steps.e;
  std::vector<double> state(static_cast<std::size_t>(e.N * e.H), 0.0);
  if (from == Recurrent::Initial::zero) return state;
  const std::vector<double> all =
      widened(from == Recurrent::Initial::value ? runner.download(*given, execution) : *constant);
  for (std::int64_t n = 0; n < e.N; ++n)
    std::copy_n(all.begin() + e.state_row(d, n) * e.H, e.H, state.begin() + n * e.H);
  return state;
}

CellErrors cell_errors(StepOrder order, double coefficient, const RecurrentExtents& e) {
  if (order == StepOrder::any) return CellErrors::of_any_order(coefficient, e.I, e.H);
  const bool wide = order == StepOrder::of_fp64;
  return CellErrors::of_contract(coefficient, wide ? unit_roundoff_double : unit_roundoff, e.I,
                                 e.H);
}

void judge_lstm(Backend& runner, const Execution& execution, const Steps& steps,
                std::span<const Value> inputs, const Tensor* last_memory, const CellErrors& errors,
                Findings& findings) {
  const RecurrentExtents& e = steps.e;
  const Recurrent& layer = steps.layer;
  const std::int64_t rows = e.G * e.H, K = e.I + e.H;
  const std::vector<double> x = widened(runner.download(inputs[0], execution));
  // Sums of so many rows at once are held.
  const std::int64_t block =
      std::clamp<std::int64_t>((std::int64_t{1} << 20) / (e.N * rows), 1, e.T);
  for (std::int64_t d = 0; d < e.D; ++d) {
    const CellForm& form = layer.forms.at(static_cast<std::size_t>(d));
    const std::vector<double> first =
        initial(runner, execution, steps, d, layer.state,
                steps.parameter(recurrent_parameter::state), inputs.data() + 1);
    const std::vector<double> begun = initial(
        runner, execution, steps, d, layer.memory, steps.parameter(recurrent_parameter::memory),
        inputs.data() + (layer.state == Recurrent::Initial::value ? 2 : 1));
    std::vector<Interval> memory;
    for (const double c : begun) memory.push_back({c, c});
    const auto constant = [&](std::size_t which, std::int64_t at) {
      const Tensor* const tensor = steps.parameter(which);
      return tensor == nullptr
                 ? 0
                 : static_cast<double>(tensor->values<float>()[static_cast<std::size_t>(at)]);
    };
    PlannedStage sums = sums_of_gates(steps, d);
    for (std::int64_t from = 0; from < e.T; from += block) {
      const std::int64_t until = std::min(e.T, from + block), many = (until - from) * e.N;
      const auto for_each_step = [&](const auto& each) {
        for (std::int64_t s = from; s < until; ++s)
          for (std::int64_t n = 0; n < e.N; ++n)
            if (step_of(layer, e, d, n, s) >= 0) each(n, s, (s - from) * e.N + n);
      };
      std::vector<double> read(static_cast<std::size_t>(many * K), 0.0);
      for_each_step([&](std::int64_t n, std::int64_t s, std::int64_t row) {
        const auto to = read.begin() + row * K;
        std::copy_n(x.begin() + e.x_row(step_of(layer, e, d, n, s), n) * e.I, e.I, to);
        for (std::int64_t i = 0; i < e.H; ++i)
          to[e.I + i] = s == 0 ? first[static_cast<std::size_t>(n * e.H + i)]
                               : steps.made[steps.element(step_of(layer, e, d, n, s - 1), d, n, i)];
      });
      sums.stage.input_types = {{Type::float32, {many, K}}};
      sums.stage.output_types = {{Type::float32, {many, rows}}};
      const Value given = runner.upload(Tensor::of<double>({many, K}, std::move(read)), execution);
      const auto run = [&](Reading reading) {
        return widened(
            runner.download(runner.run(sums, {&given, 1}, reading, execution).front(), execution));
      };
      const std::vector<double> values = run(Reading::values), sizes = run(Reading::magnitudes);
      for_each_step([&](std::int64_t n, std::int64_t s, std::int64_t row) {
        for (std::int64_t i = 0; i < e.H; ++i) {
          GateArgument arguments[4];
          for (std::int64_t k = 0; k < e.G; ++k) {
            const std::int64_t bias = d * 2 * rows + k * e.H + i;
            const double wb = constant(recurrent_parameter::bias, bias),
                         rb = constant(recurrent_parameter::bias, bias + rows);
            const auto at = static_cast<std::size_t>(row * rows + k * e.H + i);
            arguments[k] = gate_argument(values[at] + wb + rb, sizes[at],
                                         std::fabs(wb) + std::fabs(rb), errors);
          }
          double peepholes[3];
          for (std::int64_t k = 0; k < 3; ++k)
            peepholes[k] = constant(recurrent_parameter::peepholes, (d * 3 + k) * e.H + i);
          Interval& c = memory[static_cast<std::size_t>(n * e.H + i)];
          const LstmReach reach = lstm_reach(arguments, peepholes, c, form, errors);
          const double h = steps.made[steps.element(step_of(layer, e, d, n, s), d, n, i)];
          findings.add(d, n, s, i, (reach.h.low + reach.h.high) / 2,
                       (reach.h.high - reach.h.low) / 2);
          c = memory_behind(reach, h, form, errors);
        }
      });
    }
    runner.forget(sums);
    if (last_memory == nullptr) continue;
    const std::span<const float> given = last_memory->values<float>();
    for (std::int64_t n = 0; n < e.N; ++n)
      for (std::int64_t i = 0; i < e.H; ++i) {
        const std::int64_t at = e.state_row(d, n) * e.H + i;
        findings.add_memory(at, static_cast<double>(given[static_cast<std::size_t>(at)]),
                            memory[static_cast<std::size_t>(n * e.H + i)]);
      }
  }
}

}  // namespace

std::optional<JudgedSteps> judge_steps(Backend& runner, const Execution& execution,
                                       const PlannedStage& planned, std::span<const Value> inputs,
                                       const Tensor& suspect, const Tensor* last_memory,
                                       Allowance allowance, StepOrder order) {
  const std::optional<Steps> steps = steps_of(runner, execution, planned, suspect);
  if (!steps) return std::nullopt;
  const bool gru = steps->layer.cell == Recurrent::Cell::gru;
  // A stage reads its initial state in float32, which is not what these go on from.
  if (gru && (order == StepOrder::of_fp64 || order == StepOrder::of_exact)) return std::nullopt;
  // What an LSTM may give ends at its gate o however little is known, so its bound must be half of what
  // can be told apart. A GRU's step starts from what is known: its bound is that of one product.
  Findings findings(*steps, gru ? std::numeric_limits<double>::infinity() : 0.5);
  if (gru)
    judge_gru(runner, execution, *steps, inputs[0], allowance, findings);
  else
    judge_lstm(runner, execution, *steps, inputs, last_memory,
               cell_errors(order, allowance.coefficient, steps->e), findings);
  return std::move(findings).judged();
}

std::optional<OracleTest> judge_last_state(Backend& runner, const Execution& execution,
                                           const PlannedStage& planned, const Tensor& suspect,
                                           const Tensor& last_state) {
  const std::optional<Steps> steps = steps_of(runner, execution, planned, suspect);
  if (!steps) return std::nullopt;
  const RecurrentExtents& e = steps->e;
  const std::vector<double> given = widened(last_state);
  Findings findings(*steps, std::numeric_limits<double>::infinity());
  for (std::int64_t d = 0; d < e.D; ++d)
    for (std::int64_t n = 0; n < e.N; ++n) {
      std::int64_t last = e.T - 1;
      while (last >= 0 && step_of(steps->layer, e, d, n, last) < 0) --last;
      if (last < 0) continue;  // an item of no steps keeps its initial state
      for (std::int64_t i = 0; i < e.H; ++i) {
        const std::int64_t at = e.state_row(d, n) * e.H + i;
        const std::size_t step = steps->element(step_of(steps->layer, e, d, n, last), d, n, i);
        findings.add_state(at, given[static_cast<std::size_t>(at)], steps->made[step]);
      }
    }
  return std::move(findings).judged().test;
}

std::optional<std::size_t> output_among(const Stage& stage, LastOf which) {
  const Step& head = stage.steps.front();
  const auto* layer = std::get_if<Recurrent>(head.op.get());
  if (layer == nullptr) return std::nullopt;
  for (std::size_t k = 0; k < layer->outputs.size(); ++k)
    for (std::size_t j = 0; j < stage.outputs.size(); ++j)
      if (layer->outputs[k] == static_cast<int>(which) && stage.outputs[j] == head.outputs[k])
        return j;
  return std::nullopt;
}

std::int64_t left_unjudged(const JudgedSteps& steps, std::span<const std::int64_t> sample,
                           std::span<const double> y, std::span<const double> exact) {
  return std::count_if(steps.unjudged.begin(), steps.unjudged.end(), [&](std::int64_t k) {
    const auto found = std::lower_bound(sample.begin(), sample.end(), k);
    const auto at = static_cast<std::size_t>(found - sample.begin());
    return found == sample.end() || *found != k || y[at] != exact[at];
  });
}

std::string first_at(const std::string& who, std::int64_t step) {
  return who + " first at step " + std::to_string(step);
}

void take_worse(const OracleTest& steps, OracleTest& whole) {
  whole.beyond = std::max(whole.beyond, steps.beyond);
  if (steps.worst_share <= whole.worst_share) return;
  whole.max_abs = std::max(whole.max_abs, steps.max_abs);
  whole.worst_share = steps.worst_share;
  whole.worst_index = steps.worst_index;
  whole.worst_value = steps.worst_value;
  whole.worst_exact = steps.worst_exact;
}

}  // namespace parity
