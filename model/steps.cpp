#include "model/steps.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "model/arithmetic/bounds.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

Family family_of(const Op& op) {
  return visit([](const auto& o) { return o.family; }, op);
}

}  // namespace

bool is_mac(const Op& op) {
  return family_of(op) == Family::conv || family_of(op) == Family::matmul ||
         family_of(op) == Family::rnn;
}

bool carries_riders(const Op& op, const Shape& output) {
  return family_of(op) == Family::conv || (family_of(op) == Family::matmul && output.size() == 2);
}

std::string op_names(Family family) {
  std::set<std::string_view> names;
  const auto add = [&]<class... Ts>(const std::variant<Ts...>*) {
    const auto of = [&]<class T>(const T*) {
      if (T::family == family) names.insert(T::onnx_types().begin(), T::onnx_types().end());
    };
    (of(static_cast<const Ts*>(nullptr)), ...);
  };
  add(static_cast<const Op::variant*>(nullptr));
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

bool bounds_itself(const Op& op) {
  return visit(
      [](const auto& o) {
        if constexpr (requires { o.bounds_itself(); }) return o.bounds_itself();
        return false;
      },
      op);
}

Contract magnitude_contract(const Contract& contract, const Op& op) {
  Contract result = contract;
  result.rounding.reset();
  if (is_mac(op))
    result.algorithm = Algorithm::chain;
  else if (contract.algorithm == Algorithm::fp64 || contract.algorithm == Algorithm::exact)
    result.algorithm =
        family_of(op) == Family::reduction ? Algorithm::lanes32 : Algorithm::elementwise;
  return result;
}

std::vector<Value> run_steps(const PlannedStage& planned, std::span<const Value> inputs,
                             Reading reading,
                             const std::function<StepResult(const StepRun&)>& run) {
  const Stage& stage = planned.stage;
  const std::vector<OperandTypes> types = step_operand_types(stage);
  std::map<TensorId, Value> values;
  for (std::size_t i = 0; i < stage.inputs.size(); ++i) values[stage.inputs[i]] = inputs[i];
  for (std::size_t i = 0; i < stage.steps.size(); ++i) {
    const Step& step = stage.steps[i];
    const Contract contract = reading == Reading::magnitudes
                                  ? magnitude_contract(planned.contracts[i], *step.op)
                                  : planned.contracts[i];
    std::vector<Value> operands;
    for (const TensorId id : step.inputs) operands.push_back(values.at(id));
    std::vector<TensorType> made =
        visit([&](const auto& o) { return o.infer(types[i]); }, *step.op);
    const bool moves_double =
        contract.algorithm == Algorithm::move &&
        std::any_of(operands.begin(), operands.end(),
                    [](const Value& operand) { return operand.type().type == Type::float64; });
    if (in_double(contract) || moves_double)
      for (TensorType& output : made)
        if (output.type == Type::float32) output.type = Type::float64;

    StepResult result = run({i, step, contract, operands, made.front(), made});
    for (const TensorId id : step.inputs)
      if (i > 0) values.erase(id);  // inside a stage a value has one reader
    i += result.riders;
    const std::vector<TensorId>& outputs = stage.steps[i].outputs;
    for (std::size_t k = 0; k < outputs.size(); ++k)
      values[outputs[k]] = std::move(result.values.at(k));
  }
  std::vector<Value> outputs;
  for (const TensorId id : stage.outputs) outputs.push_back(values.at(id));
  return outputs;
}

}  // namespace parity
