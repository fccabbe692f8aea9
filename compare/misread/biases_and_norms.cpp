#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/ops.hpp"

// What is added and scaled by constants: biases, BatchNorm, the eps of normalizations, constant steps.

namespace parity::misread_rows {
namespace {

/// The stage with one of its steps, which reads one value, applied to its own result again.
PlannedStage with_step_twice(const PlannedStage& planned, std::size_t step) {
  PlannedStage wrong = planned;
  Stage& stage = wrong.stage;
  const auto at = static_cast<std::ptrdiff_t>(step);
  Step again = stage.steps[step];
  const std::int32_t unused = unused_tensor(stage);
  stage.steps[step].outputs = {TensorId{unused}};
  again.inputs = {TensorId{unused}};
  stage.steps.insert(stage.steps.begin() + at + 1, again);
  wrong.contracts.insert(wrong.contracts.begin() + at, wrong.contracts[step]);
  return wrong;
}

/// The BatchNorm of the stage and its parameters, changed.
template <class Change>
PlannedStage with_norm(const PlannedStage& planned, Change change) {
  PlannedStage wrong = planned;
  Step& step = wrong.stage.steps[batch_norm_of(planned.stage)];
  BatchNorm op = std::get<BatchNorm>(*step.op);
  change(op, step.parameters);
  step.op = std::make_shared<const Op>(op);
  return wrong;
}

bool has_norm(const PlannedStage& planned) {
  return batch_norm_of(planned.stage) < planned.stage.steps.size();
}

/// What is added to an eps by a backend that has one of the usual others.
std::vector<double> other_epsilons(float epsilon) {
  std::vector<double> amounts;
  for (const float eps : {1e-5F, 1e-3F, 1e-6F, 1e-4F, 1e-12F, 0.0F, 1e-2F, 1e-1F})
    if (eps != epsilon) amounts.push_back(static_cast<double>(eps) - static_cast<double>(epsilon));
  return amounts;
}

/// What changes nothing when a step applies it; none where that is no constant behind the value.
std::optional<float> neutral_element(const Binary& op) {
  using Function = Binary::Function;
  switch (op.function) {
    case Function::add:
      return 0.0F;
    case Function::mul:
      return 1.0F;
    case Function::sub:
      return op.constant == Binary::Side::right ? std::optional(0.0F) : std::nullopt;
    case Function::div:
      return op.constant == Binary::Side::right ? std::optional(1.0F) : std::nullopt;
    default:
      return std::nullopt;
  }
}

/// The addition of a constant right behind a product, as a Linear layer on tensors of rank 3 is exported;
/// null where there is none.
const Step* addition_behind(const PlannedStage& planned) {
  const std::vector<Step>& steps = planned.stage.steps;
  if (!head_as<MatMul>(planned) || steps.size() < 2 || steps[1].inputs.size() != 1) return nullptr;
  const auto* added = std::get_if<Binary>(steps[1].op.get());
  return added != nullptr && added->function == Binary::Function::add ? &steps[1] : nullptr;
}

/// A constant that a step adds, subtracts, multiplies by or divides by, and what becomes of it.
struct Misapplied {
  std::size_t step;
  enum class How { left_out, twice } how;
};

/// The bias behind a product is a matter of its own, and a stage with nothing left returns its input.
std::vector<Misapplied> misapplied_constants(const PlannedStage& planned) {
  std::vector<Misapplied> all;
  const std::vector<Step>& steps = planned.stage.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* op = std::get_if<Binary>(steps[i].op.get());
    if (!op || steps[i].inputs.size() != 1 || !neutral_element(*op) ||
        steps[i].parameters[0]->type().type != Type::float32)
      continue;
    if (addition_behind(planned) == &steps[i]) continue;
    if (steps.size() > 1) all.push_back({i, Misapplied::How::left_out});
    all.push_back({i, Misapplied::How::twice});
  }
  return all;
}

/// Where the bias of a stage's products lies: a step and which of its parameters.
struct BiasPlace {
  std::size_t step, parameter;
};

std::optional<BiasPlace> bias_of(const PlannedStage& planned) {
  const auto& parameters = planned.stage.steps[0].parameters;
  if (head_as<Recurrent>(planned)) {
    if (!parameters[recurrent_parameter::bias]) return std::nullopt;
    return BiasPlace{0, recurrent_parameter::bias};
  }
  const auto* product = head_as<MatMul>(planned);
  if (product ? product->addend == MatMul::Addend::parameter
              : is_convolution(planned) && parameters.size() > 1 && parameters[1])
    return BiasPlace{0, 1};
  if (addition_behind(planned)) return BiasPlace{1, 0};
  return std::nullopt;
}

const Tensor& bias_at(const PlannedStage& planned, BiasPlace place) {
  return *planned.stage.steps[place.step].parameters[place.parameter];
}

/// The stage with its bias changed.
PlannedStage with_bias(const PlannedStage& planned,
                       const std::function<Tensor(const Tensor&)>& change) {
  PlannedStage wrong = planned;
  const BiasPlace place = *bias_of(planned);
  wrong.stage.steps[place.step].parameters[place.parameter] =
      std::make_shared<const Tensor>(change(bias_at(planned, place)));
  return wrong;
}

/// Of these amounts those whose change of the bias changes a bit of it.
std::vector<double> changing_bias(const PlannedStage& planned, std::vector<double> amounts,
                                  Tensor (*change)(const Tensor& bias, double amount)) {
  const Tensor& bias = bias_at(planned, *bias_of(planned));
  std::erase_if(amounts, [&](double amount) { return same_bits(change(bias, amount), bias); });
  return amounts;
}

Tensor scaled_bias(const Tensor& bias, double factor) {
  // A zero stays: another sign of it is no other bias.
  return mapped(
      bias, [&](float value) { return value == 0 ? value : static_cast<float>(value * factor); });
}

/// A bias whose elements stand elsewhere. 0: each channel has the next one's, 1: the previous one's; of a
/// recurrent layer 2: Wb and Rb are exchanged, 3: Wb holds the sum of both.
Tensor misplaced_bias(const Tensor& bias, double amount) {
  if (amount < 2) {
    // Its channels: the last axis that is longer than 1.
    std::size_t axis = bias.shape().size();
    while (axis > 1 && bias.shape()[axis - 1] == 1) --axis;
    if (axis == 0) return bias;
    const std::int64_t C = bias.shape()[axis - 1];
    return reindexed(
        bias, [&](Index& at) { at[axis - 1] = (at[axis - 1] + (amount == 0 ? 1 : C - 1)) % C; });
  }
  const std::int64_t half = bias.shape()[1] / 2;
  const Tensor exchanged = reindexed(bias, [&](Index& at) { at[1] = (at[1] + half) % (2 * half); });
  if (amount == 2) return exchanged;
  std::vector<double> sum = widened(bias);
  const std::vector<double> other = widened(exchanged);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const bool input = static_cast<std::int64_t>(i) % (2 * half) < half;
    sum[i] = input ? sum[i] + other[i] : 0;
  }
  return narrowed(bias.type(), sum);
}

/// A layer's bias with some halves left out: 0 all of it, 1 the input's, 2 the recurrent one.
Tensor without_bias(const Tensor& bias, double amount) {
  const std::int64_t half = bias.shape()[1] / 2;
  return gathered(bias, bias.shape(), [&](const Index& at) -> std::optional<Index> {
    if (amount == 0 || at[1] / half == static_cast<std::int64_t>(amount) - 1) return std::nullopt;
    return at;
  });
}

/// Whether leaving that out changes any element.
bool has_bias(const PlannedStage& planned, double amount) {
  const auto& bias = planned.stage.steps[0].parameters[recurrent_parameter::bias];
  return bias && !same_bits(without_bias(*bias, amount), *bias);
}

constexpr auto rows = std::to_array<Misreading>({
    // amount: of a recurrent layer 0 all of it, 1 the input's half, 2 the recurrent half
    {Bug::bias_dropped, 6, "the bias is left out",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) ? has_bias(p, 0) : bias_of(p).has_value();
     },
     [](const PlannedStage& p) {
       if (!head_as<Recurrent>(p)) return std::vector<double>{0};
       const bool input = has_bias(p, 1), recurrent = has_bias(p, 2);
       return input && recurrent ? std::vector<double>{2, 1, 0}
                                 : std::vector<double>{input ? 1.0 : 2.0};
     },
     [](const Seat& s, double amount) {
       const BiasPlace place = *bias_of(s.planned);
       Misread misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, MatMul>)
           if (place.step == 0) o.addend = MatMul::Addend::none;
       })};
       auto& bias = misread.stage.stage.steps[place.step].parameters[place.parameter];
       if (head_as<Recurrent>(s.planned))
         bias = std::make_shared<const Tensor>(without_bias(*bias, amount));
       else
         bias = place.step == 0 ? nullptr : constant_like(*bias, 0);
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 1   ? " (the input's half, Wb)"
                          : amount == 2 ? " (the recurrent half, Rb)"
                                        : "");
     }},
    // amount: the factor
    {Bug::bias_misscaled, 6, "the bias is added",
     [](const PlannedStage& p) { return bias_of(p).has_value(); },
     [](const PlannedStage& p) {
       return changing_bias(p, {2, 0.5, -1}, scaled_bias);
     },
     [](const Seat& s, double factor) {
       return Misread{
           with_bias(s.planned, [=](const Tensor& bias) { return scaled_bias(bias, factor); })};
     },
     Amount::choice,
     [](const PlannedStage&, double factor) {
       return std::string(factor == 2     ? " twice (once folded and once more)"
                          : factor == 0.5 ? " by half"
                                          : " with the other sign");
     }},
    // amount: see misplaced_bias()
    {Bug::bias_misplaced, 6, "the bias stands in another place",
     [](const PlannedStage& p) { return bias_of(p).has_value(); },
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       if (!layer) return changing_bias(p, {0, 1}, misplaced_bias);
       // Elsewhere both halves are added to one sum.
       if (layer->reset != Recurrent::Reset::after_the_product) return std::vector<double>();
       return changing_bias(p, {2, 3}, misplaced_bias);
     },
     [](const Seat& s, double amount) {
       return Misread{
           with_bias(s.planned, [=](const Tensor& bias) { return misplaced_bias(bias, amount); })};
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 0   ? " (each channel has the next one's)"
                          : amount == 1 ? " (each channel has the previous one's)"
                          : amount == 2 ? " (Wb and Rb are exchanged)"
                                        : " (Rb is added to Wb)");
     }},
    {Bug::folded_twice, 6, "BatchNorm is applied twice (folded into the weights and kept)",
     has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_step_twice(s.planned, batch_norm_of(s.planned.stage))};
     }},
    {Bug::shift_dropped, 6, "BatchNorm's shift is left out, as when its bias is lost in folding",
     has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) {
         p[1] = constant_like(*p[1], 0);
         p[2] = constant_like(*p[2], 0);
       })};
     }},
    // amount: added to eps
    {Bug::wrong_epsilon, 1, "BatchNorm computes with another eps", has_norm,
     [](const PlannedStage& p) {
       return other_epsilons(
           std::get<BatchNorm>(*p.stage.steps[batch_norm_of(p.stage)].op).epsilon);
     },
     [](const Seat& s, double amount) {
       return Misread{with_norm(s.planned, [&](BatchNorm& norm, auto&) {
         norm.epsilon = static_cast<float>(static_cast<double>(norm.epsilon) + amount);
       })};
     },
     Amount::real,
     [](const PlannedStage&, double amount) { return fmt::format(" (off by {:+.3g})", amount); }},
    {Bug::batch_statistics, 2, "BatchNorm uses the statistics of this batch (training mode)",
     has_norm, once,
     [](const Seat& s, double) {
       const PlannedStage before = prefix_of(s.planned, batch_norm_of(s.planned.stage));
       const Value z = before.stage.steps.empty()
                           ? s.inputs[0]
                           : s.backend.run(before, s.inputs, Reading::values, s.execution)[0];
       const std::vector<double> values = widened(s.backend.download(z, s.execution));
       const std::int64_t C = z.shape()[1];
       const std::int64_t pixels = element_count(z.shape(), 2, z.shape().size());
       std::vector<double> sum(static_cast<std::size_t>(C)), squares = sum;
       const double n = static_cast<double>(values.size()) / static_cast<double>(C);
       const auto channel = [&](std::size_t i) {
         return static_cast<std::size_t>(static_cast<std::int64_t>(i) / pixels % C);
       };
       for (std::size_t i = 0; i < values.size(); ++i) sum[channel(i)] += values[i];
       for (double& each : sum) each /= n;
       for (std::size_t i = 0; i < values.size(); ++i) {
         const double d = values[i] - sum[channel(i)];
         squares[channel(i)] += d * d / n;
       }
       return Misread{with_norm(s.planned, [&](BatchNorm&, auto& p) {
         p[2] = std::make_shared<const Tensor>(narrowed(p[2]->type(), sum));
         p[3] = std::make_shared<const Tensor>(narrowed(p[3]->type(), squares));
       })};
     }},
    {Bug::variance_unbiased, 4, "BatchNorm's variance is scaled by n/(n - 1)", has_norm, once,
     [](const Seat& s, double) {
       const std::size_t at = batch_norm_of(s.planned.stage);
       const Shape x = step_operand_types(s.planned.stage)[at].inputs[0].shape;
       const auto n = static_cast<double>(element_count(x) / x[1]);
       return Misread{with_norm(s.planned, [&](BatchNorm&, auto& p) {
         p[3] = std::make_shared<const Tensor>(
             mapped(*p[3], [&](float v) { return static_cast<float>(v * n / (n - 1)); }));
       })};
     }},
    {Bug::scale_shift_swapped, 5, "BatchNorm's gamma and beta are exchanged", has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) { std::swap(p[0], p[1]); })};
     }},
    {Bug::mean_variance_swapped, 5, "BatchNorm's mean and variance are exchanged", has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) { std::swap(p[2], p[3]); })};
     }},
    // amount: which of misapplied_constants()
    {Bug::constant_misapplied, 0, "a constant",
     [](const PlannedStage& p) { return !misapplied_constants(p).empty(); },
     [](const PlannedStage& p) { return numbered(misapplied_constants(p).size()); },
     [](const Seat& s, double amount) {
       const Misapplied wrong =
           misapplied_constants(s.planned).at(static_cast<std::size_t>(amount));
       if (wrong.how == Misapplied::How::twice)
         return Misread{with_step_twice(s.planned, wrong.step)};
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[wrong.step];
       step.parameters[0] =
           constant_like(*step.parameters[0], *neutral_element(std::get<Binary>(*step.op)));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const Misapplied wrong = misapplied_constants(p).at(static_cast<std::size_t>(amount));
       const Step& step = p.stage.steps[wrong.step];
       return fmt::format(" is {} ({})",
                          wrong.how == Misapplied::How::twice ? "applied twice" : "left out",
                          step.node.empty() ? step.op_type : step.node);
     }},
    // amount: added to eps
    {Bug::row_epsilon, 22, "the normalization computes with another eps",
     [](const PlannedStage& p) { return head_as<Normalization>(p) != nullptr; },
     [](const PlannedStage& p) { return other_epsilons(head_as<Normalization>(p)->epsilon); },
     [](const Seat& s, double amount) {
       return Misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Normalization>)
           o.epsilon = static_cast<float>(static_cast<double>(o.epsilon) + amount);
       })};
     },
     Amount::real},
});

}  // namespace

std::span<const Misreading> biases_and_norms() { return rows; }

}  // namespace parity::misread_rows
