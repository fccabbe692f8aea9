#include "model/ops/softmax.hpp"

#include <cmath>
#include <limits>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Softmax::onnx_types() {
  static constexpr std::string_view types[] = {"Softmax", "LogSoftmax"};
  return types;
}

Imported<Softmax> Softmax::from_onnx(const NodeView& node) {
  node.only_attributes({"axis"});
  if (node.input_type(0).type != Type::float32)
    node.refuse("its input is " + to_string(node.input_type(0)));
  const bool along = node.opset() >= 13;
  Softmax op;
  if (node.op_type() == "LogSoftmax") op.function = Function::log_softmax;
  op.row = along ? Row::along_the_axis : Row::from_the_axis_on;
  op.axis = static_cast<std::int64_t>(
      normalised_axis(node.integer("axis", along ? -1 : 1), node.input_type(0).shape.size(),
                      "node '" + node.name() + "' (" + node.op_type() + ")"));
  return {op, {0}, {}};
}

std::vector<TensorType> Softmax::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, std::string(kind()));
  require_float32(types.inputs[0], std::string(kind()) + " input");
  if (axis < 0 || axis >= static_cast<std::int64_t>(types.inputs[0].shape.size()))
    throw Error(Fault::bad_model, std::string(kind()) + " names axis " + std::to_string(axis) +
                                      ", which a tensor of shape " +
                                      to_string(types.inputs[0].shape) + " lacks");
  return {types.inputs[0]};
}

SoftmaxExtents extents(const Softmax& op, const Shape& x) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const std::size_t end = op.row == Softmax::Row::along_the_axis ? axis + 1 : x.size();
  return {element_count(x, 0, axis), element_count(x, axis, end), element_count(x, end, x.size())};
}

float softmax_magnitude_term(std::int64_t n) {
  const double term = static_cast<double>(lanes32_depth(n)) + std::log(static_cast<double>(n)) + 8;
  return std::nextafter(static_cast<float>(term), std::numeric_limits<float>::infinity());
}

StepAllowance Softmax::allowance(const OperandTypes& types,
                                 std::span<const std::shared_ptr<const Tensor>>,
                                 const Contract& contract) const {
  const SoftmaxExtents e = extents(*this, types.inputs[0].shape);
  const double unit = in_double(contract) ? unit_roundoff_double : unit_roundoff;
  return {{unit * (1 + 0x1p-9), static_cast<double>(e.n + 4) * 0x1p-148}, 1};
}

std::vector<Case<Softmax>> Softmax::cases() {
  std::vector<Case<Softmax>> cases;
  for (const Function function : {Function::softmax, Function::log_softmax}) {
    const auto over = [&](const std::string& what, std::int64_t axis, Row row, Shape x) {
      const Softmax op{function, axis, row};
      cases.push_back(
          {std::string(op.kind()) + " " + what, op, {{{Type::float32, std::move(x)}}, {}}});
    };
    over("over the last axis", 2, Row::along_the_axis, {3, 5, 33});
    over("over channels", 1, Row::along_the_axis, {2, 37, 3, 5});
    over("over few channels of many pixels", 1, Row::along_the_axis, {2, 3, 9, 11});
    over("over the first axis", 0, Row::along_the_axis, {7, 4});
    over("over one element", 1, Row::along_the_axis, {3, 1, 4});
    over("over everything after axis 1", 1, Row::from_the_axis_on, {2, 6, 5, 4});
    over("over everything", 0, Row::from_the_axis_on, {3, 11});
    over("over more than 4096", 1, Row::along_the_axis, {2, 4500});
  }
  return cases;
}

}  // namespace parity
