#include "model/ops/unary.hpp"

#include <array>

#include "model/arithmetic/bounds.hpp"

namespace parity {
namespace {

constexpr std::array<std::string_view, 2> names{"Relu", "Sigmoid"};

/// Largest error of the sigmoid sequence over all 2^32 inputs, in ULP of the result (NUMERICS
/// section 2.4).
constexpr double sigmoid_max_ulp = 2.41;

}  // namespace

std::span<const std::string_view> Unary::onnx_types() { return names; }

Imported<Unary> Unary::from_onnx(const NodeView& node) {
  node.only_attributes({});
  if (node.input_type(0).type != Type::float32)
    node.refuse("its input is " + to_string(node.input_type(0)));
  return {{node.op_type() == "Relu" ? Function::relu : Function::sigmoid}, {0}, {}};
}

std::string_view Unary::kind() const { return function == Function::relu ? "Relu" : "Sigmoid"; }

std::string Unary::function_clause() const {
  return function == Function::sigmoid ? "sigmoid=paritylab" : "";
}

std::vector<TensorType> Unary::infer(const OperandTypes& types) const {
  return {types.inputs.at(0)};
}

StepAllowance Unary::allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                               const Contract& contract) const {
  if (function == Function::relu) return {{0, 0}, 1};
  // One ULP of y is at most 2^-23 y, y <= 1, and the magnitude m/4 + 1 is at least 1. In double the
  // sequence is libm's exp, one addition and one division: 3 roundings of 2^-53, exp within 1 ULP.
  const double relative =
      in_double(contract) ? 5 * unit_roundoff_double : sigmoid_max_ulp * 0x1p-23;
  return {{relative, in_double(contract) ? 0 : 0x1p-149}, 0.25};
}

std::vector<Case<Unary>> Unary::cases() {
  std::vector<Case<Unary>> cases;
  for (const Function function : {Function::relu, Function::sigmoid}) {
    for (const Shape& shape : {Shape{2, 33, 4, 5}, Shape{3, 17}, Shape{2, 5, 9}, Shape{1}})
      cases.push_back({std::string(Unary{function}.kind()) + " " + to_string(shape),
                       {function},
                       {{{Type::float32, shape}}, {}}});
  }
  return cases;
}

}  // namespace parity
