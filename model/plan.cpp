#include "model/plan.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "model/arithmetic/bounds.hpp"
#include "model/backend.hpp"
#include "model/ops.hpp"
#include "model/select.hpp"

namespace parity {
namespace {

constexpr int plan_schema = 1;

/// Multiplies a BatchNorm that follows the stage's convolution into its weights (CONTRACTS section
/// 2, bnfold): w' = float(double(w)*s64), b' = float(double(b)*s64 + t64). Returns whether there
/// was one.
bool fold_batch_norm(Stage& stage) {
  if (stage.steps.size() < 2) return false;
  const auto* norm = std::get_if<BatchNorm>(stage.steps[1].op.get());
  if (norm == nullptr) return false;
  Step& head = stage.steps[0];
  const std::optional<FoldedWeights> folded = visit(
      [&](const auto& o) -> std::optional<FoldedWeights> {
        if constexpr (requires { o.folded(head.parameters, ScaleShift{}); })
          return o.folded(head.parameters, scale_shift(*norm, stage.steps[1].parameters));
        return std::nullopt;
      },
      *head.op);
  if (!folded) return false;
  head.parameters = {std::make_shared<const Tensor>(folded->weights),
                     std::make_shared<const Tensor>(folded->bias)};
  head.outputs = stage.steps[1].outputs;
  stage.steps.erase(stage.steps.begin() + 1);
  return true;
}

PlannedStage planned(Stage stage, const Numerics& numerics) {
  PlannedStage result{std::move(stage), numerics, {}};
  const bool folded =
      numerics.batch_norm == BatchNormalisation::folded && fold_batch_norm(result.stage);
  const std::vector<OperandTypes> types = step_operand_types(result.stage);
  for (std::size_t i = 0; i < types.size(); ++i) {
    result.contracts.push_back(select(*result.stage.steps[i].op, types[i], numerics));
    if (i == 0 && folded) result.contracts.back().batch_norm = BatchNormalisation::folded;
  }
  return result;
}

void demand(const std::vector<Refusal>& refusals, const Plan& plan) {
  if (refusals.empty()) return;
  std::string why = "no plan for " + plan.spec + ":";
  for (const Refusal& refusal : refusals) why += " " + refusal.stage + ": " + refusal.why + ";";
  why.back() = '.';
  throw Error(Fault::bad_request, why);
}

bool says_little(const Contract& contract) {
  return contract.algorithm == Algorithm::move ||
         (contract.algorithm == Algorithm::elementwise && contract.function.empty());
}

}  // namespace

std::vector<OperandTypes> step_operand_types(const Stage& stage) {
  std::map<TensorId, TensorType> known;
  for (std::size_t i = 0; i < stage.inputs.size(); ++i)
    known[stage.inputs[i]] = stage.input_types[i];
  std::vector<OperandTypes> all;
  for (const Step& step : stage.steps) {
    OperandTypes types;
    for (const TensorId id : step.inputs) types.inputs.push_back(known.at(id));
    for (const auto& parameter : step.parameters)
      types.parameters.push_back(parameter ? std::optional(parameter->type()) : std::nullopt);
    const std::vector<TensorType> made =
        visit([&](const auto& o) { return o.infer(types); }, *step.op);
    for (std::size_t i = 0; i < step.outputs.size(); ++i) known[step.outputs[i]] = made.at(i);
    all.push_back(std::move(types));
  }
  return all;
}

std::string PlannedStage::contract_text() const {
  std::vector<std::string> parts;
  const bool any_telling = !std::all_of(contracts.begin(), contracts.end(), says_little);
  for (const Contract& contract : contracts) {
    if (any_telling && says_little(contract)) continue;
    const std::string text = contract.text();
    if (std::find(parts.begin(), parts.end(), text) == parts.end()) parts.push_back(text);
  }
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " + ") + part;
  return text;
}

Determinism PlannedStage::promise() const {
  Determinism weakest = Determinism::host_to_gpu;
  for (const Contract& contract : contracts) weakest = std::min(weakest, contract.promise);
  return weakest;
}

Plan make_plan(const std::vector<Stage>& stages, const Numerics& numerics, const Backend& backend,
               const std::string& spec) {
  Plan plan{spec, numerics, {}};
  std::vector<Refusal> refusals;
  for (const Stage& stage : stages) {
    plan.stages.push_back(planned(stage, numerics));
    if (auto refusal = backend.refuses(plan.stages.back())) refusals.push_back(std::move(*refusal));
  }
  demand(refusals, plan);
  return plan;
}

Allowance stage_allowance(const PlannedStage& planned_stage) {
  const std::vector<OperandTypes> types = step_operand_types(planned_stage.stage);
  Allowance total;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Step& step = planned_stage.stage.steps[i];
    const StepAllowance step_allowance = visit(
        [&](const auto& o) {
          return o.allowance(types[i], step.parameters, planned_stage.contracts[i]);
        },
        *step.op);
    total = {total.coefficient + step_allowance.own.coefficient * (1 + total.coefficient),
             total.underflow * step_allowance.gain + step_allowance.own.underflow};
  }
  // "exact" rounds the stage's value z once more, to float32: |round(z) - z| <= u|z| + 2^-150, and
  // |z| <= (1 + c)*M + t with M before its own FP32 roundings, which can take gamma(terms) from it.
  const auto rounds = [](const Contract& c) { return c.algorithm == Algorithm::exact; };
  if (std::any_of(planned_stage.contracts.begin(), planned_stage.contracts.end(), rounds))
    total = {total.coefficient + unit_roundoff * (1 + total.coefficient) *
                                     (1 + 2 * gamma(stage_terms(planned_stage))),
             total.underflow * (1 + unit_roundoff) + 0x1p-150};
  return total;
}

std::int64_t stage_terms(const PlannedStage& planned_stage) {
  const Stage& stage = planned_stage.stage;
  const std::int64_t elements =
      std::max<std::int64_t>(1, element_count(stage.output_types.front().shape));
  std::int64_t inputs = 0;
  for (const TensorType& type : stage.input_types)
    inputs = std::max(inputs, element_count(type.shape) / elements);
  // One spare term per step for the epilogue's own roundings.
  return std::max(stage.macs / elements, inputs) + static_cast<std::int64_t>(stage.steps.size());
}

std::string write_plan(const Plan& plan) {
  nlohmann::ordered_json json;
  json["paritylab_plan"] = plan_schema;
  json["spec"] = plan.spec;
  const Numerics& n = plan.numerics;
  json["numerics"] = {{"conv", name(n.conv)},
                      {"matmul", name(n.matmul)},
                      {"rnn", name(n.rnn)},
                      {"round", name(n.rounding)},
                      {"fold_bn", n.batch_norm == BatchNormalisation::folded},
                      {"promise", name(n.promise)},
                      {"arch", name(n.arch)}};
  if (n.algorithm) json["numerics"]["algorithm"] = name(*n.algorithm);
  for (const PlannedStage& stage : plan.stages) {
    nlohmann::ordered_json row;
    row["stage"] = stage.stage.name;
    row["promise"] = name(stage.promise());
    for (const Contract& contract : stage.contracts) row["contracts"].push_back(contract.text());
    json["stages"].push_back(std::move(row));
  }
  return json.dump(1) + "\n";
}

Plan read_plan(const std::string& text, const std::vector<Stage>& stages, const Backend& backend) {
  const auto refuse = [](const std::string& why) -> Error {
    return Error(Fault::bad_input, "the plan file cannot be replayed: " + why);
  };
  const auto need = [&](const auto& value, const std::string& what) {
    if (!value) throw refuse("it names an unknown " + what);
    return *value;
  };
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
    if (json.at("paritylab_plan") != plan_schema) throw refuse("it has another schema version");
    Numerics n;
    const auto& written = json.at("numerics");
    n.conv = need(math_named(written.at("conv").get<std::string>()), "math");
    n.matmul = need(math_named(written.at("matmul").get<std::string>()), "math");
    n.rnn = need(math_named(written.at("rnn").get<std::string>()), "math");
    n.rounding = need(rounding_named(written.at("round").get<std::string>()), "rounding");
    n.batch_norm =
        written.at("fold_bn").get<bool>() ? BatchNormalisation::folded : BatchNormalisation::kept;
    n.promise = need(determinism_named(written.at("promise").get<std::string>()), "promise");
    n.arch = need(arch_named(written.at("arch").get<std::string>()), "arch");
    if (written.contains("algorithm"))
      n.algorithm = need(algorithm_named(written.at("algorithm").get<std::string>()), "algorithm");
    Plan plan = make_plan(stages, n, backend, json.at("spec").get<std::string>());
    // The file is replayed, not trusted: every row must be what select() gives today, or it says
    // so.
    const auto& rows = json.at("stages");
    if (rows.size() != plan.stages.size())
      throw refuse("it has " + std::to_string(rows.size()) + " stages, the model has " +
                   std::to_string(plan.stages.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const PlannedStage& stage = plan.stages[i];
      if (rows[i].at("stage").get<std::string>() != stage.stage.name)
        throw refuse("its stage " + std::to_string(i) + " is '" +
                     rows[i].at("stage").get<std::string>() + "', the model's is '" +
                     stage.stage.name + "'");
      std::vector<std::string> contracts;
      for (const Contract& contract : stage.contracts) contracts.push_back(contract.text());
      if (rows[i].at("contracts").get<std::vector<std::string>>() != contracts)
        throw refuse("stage '" + stage.stage.name +
                     "' was planned under other contracts than this version selects");
    }
    return plan;
  } catch (const nlohmann::json::exception& e) {
    throw refuse(std::string("it is not a plan (") + e.what() + ")");
  }
}

}  // namespace parity
