#include "model/ops/binary.hpp"

#include <algorithm>
#include <cmath>

#include "model/arithmetic/bounds.hpp"
#include "model/ops/operands.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

using F = Binary::Function;

struct Row {
  std::string_view onnx_type;
  F function;
};
constexpr Row rows[] = {{"Add", F::add}, {"Div", F::div}, {"Max", F::max},     {"Mean", F::mean},
                        {"Min", F::min}, {"Mul", F::mul}, {"PRelu", F::prelu}, {"Pow", F::pow},
                        {"Sub", F::sub}, {"Sum", F::add}};

bool takes_integers(F function) {
  return function != F::pow && function != F::prelu && function != F::mean;
}
bool takes_many(F function) {
  return function == F::add || function == F::max || function == F::min || function == F::mean;
}

/// The largest of f(|c|) over the finite elements of a constant where f is finite too.
template <class Of>
double largest(const Tensor& constant, Of f) {
  double most = 0;
  for (const float c : constant.values<float>()) {
    const double value = f(std::fabs(static_cast<double>(c)));
    if (std::isfinite(value)) most = std::max(most, value);
  }
  return most;
}

/// x to a whole power that exporters write as int64: the same number as a float.
Imported<Binary> power_of_whole(const NodeView& node, const Binary& op) {
  const Tensor exponent = node.required_constant(1, "exponent");
  const TensorType& x = node.input_type(0);
  if (x.type != Type::float32) node.refuse("its input 0 is " + to_string(x));
  if (exponent.shape().size() > x.shape.size())
    node.refuse("its exponent has shape " + to_string(exponent.shape()) + " for a value of shape " +
                to_string(x.shape));
  std::vector<float> floats;
  for (const std::int64_t each : exponent.values<std::int64_t>())
    floats.push_back(static_cast<float>(each));
  Shape shape = exponent.size() == 1 ? Shape{} : with_rank(exponent.shape(), x.shape.size());
  return {op, {0}, {Tensor::of(std::move(shape), std::move(floats))}};
}

}  // namespace

std::span<const std::string_view> Binary::onnx_types() {
  static constexpr std::string_view types[] = {"Add", "Div",   "Max", "Mean", "Min",
                                               "Mul", "PRelu", "Pow", "Sub",  "Sum"};
  return types;
}

Imported<Binary> Binary::from_onnx(const NodeView& node) {
  node.only_attributes({});
  Binary op;
  op.function = std::find_if(std::begin(rows), std::end(rows), [&](const Row& row) {
                  return row.onnx_type == node.op_type();
                })->function;
  const int count = node.input_count();
  const bool variadic = takes_many(op.function) && node.op_type() != "Add";
  if (variadic ? count < 1 : count != 2)
    node.refuse("it has " + std::to_string(count) + " inputs instead of " +
                (variadic ? "one or more" : "2"));
  if (op.function == F::pow && node.input_type(1).type == Type::int64 && node.constant(1))
    return power_of_whole(node, op);
  const Type type = node.input_type(0).type;
  for (int i = 0; i < count; ++i) {
    const TensorType& operand = node.input_type(i);
    const bool taken = operand.type == Type::float32 ||
                       (operand.type == Type::int64 && takes_integers(op.function));
    if (!taken) node.refuse("its input " + std::to_string(i) + " is " + to_string(operand));
    if (operand.type != type)
      node.refuse("its inputs are of different types, " + to_string(node.input_type(0)) + " and " +
                  to_string(operand));
  }
  std::vector<int> values;
  for (int i = 0; i < count; ++i) values.push_back(i);
  if (count != 2 || op.function == F::mean) return {op, std::move(values), {}};
  std::optional<ConstantOperand> constant = constant_operand(node);
  if (!constant || (op.function == F::prelu && constant->index == 0)) return {op, {0, 1}, {}};
  if (constant->index == 0 && !op.commutes()) op.constant = Side::left;
  return {op, {1 - constant->index}, {std::move(constant->tensor)}};
}

std::string_view Binary::kind() const {
  for (const Row& row : rows)
    if (row.function == function) return row.onnx_type;
  return {};
}

bool Binary::commutes() const {
  return function == F::add || function == F::mul || function == F::max || function == F::min ||
         function == F::mean;
}

bool Binary::heads_stage() const {
  return function == F::pow || (function == F::div && constant == Side::left);
}

std::string Binary::function_clause() const { return function == F::pow ? "pow=paritylab" : ""; }

std::vector<TensorType> Binary::infer(const OperandTypes& types) const {
  const std::string what(kind());
  if (types.inputs.empty()) throw Error(Fault::internal, what + " lacks its operands");
  const bool many = takes_many(function) && types.parameters.empty();
  const std::vector<TensorType> operands =
      many ? types.inputs : both_operands(types, constant == Side::left, what);
  TensorType y = operands[0];
  for (const TensorType& operand : operands) {
    if (y.type != Type::int64 || !takes_integers(function))
      require_float32(operand, what + " operand");
    if (operand.type != y.type)
      throw Error(Fault::bad_model, what + " combines " + to_string(y) + " and " +
                                        to_string(operand) + "; their types must be equal");
    y.shape = broadcast(y.shape, operand.shape, what);
  }
  return {y};
}

StepAllowance Binary::allowance(const OperandTypes& types,
                                std::span<const std::shared_ptr<const Tensor>> parameters,
                                const Contract& contract) const {
  if (types.inputs.at(0).type == Type::int64) return {{0, 0}, 0};
  const bool selects = function == F::max || function == F::min;
  const auto operations = static_cast<std::int64_t>(
      function == F::mean ? types.inputs.size()
                          : std::max<std::size_t>(types.inputs.size(), 2) - 1);
  StepAllowance allowance{rounded(contract, selects ? 0 : operations), 1};
  // In double a result may lie where M, in float32, is lost.
  if (function == F::div && in_double(contract))
    allowance.own.underflow = allowance.own.coefficient * 0x1p-149;
  if (function == F::pow)
    allowance.own = in_double(contract)
                        ? Allowance{16 * unit_roundoff_double, 16 * unit_roundoff_double * 0x1p-149}
                        : Allowance{0.501 * 0x1p-23 * (1 + 0x1p-20), 0x1p-149};
  if (heads_stage()) return {allowance.own, 0};
  if (parameters.empty()) return allowance;
  const Tensor& c = *parameters[0];
  if (function == F::mul) allowance.gain = largest(c, [](double x) { return x; });
  if (function == F::div) allowance.gain = largest(c, [](double x) { return 1 / x; });
  if (function == F::prelu) allowance.gain = std::max(1.0, largest(c, [](double x) { return x; }));
  return allowance;
}

std::vector<Case<Binary>> Binary::cases() {
  std::vector<Case<Binary>> cases;
  const auto of = [&](const Binary& op, const std::string& what, Type type,
                      const std::vector<Shape>& inputs, const std::vector<Shape>& parameters) {
    OperandTypes types;
    for (const Shape& shape : inputs) types.inputs.push_back({type, shape});
    for (const Shape& shape : parameters) types.parameters.push_back(TensorType{type, shape});
    cases.push_back({std::string(op.kind()) + " " + what, op, std::move(types)});
  };
  const auto values = [&](const Binary& op, const std::string& what, Shape a, Shape b) {
    of(op, what, Type::float32, {std::move(a), std::move(b)}, {});
  };
  const auto constant = [&](const Binary& op, const std::string& what, Shape x, Shape c) {
    of(op, what, Type::float32, {std::move(x)}, {std::move(c)});
  };
  for (const F function : {F::add, F::mul}) {
    const Binary op{function};
    values(op, "of equal shapes", {2, 19, 5, 7}, {2, 19, 5, 7});
    values(op, "of vectors", {3, 37}, {3, 37});
    values(op, "stretching both ways", {2, 1, 5, 3}, {2, 4, 1, 3});
    values(op, "of different ranks", {2, 7, 3, 5}, {3, 1});
    values(op, "of a value and its channel gate", {2, 17, 3, 5}, {2, 17, 1, 1});
    values(op, "of rank five", {1, 2, 1, 3, 5}, {2, 1, 4, 1, 5});
    constant(op, "with a scalar", {2, 9, 3, 5}, {});
    constant(op, "with one per channel", {2, 33, 3, 5}, {1, 33, 1, 1});
    constant(op, "with one per feature", {3, 37}, {1, 37});
    constant(op, "with one per last axis", {2, 5, 19}, {1, 1, 19});
    constant(op, "with a whole tensor", {1, 4, 3, 7}, {1, 4, 3, 7});
    constant(op, "with a constant that stretches the value", {1, 3, 1, 5}, {1, 1, 4, 1});
  }
  for (const F function : {F::sub, F::div, F::max, F::min, F::pow, F::prelu}) {
    const Binary op{function};
    values(op, "of equal shapes", {2, 19, 3, 5}, {2, 19, 3, 5});
    values(op, "of different ranks", {2, 7, 3, 5}, {3, 1});
    values(op, "of a value and its channel gate", {2, 17, 3, 5}, {2, 17, 1, 1});
    constant(op, "with a scalar", {2, 9, 3, 5}, {});
    constant(op, "with one per channel", {2, 33, 3, 5}, {1, 33, 1, 1});
    constant(op, "with one per last axis", {2, 5, 19}, {1, 1, 19});
  }
  for (const F function : {F::sub, F::div, F::pow}) {
    const Binary op{function, Side::left};
    constant(op, "of a scalar", {2, 9, 3, 5}, {});
    constant(op, "of one per channel", {2, 33, 3, 5}, {1, 33, 1, 1});
    constant(op, "of one per last axis", {2, 5, 19}, {1, 1, 19});
  }
  const std::vector<Shape> three{{2, 5, 7}, {5, 1}, {2, 1, 7}};
  for (const F function : {F::add, F::max, F::min, F::mean})
    of({function}, "of three", Type::float32, three, {});
  of({F::max}, "of one", Type::float32, {{3, 5}}, {});
  for (const F function : {F::add, F::sub, F::mul, F::div, F::max, F::min}) {
    of({function}, "of integers", Type::int64, {{2, 5, 7}, {5, 1}}, {});
    of({function}, "of integers with a scalar", Type::int64, {{2, 5, 7}}, {{}});
  }
  of({F::sub, Side::left}, "of an integer scalar", Type::int64, {{2, 5, 7}}, {{}});
  return cases;
}

}  // namespace parity
