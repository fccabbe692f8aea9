#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/ops.hpp"

// Activations and softmax: left out, by other constants or formulas, in place, along another axis.

namespace parity::misread_rows {
namespace {

/// The last step when it is that activation.
bool ends_with(const PlannedStage& planned, EpilogueKind function) {
  const auto* last = std::get_if<Unary>(planned.stage.steps.back().op.get());
  return last && last->function == function && planned.stage.steps.size() >= 2;
}

/// Position of the stage's first Gelu; the number of steps where there is none.
std::size_t gelu_of(const Stage& stage) {
  const auto is_gelu = [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary &&
           (unary->function == EpilogueKind::gelu || unary->function == EpilogueKind::gelu_tanh);
  };
  return static_cast<std::size_t>(std::find_if(stage.steps.begin(), stage.steps.end(), is_gelu) -
                                  stage.steps.begin());
}

bool is_relu(const Op& op) {
  const auto* unary = std::get_if<Unary>(&op);
  return unary && unary->function == EpilogueKind::relu;
}

/// Constants that other libraries, or whoever was told none, give an activation: its attributes a, b.
std::vector<std::array<float, 2>> other_constants(const Unary& right) {
  using K = EpilogueKind;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const UnaryFunction& function = unary_function(right.function);
  std::vector<std::array<float, 2>> others;
  switch (right.function) {
    case K::clip:
      others = {{-infinity, right.b}, {right.a, infinity}};
      // Exchanged bounds leave one of them, whichever is applied last.
      if (std::isfinite(right.a) && std::isfinite(right.b))
        others.insert(others.end(), {{right.b, right.a}, {right.b, right.b}});
      break;
    case K::hard_swish:
      others = {{1.0F / 6, 0.5F}, {0.2F, 0.5F}};
      break;
    case K::hard_sigmoid:
      others = {{0.2F, 0.5F}, {1.0F / 6, 0.5F}};
      break;
    case K::leaky_relu:
      others = {{0.01F, 0}, {0.1F, 0}, {0.2F, 0}, {0.3F, 0}};
      break;
    default:
      if (!function.a.name.empty()) others = {{function.a.otherwise, function.b.otherwise}};
  }
  std::erase(others, std::array<float, 2>{right.a, right.b});
  return others;
}

/// Position of the stage's first activation that could be read with other constants; the number of steps
/// where there is none.
std::size_t constants_of(const Stage& stage) {
  const auto could = [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary && !other_constants(*unary).empty();
  };
  return static_cast<std::size_t>(std::find_if(stage.steps.begin(), stage.steps.end(), could) -
                                  stage.steps.begin());
}

const Unary& activation_with_constants(const Stage& stage) {
  return std::get<Unary>(*stage.steps[constants_of(stage)].op);
}

/// The last activation replaced by f.
Misread with_activation(const PlannedStage& planned, std::function<double(double)> f) {
  Misread misread{prefix_of(planned, planned.stage.steps.size() - 1)};
  misread.element = std::move(f);
  return misread;
}

constexpr auto rows = std::to_array<Misreading>({
    // amount: which of other_constants()
    {Bug::constants_misread, 24, "the activation has other constants than it was given",
     [](const PlannedStage& p) { return constants_of(p.stage) < p.stage.steps.size(); },
     [](const PlannedStage& p) {
       return numbered(other_constants(activation_with_constants(p.stage)).size());
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[constants_of(s.planned.stage)];
       auto unary = std::get<Unary>(*step.op);
       const auto other = other_constants(unary).at(static_cast<std::size_t>(amount));
       unary.a = other[0];
       unary.b = other[1];
       step.op = std::make_shared<const Op>(unary);
       // Of other constants nothing is proven; whoever has them has no such promise to keep.
       if (!unary.correct_kind())
         misread.stage.contracts[constants_of(s.planned.stage)].functions = Functions::own;
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const Unary& right = activation_with_constants(p.stage);
       const auto other = other_constants(right).at(static_cast<std::size_t>(amount));
       const UnaryFunction& function = unary_function(right.function);
       // HardSwish has its constants by definition.
       const std::string_view a = function.a.name.empty() ? "slope" : function.a.name;
       std::string text = fmt::format(" ({} {:.4g} for {:.4g}", a, other[0], right.a);
       if (!function.b.name.empty())
         text += fmt::format(", {} {:.4g} for {:.4g}", function.b.name, other[1], right.b);
       return text + ")";
     }},
    {Bug::activation_dropped, 36, "the activation is left out",
     [](const PlannedStage& p) {
       return p.stage.steps.size() >= 2 && std::holds_alternative<Unary>(*p.stage.steps.back().op);
     },
     once,
     [](const Seat& s, double) {
       return Misread{prefix_of(s.planned, s.planned.stage.steps.size() - 1)};
     }},
    // amount: which input had been overwritten when it was read; -1: the output was, afterwards
    {Bug::relu_in_place, 0, "a ReLU that works in place has overwritten",
     [](const PlannedStage& p) { return float_inputs(p) && !is_relu(*p.stage.steps.front().op); },
     [](const PlannedStage& p) {
       std::vector<double> amounts = numbered(p.stage.inputs.size());
       if (!is_relu(*p.stage.steps.back().op)) amounts.push_back(-1);
       return amounts;
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       if (amount < 0)
         misread.element = [](double y) { return relu(y); };
       else
         misread.operand = [=](std::size_t index, const Tensor& x) {
           if (index != static_cast<std::size_t>(amount)) return x;
           return mapped(x, [](float value) { return relu(value); });
         };
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount < 0 ? " the output" : " an input");
     }},
    // amount: the slope at 0
    {Bug::sigmoid_hardened, 24, "sigmoid is the piecewise linear one",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::sigmoid); },
     [](const PlannedStage&) {
       return std::vector<double>{1.0 / 6, 0.2};
     },
     [](const Seat& s, double slope) {
       return with_activation(s.planned,
                              [=](double x) { return std::clamp(slope * x + 0.5, 0.0, 1.0); });
     },
     Amount::real},
    {Bug::gelu_by_another_formula, 23, "GELU is the tanh formula for the erf one, or the reverse",
     [](const PlannedStage& p) { return gelu_of(p.stage) < p.stage.steps.size(); }, once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[gelu_of(s.planned.stage)];
       auto gelu = std::get<Unary>(*step.op);
       gelu.function =
           gelu.function == EpilogueKind::gelu ? EpilogueKind::gelu_tanh : EpilogueKind::gelu;
       step.op = std::make_shared<const Op>(gelu);
       return misread;
     }},
    // amount: the slope below 0
    {Bug::relu_leaks, 24, "ReLU lets part of negative values through",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::relu); },
     [](const PlannedStage&) {
       return std::vector<double>{0.01, 0.1, 0.2};
     },
     [](const Seat& s, double slope) {
       return with_activation(s.planned, [=](double x) { return x < 0 ? slope * x : x; });
     },
     Amount::real},
    // amount: the cap
    {Bug::relu_capped, 24, "ReLU is cut off above",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::relu); },
     [](const PlannedStage&) {
       return std::vector<double>{6, 1};
     },
     [](const Seat& s, double cap) {
       return with_activation(s.planned, [=](double x) { return x > cap ? cap : relu(x); });
     },
     Amount::real},
    // amount: the axis taken instead
    {Bug::softmax_axis, 0, "the softmax runs along another axis",
     [](const PlannedStage& p) {
       const auto* softmax = head_as<Softmax>(p);
       return softmax && softmax->row == Softmax::Row::along_the_axis &&
              p.stage.input_types[0].shape.size() > 1;
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       for (std::size_t axis = 0; axis < p.stage.input_types[0].shape.size(); ++axis)
         if (static_cast<std::int64_t>(axis) != head_as<Softmax>(p)->axis)
           amounts.push_back(static_cast<double>(axis));
       return amounts;
     },
     [](const Seat& s, double amount) {
       return Misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Softmax>)
           o.axis = static_cast<std::int64_t>(amount);
       })};
     }},
});

}  // namespace

std::span<const Misreading> activations() { return rows; }

}  // namespace parity::misread_rows
