#include "model/ops/recurrent.hpp"

#include <algorithm>
#include <cctype>
#include <limits>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

namespace place = recurrent_parameter;

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

GateFunction function_named(const NodeView& node, const std::string& name) {
  const std::string text = lowered(name);
  if (text == "sigmoid") return GateFunction::sigmoid;
  if (text == "tanh") return GateFunction::tanh;
  if (text != "relu")
    node.refuse("its activation " + name +
                " is not among those the lab has for gates: Sigmoid, Tanh, Relu");
  return GateFunction::relu;
}

/// The forms of all directions from `activations` and `clip`.
std::vector<CellForm> forms_of(const NodeView& node, const Recurrent& op) {
  std::vector<CellForm> forms(static_cast<std::size_t>(op.directions()));
  for (CellForm& form : forms) form.clip = node.real("clip", 0);
  if (forms.front().clip < 0) node.refuse("its clip is negative");
  const std::vector<std::string> names = node.texts("activations");
  const std::size_t each = op.cell == Recurrent::Cell::gru ? 2 : 3;
  if (names.empty()) return forms;
  if (names.size() != each * forms.size())
    node.refuse("it names " + std::to_string(names.size()) + " activations where " +
                std::to_string(each * forms.size()) + " are called");
  for (std::size_t d = 0; d < forms.size(); ++d) {
    forms[d].f = function_named(node, names[d * each]);
    forms[d].g = function_named(node, names[d * each + 1]);
    if (each == 3) forms[d].h = function_named(node, names[d * each + 2]);
  }
  return forms;
}

std::vector<std::int64_t> lengths_of(const NodeView& node, std::int64_t T, std::int64_t N) {
  if (!node.has_input(4)) return {};
  const Tensor tensor = node.required_constant(4, "sequence_lens");
  if (tensor.type().type != Type::int64 || tensor.size() != N)
    node.refuse("its sequence_lens is " + to_string(tensor.type()) + " for " + std::to_string(N) +
                " items");
  const auto values = tensor.values<std::int64_t>();
  std::vector<std::int64_t> lengths(values.begin(), values.end());
  for (const std::int64_t length : lengths)
    if (length < 0 || length > T)
      node.refuse("its sequence_lens holds " + std::to_string(length) + " of " + std::to_string(T) +
                  " steps");
  // All of full length is what nothing says, too.
  if (std::all_of(lengths.begin(), lengths.end(), [&](std::int64_t each) { return each == T; }))
    lengths.clear();
  return lengths;
}

}  // namespace

std::span<const std::string_view> Recurrent::onnx_types() {
  static constexpr std::string_view types[] = {"GRU", "LSTM"};
  return types;
}

Imported<Recurrent> Recurrent::from_onnx(const NodeView& node) {
  Recurrent op;
  op.cell = node.op_type() == "GRU" ? Cell::gru : Cell::lstm;
  const bool gru = op.cell == Cell::gru;
  node.only_attributes({"activation_alpha", "activation_beta", "activations", "clip", "direction",
                        "hidden_size", "layout", gru ? "linear_before_reset" : "input_forget"});
  if (node.integer("input_forget", 0) != 0)
    node.refuse("input_forget couples two gates, which the lab does not compute");
  const std::string direction = node.text("direction", "forward");
  if (direction == "reverse")
    op.direction = Direction::reverse;
  else if (direction == "bidirectional")
    op.direction = Direction::bidirectional;
  else if (direction != "forward")
    node.refuse("its direction is " + direction);
  if (node.integer("linear_before_reset", 0) != 0) op.reset = Reset::after_the_product;
  if (node.integer("layout", 0) != 0) op.axes = Axes::batch_first;
  op.forms = forms_of(node, op);

  const Shape& x = node.input_type(0).shape;
  if (node.input_type(0).type != Type::float32 || x.size() != 3)
    node.refuse("its input is " + to_string(node.input_type(0)) +
                "; it takes steps of items of features");
  Imported<Recurrent> imported{op, {0}, {}};
  imported.parameters.resize(place::count);
  imported.parameters[place::weights] = node.required_constant(1, "weights");
  imported.parameters[place::recurrence] = node.required_constant(2, "recurrence weights");
  if (node.has_input(3)) imported.parameters[place::bias] = node.required_constant(3, "bias");
  if (!gru && node.has_input(7))
    imported.parameters[place::peepholes] = node.required_constant(7, "peepholes");
  const Shape& recurrence = imported.parameters[place::recurrence]->shape();
  if (recurrence.size() != 3)
    node.refuse("its recurrence weights have shape " + to_string(recurrence));
  const std::int64_t hidden = node.integer("hidden_size", recurrence[2]);
  if (hidden != recurrence[2])
    node.refuse("its hidden_size is " + std::to_string(hidden) + " and its weights' " +
                std::to_string(recurrence[2]));
  const bool batch_first = op.axes == Axes::batch_first;
  imported.op.lengths = lengths_of(node, x[batch_first ? 1 : 0], x[batch_first ? 0 : 1]);
  const auto initial = [&](int input, std::size_t at) {
    if (!node.has_input(input)) return Initial::zero;
    if (std::optional<Tensor> known = node.constant(input)) {
      imported.parameters[at] = std::move(known);
      return Initial::parameter;
    }
    imported.inputs.push_back(input);
    return Initial::value;
  };
  imported.op.state = initial(5, place::state);
  if (!gru) imported.op.memory = initial(6, place::memory);
  for (int i = 0; i < node.output_count(); ++i)
    if (node.has_output(i)) imported.outputs.push_back(i);
  imported.op.outputs = imported.outputs;
  return imported;
}

std::string Recurrent::function_clause() const {
  std::string clause;
  const auto called = [&](GateFunction function) {
    for (const CellForm& form : forms)
      if (form.f == function || form.g == function || (cell == Cell::lstm && form.h == function))
        return true;
    return false;
  };
  if (called(GateFunction::sigmoid)) clause = "sigmoid=paritylab";
  if (called(GateFunction::tanh))
    clause += (clause.empty() ? "" : ",") + std::string("tanh=paritylab");
  return clause;
}

RecurrentExtents extents(const Recurrent& op, const Shape& x, const Shape& recurrence) {
  const bool batch_first = op.axes == Recurrent::Axes::batch_first;
  return {x[batch_first ? 1 : 0],
          x[batch_first ? 0 : 1],
          x[2],
          recurrence[2],
          op.directions(),
          op.gates(),
          op.axes};
}

std::int64_t step_of(const Recurrent& op, const RecurrentExtents& e, std::int64_t d, std::int64_t n,
                     std::int64_t s) {
  const std::int64_t length = op.lengths.empty() ? e.T : op.lengths[static_cast<std::size_t>(n)];
  if (s >= length) return -1;
  const bool backward = op.direction == Recurrent::Direction::reverse || d == 1;
  return backward ? length - 1 - s : s;
}

CellForm form_of(const Recurrent& op, const RecurrentExtents& e, std::int64_t d) {
  CellForm form = op.forms.at(static_cast<std::size_t>(d));
  form.rounding = 1.0F / static_cast<float>(std::min<std::int64_t>(std::max(e.I, e.H), 256));
  return form;
}

std::vector<TensorType> Recurrent::infer(const OperandTypes& types) const {
  const std::string what(kind());
  const std::size_t values =
      1 + (state == Initial::value ? 1U : 0U) + (memory == Initial::value ? 1U : 0U);
  require_operands(types, values, place::count, what);
  require_float32(types.inputs[0], what + " input");
  const Shape& x = types.inputs[0].shape;
  const auto& parameters = types.parameters;
  if (!parameters[place::weights] || !parameters[place::recurrence] ||
      parameters[place::state].has_value() != (state == Initial::parameter) ||
      parameters[place::memory].has_value() != (memory == Initial::parameter))
    throw Error(Fault::internal, what + "'s parameters are not the ones its fields announce");
  const Shape& recurrence = parameters[place::recurrence]->shape;
  if (x.size() != 3 || recurrence.size() != 3)
    throw Error(Fault::bad_model, what + " reads steps of items of features, not " + to_string(x));
  const RecurrentExtents e = extents(*this, x, recurrence);
  const auto demand = [&](const TensorType& type, const Shape& wanted, const std::string& role) {
    require_float32(type, what + " " + role);
    if (type.shape != wanted)
      throw Error(Fault::bad_model, what + " of shape " + to_string(x) + " needs the shape " +
                                        to_string(wanted) + " for its " + role + ", not " +
                                        to_string(type.shape));
  };
  demand(*parameters[place::weights], {e.D, e.G * e.H, e.I}, "weight");
  demand(*parameters[place::recurrence], {e.D, e.G * e.H, e.H}, "recurrence weight");
  if (parameters[place::bias]) demand(*parameters[place::bias], {e.D, 2 * e.G * e.H}, "bias");
  if (parameters[place::peepholes])
    demand(*parameters[place::peepholes], {e.D, 3 * e.H}, "peephole");
  const bool batch_first = axes == Axes::batch_first;
  const Shape last = batch_first ? Shape{e.N, e.D, e.H} : Shape{e.D, e.N, e.H};
  for (std::size_t i = 1; i < values; ++i) demand(types.inputs[i], last, "initial state");
  for (const std::size_t at : {place::state, place::memory})
    if (parameters[at]) demand(*parameters[at], last, "initial state");
  if (!lengths.empty() && static_cast<std::int64_t>(lengths.size()) != e.N)
    throw Error(Fault::bad_model, what + " has lengths for " + std::to_string(lengths.size()) +
                                      " items and reads " + std::to_string(e.N));
  std::vector<TensorType> made;
  for (const int output : outputs)
    made.push_back({Type::float32, output > 0    ? last
                                   : batch_first ? Shape{e.N, e.T, e.D, e.H}
                                                 : Shape{e.T, e.D, e.N, e.H}});
  return made;
}

std::int64_t Recurrent::macs(const OperandTypes& types) const {
  const RecurrentExtents e =
      extents(*this, types.inputs[0].shape, types.parameters[place::recurrence]->shape);
  return e.T * e.N * e.D * e.G * e.H * (e.I + e.H);
}

StepAllowance Recurrent::allowance(const OperandTypes& types,
                                   std::span<const std::shared_ptr<const Tensor>>,
                                   const Contract& contract) const {
  const RecurrentExtents e =
      extents(*this, types.inputs[0].shape, types.parameters[place::recurrence]->shape);
  const std::int64_t K = std::max(e.I, e.H);
  const double product = mac_allowance(contract, K, tensor_steps(contract, K, 1)).coefficient;
  // The pass of the magnitudes counts on it.
  if (product > 0x1p-8) return {{std::numeric_limits<double>::infinity(), 0}, 1};
  return {{product, in_double(contract) ? 0 : 0x1p-149}, 1};
}

std::vector<Case<Recurrent>> Recurrent::cases() {
  std::vector<Case<Recurrent>> cases;
  struct Extents {
    std::int64_t T, N, I, H;
  };
  const auto make = [&](std::string name, Recurrent op, Extents e, bool biased = true,
                        bool peeps = false) {
    op.forms.resize(static_cast<std::size_t>(op.directions()), op.forms.front());
    const std::int64_t D = op.directions(), G = op.gates();
    const auto type = [](Shape shape) { return TensorType{Type::float32, std::move(shape)}; };
    const bool batch_first = op.axes == Axes::batch_first;
    const TensorType last = type(batch_first ? Shape{e.N, D, e.H} : Shape{D, e.N, e.H});
    OperandTypes types{{type(batch_first ? Shape{e.N, e.T, e.I} : Shape{e.T, e.N, e.I})}, {}};
    types.parameters.resize(place::count);
    types.parameters[place::weights] = type({D, G * e.H, e.I});
    types.parameters[place::recurrence] = type({D, G * e.H, e.H});
    if (biased) types.parameters[place::bias] = type({D, 2 * G * e.H});
    if (peeps) types.parameters[place::peepholes] = type({D, 3 * e.H});
    if (op.state == Initial::value) types.inputs.push_back(last);
    if (op.memory == Initial::value) types.inputs.push_back(last);
    if (op.state == Initial::parameter) types.parameters[place::state] = last;
    if (op.memory == Initial::parameter) types.parameters[place::memory] = last;
    cases.push_back({std::move(name), std::move(op), std::move(types)});
  };
  for (const Cell cell : {Cell::gru, Cell::lstm}) {
    const bool gru = cell == Cell::gru;
    const std::string name = gru ? "GRU" : "LSTM";
    const std::vector<int> all = gru ? std::vector<int>{0, 1} : std::vector<int>{0, 1, 2};
    Recurrent op{.cell = cell};
    make(name + " forward", op, {4, 2, 5, 7});
    op.reset = Reset::after_the_product;
    op.outputs = all;
    op.state = Initial::value;
    if (!gru) op.memory = Initial::value;
    make(name + " from a state, every output", op, {3, 3, 9, 20});
    op.direction = Direction::bidirectional;
    op.state = Initial::parameter;
    if (!gru) op.memory = Initial::zero;
    make(name + " in both directions", op, {3, 2, 4, 6});
    op.axes = Axes::batch_first;
    op.direction = Direction::reverse;
    op.state = Initial::zero;
    op.lengths = {4, 1, 3};
    op.outputs = {0, 1};
    make(name + " of several lengths, reverse, batch first", op, {4, 3, 6, 5});
    op.lengths.clear();
    op.outputs = {1};
    make(name + " of items", op, {3, 2, 6, 5});
    op.axes = Axes::time_first;
    op.direction = Direction::forward;
    op.lengths = {2, 5};
    op.outputs = {1};
    op.reset = Reset::before_the_product;
    make(name + " of two lengths, last state alone", op, {5, 2, 3, 4}, false);
    Recurrent clipped{.cell = cell, .reset = Reset::after_the_product};
    clipped.forms[0].clip = 0.5F;
    clipped.forms[0].g = GateFunction::relu;
    make(name + " clipped, with a ReLU", clipped, {3, 1, 40, 33});
    if (!gru) {
      clipped.forms[0] = {};
      make("LSTM with peepholes", clipped, {3, 2, 4, 5}, true, true);
    }
  }
  return cases;
}

}  // namespace parity
