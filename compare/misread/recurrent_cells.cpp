#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/arithmetic/recurrent_cell.hpp"
#include "model/ops.hpp"

// One step of a recurrent layer: its gates, recurrent weights, forget bias, functions.

namespace parity::misread_rows {
namespace {

/// Orders in which other libraries store a layer's gates, and those that a conversion to ONNX's makes
/// when it goes the wrong way: where each of ONNX's gates (z, r, n; i, o, f, c) is read.
std::vector<std::vector<std::int64_t>> gate_orders(const Recurrent& layer) {
  if (layer.cell == Recurrent::Cell::gru) return {{1, 0, 2}};
  return {{0, 3, 1, 2}, {0, 2, 1, 3}, {0, 3, 2, 1}, {1, 3, 0, 2},
          {1, 3, 2, 0}, {0, 2, 3, 1}, {2, 0, 3, 1}, {3, 0, 2, 1}};
}

/// "i, f, c, o".
std::string gates_in_order(const Recurrent& layer, const std::vector<std::int64_t>& order) {
  const std::string_view gates = layer.cell == Recurrent::Cell::gru ? "zrn" : "iofc";
  std::string text;
  for (std::int64_t place = 0; place < layer.gates(); ++place) {
    const auto gate = std::find(order.begin(), order.end(), place) - order.begin();
    text += (text.empty() ? "" : ", ") + std::string(1, gates[static_cast<std::size_t>(gate)]);
  }
  return text;
}

/// An LSTM's bias with something added to its forget gate's; an absent one counts as zeros.
Tensor with_forget_bias(const PlannedStage& planned, double added) {
  const auto& parameters = planned.stage.steps[0].parameters;
  const Shape& recurrence = parameters[recurrent_parameter::recurrence]->shape();
  const std::int64_t rows = recurrence[1], H = recurrence[2];
  const auto& given = parameters[recurrent_parameter::bias];
  std::vector<double> bias =
      given ? widened(*given)
            : std::vector<double>(static_cast<std::size_t>(recurrence[0] * 2 * rows), 0.0);
  for (std::size_t i = 0; i < bias.size(); ++i) {
    // Wb of i, o, f, c, then Rb.
    const std::int64_t row = static_cast<std::int64_t>(i) % (2 * rows);
    if (row / H == 2) bias[i] += added;
  }
  return narrowed({Type::float32, {recurrence[0], 2 * rows}}, bias);
}

/// Functions that a layer has whose `activations` were not read, or read for one direction only, and those
/// that a relu in place of tanh makes.
std::vector<std::vector<CellForm>> other_cell_functions(const Recurrent& layer) {
  using G = GateFunction;
  const auto differs = [&](const CellForm& x, const CellForm& y) {
    return x.f != y.f || x.g != y.g || (layer.cell == Recurrent::Cell::lstm && x.h != y.h);
  };
  std::vector<std::vector<CellForm>> others;
  const auto add = [&](const CellForm& form) {
    std::vector<CellForm> forms = layer.forms;
    bool other = false;
    for (CellForm& each : forms) {
      other = other || differs(each, form);
      each.f = form.f;
      each.g = form.g;
      each.h = form.h;
    }
    if (other) others.push_back(std::move(forms));
  };
  add({G::sigmoid, G::tanh, G::tanh});
  add({G::sigmoid, G::relu, G::relu});
  if (layer.forms.size() > 1 && differs(layer.forms[0], layer.forms[1])) add(layer.forms[0]);
  return others;
}

/// "Sigmoid, Tanh, Tanh".
std::string functions_of(const Recurrent& layer, const CellForm& form) {
  const auto text = [](GateFunction function) {
    return function == GateFunction::sigmoid ? "Sigmoid"
           : function == GateFunction::tanh  ? "Tanh"
                                             : "Relu";
  };
  std::string all = fmt::format("{}, {}", text(form.f), text(form.g));
  if (layer.cell == Recurrent::Cell::lstm) all += fmt::format(", {}", text(form.h));
  return all;
}

constexpr auto rows = std::to_array<Misreading>({
    {Bug::reset_misplaced, 20,
     "the reset gate acts on the wrong side of the recurrent product (linear_before_reset)",
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       return layer && layer->cell == Recurrent::Cell::gru;
     },
     once,
     [](const Seat& s, double) {
       return Misread{with_recurrent(s.planned, [](Recurrent& layer) {
         layer.reset = layer.reset == Recurrent::Reset::after_the_product
                           ? Recurrent::Reset::before_the_product
                           : Recurrent::Reset::after_the_product;
       })};
     }},
    // amount: which order (gate_orders)
    {Bug::gates_misordered, 21, "the gates of the weights are read in another order",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) { return numbered(gate_orders(*head_as<Recurrent>(p)).size()); },
     [](const Seat& s, double amount) {
       const auto& layer = *head_as<Recurrent>(s.planned);
       const std::vector<std::int64_t> order =
           gate_orders(layer).at(static_cast<std::size_t>(amount));
       Misread misread{s.planned};
       auto& parameters = misread.stage.stage.steps[0].parameters;
       const std::int64_t H = parameters[recurrent_parameter::recurrence]->shape()[2];
       for (const std::size_t at : {recurrent_parameter::weights, recurrent_parameter::recurrence,
                                    recurrent_parameter::bias})
         if (parameters[at])
           parameters[at] =
               std::make_shared<const Tensor>(reindexed(*parameters[at], [&](Index& index) {
                 const std::int64_t gate = index[1] / H, gates = layer.gates();
                 index[1] += (order[static_cast<std::size_t>(gate % gates)] - gate % gates) * H;
               }));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const auto& layer = *head_as<Recurrent>(p);
       const std::vector<std::int64_t> order =
           gate_orders(layer).at(static_cast<std::size_t>(amount));
       std::vector<std::int64_t> onnx(order.size()), back(order.size());
       for (std::size_t gate = 0; gate < order.size(); ++gate) {
         onnx[gate] = static_cast<std::int64_t>(gate);
         back[static_cast<std::size_t>(order[gate])] = onnx[gate];
       }
       std::string text = fmt::format(" ({} taken for {}", gates_in_order(layer, onnx),
                                      gates_in_order(layer, order));
       if (back != order) text += ", or stored as " + gates_in_order(layer, back);
       return text + ")";
     }},
    {Bug::recurrence_transposed, 0, "the recurrent weights are read transposed, gate by gate",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) &&
              p.stage.steps[0].parameters[recurrent_parameter::recurrence]->shape()[2] > 1;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       auto& R = misread.stage.stage.steps[0].parameters[recurrent_parameter::recurrence];
       const std::int64_t H = R->shape()[2];
       // R[d, gate * H + i, j] = R[d, gate * H + j, i]
       R = std::make_shared<const Tensor>(reindexed(*R, [&](Index& at) {
         const std::int64_t first = at[1] / H * H, i = at[1] - first;
         at[1] = first + at[2];
         at[2] = i;
       }));
       return misread;
     }},
    {Bug::recurrence_dropped, 0,
     "no step reads the state before it (the recurrent weights are zero)",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; }, once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       auto& R = misread.stage.stage.steps[0].parameters[recurrent_parameter::recurrence];
       R = constant_like(*R, 0);
       return misread;
     }},
    // amount: added to it
    {Bug::forget_bias_misread, 0, "the bias of the forget gate",
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       return layer && layer->cell == Recurrent::Cell::lstm;
     },
     [](const PlannedStage&) {
       return std::vector<double>{1, -1};
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       misread.stage.stage.steps[0].parameters[recurrent_parameter::bias] =
           std::make_shared<const Tensor>(with_forget_bias(s.planned, amount));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount > 0 ? " has 1 added once more (forget_bias, unit_forget_bias)"
                                     : " lacks the 1 that was added to it");
     }},
    // amount: which of other_cell_functions()
    {Bug::cell_functions_misread, 0, "the cell has other functions than it was given",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return numbered(other_cell_functions(*head_as<Recurrent>(p)).size());
     },
     [](const Seat& s, double amount) {
       return Misread{with_recurrent(s.planned, [&](Recurrent& layer) {
         layer.forms = other_cell_functions(layer).at(static_cast<std::size_t>(amount));
       })};
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const auto& layer = *head_as<Recurrent>(p);
       const auto other = other_cell_functions(layer).at(static_cast<std::size_t>(amount));
       const std::size_t last = other.size() - 1;
       return fmt::format(" ({} for {})", functions_of(layer, other[last]),
                          functions_of(layer, layer.forms[last]));
     }},
    // amount: the clip; 0: none; -1: none of an LSTM's memory where h reads it
    {Bug::cell_clip_misread, 0, "the arguments of the cell's functions are cut off",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       const Recurrent& layer = *head_as<Recurrent>(p);
       if (!(layer.forms[0].clip > 0)) return std::vector<double>{1, 3};
       return layer.cell == Recurrent::Cell::lstm ? std::vector<double>{0, -1}
                                                  : std::vector<double>{0};
     },
     [](const Seat& s, double clip) {
       return Misread{with_recurrent(s.planned, [&](Recurrent& layer) {
         for (CellForm& form : layer.forms) {
           if (clip < 0)
             form.memory_clipped = false;
           else
             form.clip = static_cast<float>(clip);
         }
       })};
     },
     Amount::choice,
     [](const PlannedStage& p, double clip) {
       const auto shown = [](double x) { return x > 0 ? fmt::format("at {:.4g}", x) : "nowhere"; };
       if (clip < 0) return std::string(" but for the memory's (clip; so onnxruntime has it)");
       const double right = head_as<Recurrent>(p)->forms[0].clip;
       return fmt::format(" {}, not {} (clip)", shown(clip), shown(right));
     }},
});

}  // namespace

std::span<const Misreading> recurrent_cells() { return rows; }

}  // namespace parity::misread_rows
