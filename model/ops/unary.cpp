#include "model/ops/unary.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

using K = EpilogueKind;
using Slope = double (*)(double, double);

constexpr float infinity = std::numeric_limits<float>::infinity();

constexpr Slope no_slope = nullptr;
constexpr Slope one = [](double, double) { return 1.0; };
constexpr Slope of_a_or_one = [](double a, double) { return std::max(1.0, std::fabs(a)); };

constexpr SequenceError exact{};
constexpr SequenceError once{0.5};
constexpr SequenceError worst(double ulp) { return {ulp}; }
constexpr SequenceError worst_of_operand(double ulp) { return {ulp, SequenceError::Of::operand}; }

/// Errors: measured over all 2^32 inputs (tests/model/elementary_test.cpp repeats the measurement on a
/// sample), rounded up; those in double are within a few 2^-29 of correct rounding. Where the result is
/// made of single operations they are counted, half an ULP each: HardSigmoid's line is one, of
/// a m + |b|; HardSwish multiplies it; Softsign adds and divides.
constexpr UnaryFunction functions[] = {
    {K::abs, "Abs", exact, one, {}, {}},
    {K::ceil, "Ceil", exact, no_slope, {}, {}},
    {K::celu, "Celu", worst(0.501), one, {"alpha", 1}, {}},  // e^(x/a) <= 1
    {K::clip, "Clip", exact, one, {"min", -infinity}, {"max", infinity}},
    {K::cos, "Cos", worst(0.501), one, {}, {}},
    {K::elu, "Elu", worst(0.501), of_a_or_one, {"alpha", 1}, {}},                  // a e^x
    {K::erf, "Erf", worst(1.377), [](double, double) { return 1.1284; }, {}, {}},  // 2 / sqrt(pi)
    {K::exp, "Exp", worst(1.133), no_slope, {}, {}},
    {K::floor, "Floor", exact, no_slope, {}, {}},
    // At x = sqrt 2: (1 + erf 1) / 2 + e^-1 / sqrt(pi).
    {K::gelu, "Gelu", worst_of_operand(0.946), [](double, double) { return 1.129; }, {}, {}},
    // The same shape within 1.5e-3 of slope, sampled finely.
    {K::gelu_tanh, "Gelu", worst_of_operand(0.978), [](double, double) { return 1.13; }, {}, {}},
    {K::hard_sigmoid,
     "HardSigmoid",
     once,
     [](double a, double) { return std::fabs(a); },
     {"alpha", 0.2F},
     {"beta", 0.5F}},
    // 2 a x + b where the line ends, at a x + b = 1: 2 - b.
    {K::hard_swish,
     "HardSwish",
     worst_of_operand(1.01),
     [](double, double) { return 1.51; },
     {},
     {}},
    {K::leaky_relu, "LeakyRelu", once, of_a_or_one, {"alpha", 0.01F}, {}},
    {K::log, "Log", worst(0.501), no_slope, {}, {}},
    {K::mish,
     "Mish",
     worst(0.501),
     [](double, double) { return 1.0885; },
     {},
     {}},  // near x = 1.49
    {K::neg, "Neg", exact, one, {}, {}},
    {K::reciprocal, "Reciprocal", once, no_slope, {}, {}},
    {K::relu, "Relu", exact, one, {}, {}},
    {K::round, "Round", exact, no_slope, {}, {}},
    {K::selu,
     "Selu",
     worst(0.501),
     [](double a, double b) { return std::fabs(b) * std::max(1.0, std::fabs(a)); },
     {"alpha", 1.67326319217681884765625F},
     {"gamma", 1.05070102214813232421875F}},
    {K::sigmoid, "Sigmoid", worst(2.402), [](double, double) { return 0.25; }, {}, {}},
    {K::sign, "Sign", exact, no_slope, {}, {}},
    {K::sin, "Sin", worst(0.501), one, {}, {}},
    {K::softplus, "Softplus", worst(0.501), one, {}, {}},
    {K::softsign, "Softsign", worst(1.01), one, {}, {}},
    {K::sqrt, "Sqrt", once, no_slope, {}, {}},
    // u = a x: sigmoid(u) + u sigmoid'(u) has its largest value, 1.09984, at u = 2.3994, whatever a is.
    // The rounding of a x adds 2^-24 |u| sigmoid'(u) <= 0.112 * 2^-23 to what was measured with a = 1.
    {K::swish,
     "Swish",
     worst_of_operand(1.33),
     [](double, double) { return 1.0999; },
     {"alpha", 1},
     {}},
    {K::tanh, "Tanh", worst(1.343), one, {}, {}},
    {K::thresholded_relu, "ThresholdedRelu", exact, no_slope, {"alpha", 1}, {}},
};

constexpr auto onnx_names = [] {
  std::array<std::string_view, std::size(functions) - 1> names{};  // Gelu has two rows
  std::size_t count = 0;
  for (const UnaryFunction& f : functions)
    if (f.function != K::gelu_tanh) names[count++] = f.onnx_type;
  return names;
}();

const UnaryFunction* find(K function) {
  for (const UnaryFunction& f : functions)
    if (f.function == function) return &f;
  return nullptr;
}

/// Clip's bounds: attributes before opset 11, then inputs that must be known.
Unary clip_of(const NodeView& node, Unary op) {
  if (node.opset() < 11) {
    node.only_attributes({"min", "max"});
    op.a = node.real("min", op.a);
    op.b = node.real("max", op.b);
    return op;
  }
  node.only_attributes({});
  for (const int bound : {1, 2}) {
    if (!node.has_input(bound)) continue;
    const Tensor value = node.required_constant(bound, bound == 1 ? "min" : "max");
    if (value.size() != 1 || value.type().type != Type::float32)
      node.refuse("its bound is " + to_string(value.type()) + " instead of one float32");
    (bound == 1 ? op.a : op.b) = value.values<float>()[0];
  }
  return op;
}

}  // namespace

const UnaryFunction& unary_function(K function) {
  if (const UnaryFunction* const found = find(function)) return *found;
  throw Error(Fault::internal, "an epilogue step of kind " +
                                   std::to_string(static_cast<int>(function)) +
                                   " is no function of one operand");
}

double step_ulp(K kind) {
  if (const UnaryFunction* const f = find(kind)) return f->error.ulp;
  return kind == K::max || kind == K::min ? 0 : 0.5;
}

std::span<const std::string_view> Unary::onnx_types() { return onnx_names; }

Imported<Unary> Unary::from_onnx(const NodeView& node) {
  const auto* const found =
      std::find_if(std::begin(functions), std::end(functions),
                   [&](const UnaryFunction& f) { return f.onnx_type == node.op_type(); });
  Unary op{found->function, found->a.otherwise, found->b.otherwise};
  if (node.input_type(0).type != Type::float32)
    node.refuse("its input is " + to_string(node.input_type(0)) + ", and only float32 is run");
  switch (op.function) {
    case K::clip:
      op = clip_of(node, op);
      break;
    case K::gelu: {
      node.only_attributes({"approximate"});
      const std::string approximate = node.text("approximate", "none");
      if (approximate == "tanh")
        op.function = K::gelu_tanh;
      else if (approximate != "none")
        node.refuse("its attribute approximate is '" + approximate + "'; ONNX has none and tanh");
      break;
    }
    case K::hard_swish:
      node.only_attributes({});
      op.a = 1.0F / 6;
      op.b = 0.5F;
      break;
    default:
      node.only_attributes({found->a.name, found->b.name});
      if (!found->a.name.empty()) op.a = node.real(found->a.name, op.a);
      if (!found->b.name.empty()) op.b = node.real(found->b.name, op.b);
      break;
  }
  if (op.function == K::celu && !(op.a > 0))
    node.refuse("its alpha is " + std::to_string(op.a) + ", and Celu divides by it");
  return {op, {0}, {}};
}

std::string_view Unary::kind() const { return unary_function(function).onnx_type; }

bool Unary::heads_stage() const { return unary_function(function).slope == nullptr; }

double Unary::largest_slope() const {
  const UnaryFunction& f = unary_function(function);
  if (f.slope == nullptr)
    throw Error(Fault::internal, std::string(kind()) + " has no largest slope");
  return f.slope(static_cast<double>(a), static_cast<double>(b));
}

double Unary::at_zero() const {
  // The line of HardSigmoid is rounded before it is cut off.
  if (function == K::hard_sigmoid) return std::fabs(static_cast<double>(b));
  return std::fabs(elementary::step(function, 0.0, static_cast<double>(a), static_cast<double>(b)));
}

std::optional<EpilogueKind> Unary::correct_kind() const {
  if (function == K::swish && a != 1) return std::nullopt;
  for (const CorrectlyRounded& row : correctly_rounded)
    if (row.own == function) return row.correct;
  return std::nullopt;
}

std::string Unary::function_clause(Functions functions) const {
  switch (function) {
    case K::erf:
    case K::exp:
    case K::gelu:
    case K::gelu_tanh:
    case K::log:
    case K::sigmoid:
    case K::swish:
    case K::sin:
    case K::cos:
    case K::tanh:
    case K::softplus:
    case K::mish:
    case K::elu:
    case K::selu:
    case K::celu: {
      std::string name(kind());
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return name + (function == K::gelu_tanh ? "-tanh" : "") + "=" +
             std::string(parity::name(functions));
    }
    default:
      return {};
  }
}

std::vector<TensorType> Unary::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, std::string(kind()));
  require_float32(types.inputs[0], std::string(kind()) + " input");
  return {types.inputs[0]};
}

StepAllowance Unary::allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                               const Contract& contract) const {
  const SequenceError error =
      contract.functions == Functions::correct ? once : unary_function(function).error;
  const double gain = heads_stage() ? 0 : largest_slope();
  if (error.ulp == 0) return {{0, 0}, gain};
  // M is computed in float32: 2^-20 pays for its own roundings.
  const double relative = in_double(contract) ? 16 * unit_roundoff_double : error.ulp * 0x1p-23;
  // In double a result may lie where M is lost.
  return {{relative * (1 + 0x1p-20), in_double(contract) ? relative * 0x1p-149 : 0x1p-149}, gain};
}

std::vector<Case<Unary>> Unary::cases() {
  std::vector<Case<Unary>> cases;
  const auto add = [&](const Unary& op, const std::string& what, const Shape& shape) {
    cases.push_back({std::string(op.kind()) + what + " " + to_string(shape),
                     op,
                     {{{Type::float32, shape}}, {}}});
  };
  for (const UnaryFunction& f : functions) {
    Unary op{f.function, f.a.otherwise, f.b.otherwise};
    if (f.function == K::clip) op.a = 0, op.b = 6;
    if (f.function == K::hard_swish) op.a = 1.0F / 6, op.b = 0.5F;
    const std::string what = f.function == K::gelu_tanh ? " by tanh" : "";
    add(op, what, {2, 33, 4, 5});
    add(op, what, {3, 17});
  }
  for (const K function : {K::relu, K::sigmoid}) {
    add({function}, "", {2, 5, 9});
    add({function}, "", {1});
  }
  add({K::clip, -infinity, 1.5F}, " from above", {2, 5, 9});
  add({K::clip, -0.0F, infinity}, " from below", {2, 5, 9});
  add({K::clip, 2, -3}, " whose bounds cross", {2, 9});
  add({K::elu, 0.5F}, " of alpha 0.5", {2, 9});
  add({K::celu, 2.5F}, " of alpha 2.5", {2, 9});
  add({K::leaky_relu, -1.5F}, " that folds", {2, 9});
  add({K::swish, -1.7F}, " of alpha -1.7", {2, 9});
  add({K::hard_sigmoid, -0.3F, 1.5F}, " that falls", {2, 9});
  return cases;
}

}  // namespace parity
