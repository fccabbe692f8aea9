#include "compare/recurrence.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

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

std::optional<OracleTest> judge_steps(Backend& runner, const Execution& execution,
                                      const PlannedStage& exact, const Value& x,
                                      const Tensor& suspect, Allowance allowance) {
  const Step& head = exact.stage.steps.front();
  const auto* layer = std::get_if<Recurrent>(head.op.get());
  if (layer == nullptr || layer->cell != Recurrent::Cell::gru || layer->outputs.front() != 0 ||
      !layer->lengths.empty())
    return std::nullopt;
  const RecurrentExtents e = extents(*layer, exact.stage.input_types[0].shape,
                                     head.parameters[recurrent_parameter::recurrence]->shape());
  if (e.T < 2) return std::nullopt;
  const auto places =
      places_in_output(runner, execution, exact,
                       layer->infer(step_operand_types(exact.stage).front()).front().shape);
  const std::vector<double> made = widened(suspect);
  if (!places || places->size() != made.size()) return std::nullopt;
  std::vector<std::size_t> at(places->size());  // where each element of Y stands in the output
  for (std::size_t k = 0; k < at.size(); ++k) at[(*places)[k]] = k;

  // Every step of every item becomes an item of one step; x keeps its order.
  const bool time_first = layer->axes == Recurrent::Axes::time_first;
  const std::int64_t items = e.T * e.N;
  const auto of_one_step = [&](std::int64_t features) {
    return time_first ? Shape{1, items, features} : Shape{items, 1, features};
  };
  const TensorType x_type{Type::float32, of_one_step(e.I)};
  const Value x_items =
      runner.upload(narrowed(x_type, widened(runner.download(x, execution))), execution);
  allowance.coefficient += (static_cast<double>(stage_terms(exact)) + 8) * unit_roundoff_double;
  OracleTest test;
  test.all = true;
  for (std::int64_t d = 0; d < e.D; ++d) {
    std::vector<double> state(static_cast<std::size_t>(items * e.H), 0.0);
    const auto element = [&](std::int64_t t, std::int64_t n, std::int64_t i) {
      return at[static_cast<std::size_t>(e.y_row(t, d, n) * e.H + i)];
    };
    for (std::int64_t s = 1; s < e.T; ++s)
      for (std::int64_t n = 0; n < e.N; ++n)
        for (std::int64_t i = 0; i < e.H; ++i) {
          const std::int64_t before = step_of(*layer, e, d, n, s - 1),
                             now = step_of(*layer, e, d, n, s);
          state[static_cast<std::size_t>(e.x_row(now, n) * e.H + i)] = made[element(before, n, i)];
        }
    const PlannedStage stage =
        one_direction(exact, d, x_type, narrowed({Type::float32, of_one_step(e.H)}, state));
    const auto run = [&](Reading reading) {
      return widened(
          runner.download(runner.run(stage, {&x_items, 1}, reading, execution).front(), execution));
    };
    const std::vector<double> y = run(Reading::values), m = run(Reading::magnitudes);
    runner.forget(stage);
    for (std::int64_t s = 1; s < e.T; ++s)
      for (std::int64_t n = 0; n < e.N; ++n)
        for (std::int64_t i = 0; i < e.H; ++i) {
          const std::int64_t now = step_of(*layer, e, d, n, s);
          const auto mine = static_cast<std::size_t>(e.x_row(now, n) * e.H + i);
          const std::size_t k = element(now, n, i);
          const double distance = std::fabs(made[k] - y[mine]),
                       bound = allowance.coefficient * m[mine] + allowance.underflow;
          ++test.elements;
          if (!std::isfinite(bound) || !std::isfinite(distance)) continue;
          test.beyond += distance > bound;
          test.max_abs = std::max(test.max_abs, distance);
          if (distance <= test.worst_share * bound) continue;
          test.worst_share = distance / bound;
          test.worst_index = static_cast<std::int64_t>(k);
          test.worst_value = made[k];
          test.worst_exact = y[mine];
        }
  }
  return test;
}

void take_worse(const OracleTest& steps, OracleTest& whole) {
  whole.beyond = std::max(whole.beyond, steps.beyond);
  if (steps.beyond == 0 || steps.worst_share <= whole.worst_share) return;
  whole.max_abs = std::max(whole.max_abs, steps.max_abs);
  whole.worst_share = steps.worst_share;
  whole.worst_index = steps.worst_index;
  whole.worst_value = steps.worst_value;
  whole.worst_exact = steps.worst_exact;
}

}  // namespace parity
