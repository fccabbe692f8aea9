#include "model/plan.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "model/arithmetic/bounds.hpp"
#include "model/backend.hpp"
#include "model/json_fault.hpp"
#include "model/ops.hpp"
#include "model/select.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

constexpr int plan_schema = 2;

Error cannot_replay(const std::string& why) {
  return Error(Fault::bad_input, "the plan file cannot be replayed: " + why);
}

/// The clauses of the numerics, by the names that a spec has for them; empty: not asked for.
std::vector<std::pair<std::string, std::string>> clauses_of(const Numerics& n) {
  return {
      {"conv", std::string(name(n.conv))},
      {"matmul", std::string(name(n.matmul))},
      {"rnn", std::string(name(n.rnn))},
      {"round", std::string(name(n.rounding))},
      {"fold_bn", n.batch_norm == BatchNormalisation::folded ? "on" : "off"},
      {"functions", n.functions == Functions::own ? std::string() : std::string(name(n.functions))},
      {"promise", std::string(name(n.promise))},
      {"arch", std::string(name(n.arch))},
      {"algorithm", n.algorithm ? std::string(name(*n.algorithm)) : std::string()}};
}

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
  std::set<std::string> told;
  for (const Refusal& refusal : refusals) {
    if (!told.insert(refusal.why).second) continue;
    const auto same = std::count_if(refusals.begin(), refusals.end(),
                                    [&](const Refusal& other) { return other.why == refusal.why; });
    why += " " + refusal.stage;
    if (same > 1) why += " and " + std::to_string(same - 1) + " more";
    why += ": " + refusal.why + ";";
  }
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

Numerics emulated(Numerics numerics) {
  if (numerics.algorithm == Algorithm::gemm_cublas) numerics.algorithm.reset();
  return numerics;
}

PlannedStage emulated(PlannedStage stage) {
  for (Contract& contract : stage.contracts) {
    if (contract.algorithm != Algorithm::gemm_cublas) continue;
    contract.algorithm = Algorithm::chain;
    if (contract.rounding) contract.algorithm = tensor_algorithm(stage.numerics.arch).value();
    contract.promise = promise_of(contract.algorithm);
  }
  stage.numerics = emulated(stage.numerics);
  return stage;
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

std::string write_plan(const Plan& plan, const Graph& graph) {
  nlohmann::ordered_json json;
  json["paritylab_plan"] = plan_schema;
  json["model"] = graph.name;
  json["digest"] = graph.digest;
  json["spec"] = plan.spec;
  for (const auto& [clause, value] : clauses_of(plan.numerics))
    if (!value.empty()) json["numerics"][clause] = value;
  for (const PlannedStage& stage : plan.stages) {
    nlohmann::ordered_json row;
    row["stage"] = stage.stage.name;
    row["promise"] = name(stage.promise());
    for (const Contract& contract : stage.contracts) row["contracts"].push_back(contract.text());
    json["stages"].push_back(std::move(row));
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

PlanFile parse_plan(const std::string& text) {
  const auto need = [&](const auto& value, const std::string& what) {
    if (!value) throw cannot_replay("it names an unknown " + what);
    return *value;
  };
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    if (json.at("paritylab_plan") != plan_schema)
      throw cannot_replay("it has another schema version; save it again with this version");
    PlanFile file;
    json.at("model").get_to(file.model);
    json.at("digest").get_to(file.digest);
    json.at("spec").get_to(file.spec);
    Numerics& n = file.numerics;
    const auto& written = json.at("numerics");
    n.conv = need(math_named(written.at("conv").get<std::string>()), "math");
    n.matmul = need(math_named(written.at("matmul").get<std::string>()), "math");
    n.rnn = need(math_named(written.at("rnn").get<std::string>()), "math");
    n.rounding = need(rounding_named(written.at("round").get<std::string>()), "rounding");
    const auto folding = written.at("fold_bn").get<std::string>();
    if (folding != "on" && folding != "off") throw cannot_replay("it names an unknown fold_bn");
    n.batch_norm = folding == "on" ? BatchNormalisation::folded : BatchNormalisation::kept;
    if (written.contains("functions"))
      n.functions = need(functions_named(written.at("functions").get<std::string>()),
                         "source of elementary functions");
    n.promise = need(determinism_named(written.at("promise").get<std::string>()), "promise");
    n.arch = need(arch_named(written.at("arch").get<std::string>()), "arch");
    if (written.contains("algorithm"))
      n.algorithm = need(algorithm_named(written.at("algorithm").get<std::string>()), "algorithm");
    for (const auto& row : json.at("stages"))
      file.stages.push_back({row.at("stage").get<std::string>(),
                             row.at("promise").get<std::string>(),
                             row.at("contracts").get<std::vector<std::string>>()});
    return file;
  } catch (const nlohmann::json::exception& e) {
    throw cannot_replay("it is not a plan (" + json_fault(e) + ")");
  }
}

Plan read_plan(const std::string& text, const Graph& graph, const std::vector<Stage>& stages,
               const Backend& backend) {
  const PlanFile file = parse_plan(text);
  if (file.digest != graph.digest)
    throw cannot_replay("it was made for " + shown(file.model) + " (digest " + shown(file.digest) +
                        "), not for " + shown(graph.name) + " (digest " + graph.digest +
                        "); make a plan of this model with --save-plan");
  Plan plan = make_plan(stages, file.numerics, backend, file.spec);
  // The file is replayed, not trusted: every row must be what select() gives today, or it says so.
  if (file.stages.size() != plan.stages.size())
    throw cannot_replay("it has " + std::to_string(file.stages.size()) + " stages, the model has " +
                        std::to_string(plan.stages.size()));
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& stage = plan.stages[i];
    if (file.stages[i].stage != stage.stage.name)
      throw cannot_replay("its stage " + std::to_string(i) + " is " + shown(file.stages[i].stage) +
                          ", the model's is '" + stage.stage.name + "'");
    std::vector<std::string> contracts;
    for (const Contract& contract : stage.contracts) contracts.push_back(contract.text());
    if (file.stages[i].contracts != contracts)
      throw cannot_replay("stage '" + stage.stage.name +
                          "' was planned under other contracts than this version selects");
  }
  return plan;
}

std::vector<PlanDifference> plan_differences(const PlanFile& a, const PlanFile& b) {
  std::vector<PlanDifference> found;
  const auto note = [&](std::string where, std::string of_a, std::string of_b) {
    if (of_a != of_b) found.push_back({std::move(where), std::move(of_a), std::move(of_b)});
  };
  note("model", a.model + ", digest " + a.digest, b.model + ", digest " + b.digest);
  const auto clauses_a = clauses_of(a.numerics), clauses_b = clauses_of(b.numerics);
  for (std::size_t i = 0; i < clauses_a.size(); ++i)
    note(clauses_a[i].first, clauses_a[i].second, clauses_b[i].second);
  // Steps that every plan computes alike say nothing beside one that a plan decides.
  const auto text_of = [](const PlanFile::Row& row) {
    const auto plain = [](const std::string& c) { return c == "elementwise" || c == "move"; };
    const bool telling = !std::all_of(row.contracts.begin(), row.contracts.end(), plain);
    std::string text;
    for (const std::string& contract : row.contracts)
      if (!telling || !plain(contract)) text += (text.empty() ? "" : " + ") + contract;
    return text + ", " + row.promise;
  };
  std::map<std::string, std::string> rows_b;
  for (const PlanFile::Row& row : b.stages) rows_b.emplace(row.stage, text_of(row));
  for (const PlanFile::Row& row : a.stages) {
    const auto other = rows_b.find(row.stage);
    note("stage " + row.stage, text_of(row), other == rows_b.end() ? std::string() : other->second);
    if (other != rows_b.end()) rows_b.erase(other);
  }
  for (const PlanFile::Row& row : b.stages)
    if (rows_b.contains(row.stage)) note("stage " + row.stage, {}, text_of(row));
  return found;
}

}  // namespace parity
