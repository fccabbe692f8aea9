#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/ops.hpp"

// The steps of a recurrent layer: the state that they begin in, the direction that they take.

namespace parity::misread_rows {
namespace {

/// What a recurrent layer carries from step to step: h and, of an LSTM, c.
enum class Carried { state, memory };

std::size_t parameter_of(Carried carried) {
  return carried == Carried::state ? recurrent_parameter::state : recurrent_parameter::memory;
}

/// Whether a recurrent layer is given something to begin with other than zeros, which some exporters
/// write down.
bool is_given(const PlannedStage& planned, Carried carried) {
  const auto& layer = *head_as<Recurrent>(planned);
  const Recurrent::Initial from = carried == Carried::state ? layer.state : layer.memory;
  if (from != Recurrent::Initial::parameter) return from == Recurrent::Initial::value;
  const auto values =
      planned.stage.steps.front().parameters[parameter_of(carried)]->values<float>();
  return std::any_of(values.begin(), values.end(), [](float value) { return value != 0.0F; });
}

/// The layer that begins with this instead of what it was given; null: with zeros.
PlannedStage beginning_with(PlannedStage planned, Carried carried,
                            std::shared_ptr<const Tensor> given) {
  Step& head = planned.stage.steps.front();
  auto layer = std::get<Recurrent>(*head.op);
  Recurrent::Initial& from = carried == Carried::state ? layer.state : layer.memory;
  if (from == Recurrent::Initial::value) {
    const bool behind_state =
        carried == Carried::memory && layer.state == Recurrent::Initial::value;
    head.inputs.erase(head.inputs.begin() + (behind_state ? 2 : 1));
  }
  from = given ? Recurrent::Initial::parameter : Recurrent::Initial::zero;
  head.parameters[parameter_of(carried)] = std::move(given);
  head.op = std::make_shared<const Op>(std::move(layer));
  return planned;
}

/// Amounts of what begins otherwise: 0 both, 1 the state, 2 an LSTM's memory.
std::vector<Carried> carried_by(double amount) {
  if (amount == 0) return {Carried::state, Carried::memory};
  return {amount == 1 ? Carried::state : Carried::memory};
}

std::string carried_text(const PlannedStage& planned, double amount) {
  if (head_as<Recurrent>(planned)->cell == Recurrent::Cell::gru) return {};
  return amount == 0 ? " (h and c)" : amount == 1 ? " (h alone)" : " (c alone)";
}

/// What a recurrent layer ends in: h and, of an LSTM, c.
std::vector<Tensor> left_by(const Seat& seat) {
  const bool gru = head_as<Recurrent>(seat.planned)->cell == Recurrent::Cell::gru;
  PlannedStage before = with_recurrent(seat.planned, [&](Recurrent& layer) {
    layer.outputs = gru ? std::vector<int>{1} : std::vector<int>{1, 2};
  });
  Stage& stage = before.stage;
  stage.steps.resize(1);
  before.contracts.resize(1);
  const std::int32_t unused = unused_tensor(stage);
  stage.steps[0].outputs = {TensorId{unused}};
  if (!gru) stage.steps[0].outputs.push_back(TensorId{unused + 1});
  stage.outputs = stage.steps[0].outputs;
  stage.output_types = std::get<Recurrent>(*stage.steps[0].op).infer(step_operand_types(stage)[0]);
  stage.output_names.assign(stage.outputs.size(), {});
  std::vector<Tensor> left;
  for (const Value& value : seat.backend.run(before, seat.inputs, Reading::values, seat.execution))
    left.push_back(to_float32(seat.backend.download(value, seat.execution)));
  return left;
}

/// A tensor of two directions with these exchanged.
std::shared_ptr<const Tensor> with_directions_exchanged(const Tensor& tensor, std::size_t axis) {
  return std::make_shared<const Tensor>(
      reindexed(tensor, [&](Index& at) { at[axis] = 1 - at[axis]; }));
}

bool is_bidirectional(const PlannedStage& planned) {
  const auto* layer = head_as<Recurrent>(planned);
  return layer && layer->direction == Recurrent::Direction::bidirectional;
}

/// Each direction computed with the other one's weights.
PlannedStage with_weights_exchanged(const PlannedStage& planned) {
  PlannedStage wrong = planned;
  auto& parameters = wrong.stage.steps[0].parameters;
  for (const std::size_t at : {recurrent_parameter::weights, recurrent_parameter::recurrence,
                               recurrent_parameter::bias, recurrent_parameter::peepholes})
    if (parameters[at]) parameters[at] = with_directions_exchanged(*parameters[at], 0);
  return with_recurrent(wrong, [](Recurrent& layer) { std::swap(layer.forms[0], layer.forms[1]); });
}

/// Each direction's results handed out as the other one's, by a step behind the head.
PlannedStage with_outputs_exchanged(const PlannedStage& planned) {
  const auto& layer = *head_as<Recurrent>(planned);
  const bool time_first = layer.axes == Recurrent::Axes::time_first;
  PlannedStage wrong = planned;
  Stage& stage = wrong.stage;
  const std::int32_t unused = unused_tensor(stage);
  const auto exchanged =
      std::make_shared<const Tensor>(Tensor::of({2}, std::vector<std::int64_t>{1, 0}));
  Contract contract;
  contract.algorithm = Algorithm::move;
  contract.promise = promise_of(Algorithm::move);
  for (std::size_t k = 0; k < layer.outputs.size(); ++k) {
    const std::int64_t of_states = time_first ? 0 : 1;
    Gather gather;
    gather.axis = layer.outputs[k] == 0 ? of_states + 1 : of_states;
    gather.indices = Gather::Operand::parameter;
    Step step;
    step.op = std::make_shared<const Op>(gather);
    step.inputs = {TensorId{unused + static_cast<std::int32_t>(k)}};
    step.outputs = {stage.steps[0].outputs[k]};
    step.parameters = {nullptr, exchanged};
    stage.steps[0].outputs[k] = step.inputs[0];
    const auto at = static_cast<std::ptrdiff_t>(1 + k);
    stage.steps.insert(stage.steps.begin() + at, std::move(step));
    wrong.contracts.insert(wrong.contracts.begin() + at, contract);
  }
  return wrong;
}

/// Both directions taken the other way, with all that is theirs.
Misread with_both_reversed(const PlannedStage& planned) {
  const std::size_t axis = head_as<Recurrent>(planned)->axes == Recurrent::Axes::time_first ? 0 : 1;
  Misread misread{with_outputs_exchanged(with_weights_exchanged(planned))};
  auto& parameters = misread.stage.stage.steps[0].parameters;
  for (const std::size_t at : {recurrent_parameter::state, recurrent_parameter::memory})
    if (parameters[at]) parameters[at] = with_directions_exchanged(*parameters[at], axis);
  misread.operand = [=](std::size_t index, const Tensor& x) {
    return index == 0 ? x : *with_directions_exchanged(x, axis);
  };
  return misread;
}

constexpr auto rows = std::to_array<Misreading>({
    // amount: what is ignored (carried_by)
    {Bug::initial_state_ignored, 0, "the initial state is taken as zeros",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) &&
              (is_given(p, Carried::state) || is_given(p, Carried::memory));
     },
     [](const PlannedStage& p) {
       const bool state = is_given(p, Carried::state), memory = is_given(p, Carried::memory);
       return state && memory ? std::vector<double>{0, 1, 2}
                              : std::vector<double>{state ? 1.0 : 2.0};
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       for (const Carried carried : carried_by(amount))
         misread.stage = beginning_with(std::move(misread.stage), carried, nullptr);
       return misread;
     },
     Amount::choice, carried_text},
    // amount: what is left over (carried_by)
    {Bug::initial_state_stale, 0, "it begins in the state that the run before it ended in",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p)->cell == Recurrent::Cell::gru ? std::vector<double>{1}
                                                                  : std::vector<double>{0, 1, 2};
     },
     [](const Seat& s, double amount) {
       const std::vector<Tensor> left = left_by(s);
       Misread misread{s.planned};
       for (const Carried carried : carried_by(amount))
         misread.stage = beginning_with(
             std::move(misread.stage), carried,
             std::make_shared<const Tensor>(left.at(carried == Carried::state ? 0 : 1)));
       return misread;
     },
     Amount::choice, carried_text},
    {Bug::sequence_reversed, 0, "the steps are taken in the other direction",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; }, once,
     [](const Seat& s, double) {
       if (is_bidirectional(s.planned)) return with_both_reversed(s.planned);
       return Misread{with_recurrent(s.planned, [](Recurrent& layer) {
         layer.direction = layer.direction == Recurrent::Direction::forward
                               ? Recurrent::Direction::reverse
                               : Recurrent::Direction::forward;
       })};
     }},
    // amount 0: each direction's result stands where the other's should; 1: each is computed with the
    // other's weights
    {Bug::directions_swapped, 0, "the two directions are exchanged", is_bidirectional,
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return Misread{amount == 0 ? with_outputs_exchanged(s.planned)
                                  : with_weights_exchanged(s.planned)};
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 0 ? " (their results)" : " (their weights)");
     }},
});

}  // namespace

std::span<const Misreading> recurrent_sequences() { return rows; }

}  // namespace parity::misread_rows
