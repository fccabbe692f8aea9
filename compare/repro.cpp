#include "compare/repro.hpp"

#include <algorithm>
#include <map>

#include "compare/walk.hpp"
#include "model/error.hpp"
#include "model/spec.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

/// The stage alone, as a network.
Graph cut_out(const Graph& graph, const std::vector<Stage>& stages, std::size_t stage) {
  Graph part = part_of(graph, stages[stage].name, stages[stage].name);
  part.lints.clear();
  part.notes.clear();
  return part;
}

/// In the order of the graph's inputs. Throws Fault::bad_input, naming the one that is missing.
std::vector<Tensor> ordered(const Graph& graph, std::span<const NamedTensor> inputs) {
  std::vector<Tensor> all;
  for (const TensorId id : graph.inputs) {
    const std::string& name = graph.tensor(id).name;
    const auto found = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const NamedTensor& t) { return t.name == name; });
    if (found == inputs.end())
      throw Error(Fault::bad_input, "the stage's input " + shown(name) + " is missing");
    all.push_back(found->tensor);
  }
  return all;
}

/// The specs of every arithmetic that the processor has; those that a stage cannot have are refused
/// when it is planned.
std::vector<std::string> every_spec() {
  std::vector<std::string> specs = {"cpu:fp32", "cpu:fp32,fold_bn=on",
                                    "cpu:fp32,functions=correct"};
  for (const Algorithm algorithm : all_algorithms()) {
    const std::string asked = std::string(name(algorithm));
    specs.push_back("cpu:fp32,algorithm=" + asked +
                    ",promise=" + std::string(name(promise_of(algorithm))));
  }
  // One arch per tensor core, every rounding that it knows.
  for (const char* arch : {"sm_80", "sm_90"})
    for (const char* rounding : {"rna", "truncate", "rn"})
      for (const char* fold : {"off", "on"})
        specs.push_back(std::string("cpu:tf32@") + arch + ",round=" + rounding +
                        ",fold_bn=" + fold);
  specs.insert(specs.end(), {"cpu:exact", "cpu:fp64"});
  return specs;
}

/// The only stage of a bundle's graph.
std::vector<Stage> one_stage(const Graph& graph) {
  std::vector<Stage> stages = cut(graph);
  if (stages.size() != 1)
    throw Error(Fault::bad_input, "the model of the bundle has " + std::to_string(stages.size()) +
                                      " stages, and a bundle is about one");
  return stages;
}

std::vector<Value> outputs_by(const Plan& plan, const Graph& graph,
                              std::span<const NamedTensor> inputs, Backend& processor,
                              const Execution& execution) {
  const std::vector<Tensor> in_order = ordered(graph, inputs);
  return run({.graph = graph,
              .plan = plan,
              .backend = processor,
              .execution = execution,
              .inputs = in_order})
      .outputs;
}

AlgorithmBits bits_of(const Plan& plan, const std::string& spec, const std::vector<Value>& outputs,
                      Backend& processor, const Execution& execution) {
  AlgorithmBits bits{spec, plan.stages.front().contract_text(), plan.stages.front().promise(), {}};
  for (const Value& output : outputs) bits.digests.push_back(processor.digest(output, execution));
  return bits;
}

SideBits side_bits(const Side& side, std::size_t stage, const std::vector<Value>& outputs) {
  const PlannedStage& planned = side.plan.stages[stage];
  const BackendInfo info = side.backend.info(side.execution);
  SideBits bits{side.plan.spec,
                planned.contract_text(),
                std::string(name(planned.promise())),
                info.device,
                false,
                {}};
  for (std::size_t j = 0; j < outputs.size(); ++j)
    bits.outputs.push_back(
        {planned.stage.output_names[j], side.backend.download(outputs[j], side.execution)});
  return bits;
}

/// The stage by one side, on tensors.
std::vector<Value> run_stage(const Side& side, std::size_t stage,
                             const std::vector<NamedTensor>& inputs) {
  const PlannedStage& planned = side.plan.stages[stage];
  std::vector<Value> given;
  for (const std::string& name : planned.stage.input_names)
    for (const NamedTensor& input : inputs)
      if (input.name == name) given.push_back(side.backend.upload(input.tensor, side.execution));
  std::vector<Value> outputs = side.backend.run(planned, given, Reading::values, side.execution);
  side.backend.forget(planned);
  return outputs;
}

/// What a made of the stage's inputs, by name: a's run up to the stage.
std::vector<NamedTensor> inputs_by_a(const ReproRequest& r) {
  const std::vector<Value> values = run({.graph = r.graph,
                                         .plan = r.a.plan,
                                         .backend = r.a.backend,
                                         .execution = r.a.execution,
                                         .inputs = r.inputs,
                                         .before = r.stage})
                                        .outputs;
  const Stage& stage = r.stages[r.stage];
  std::vector<NamedTensor> inputs;
  for (std::size_t k = 0; k < stage.inputs.size(); ++k) {
    Tensor tensor = r.a.backend.download(values[k], r.a.execution);
    if (tensor.type().type == Type::float64) tensor = to_float32(tensor);
    inputs.push_back({stage.input_names[k], std::move(tensor)});
  }
  return inputs;
}

Repro framed(const Graph& graph, const std::vector<Stage>& stages, std::size_t stage) {
  Repro repro;
  repro.model = graph.name;
  repro.model_digest = graph.digest;
  repro.stage = stages[stage].name;
  repro.graph = cut_out(graph, stages, stage);
  return repro;
}

bool same_outputs(const std::vector<Digest>& digests, const SideBits& side, Backend& processor,
                  const Execution& execution) {
  if (digests.size() != side.outputs.size()) return false;
  for (std::size_t j = 0; j < digests.size(); ++j)
    if (processor.digest(processor.upload(side.outputs[j].tensor, execution), execution) !=
        digests[j])
      return false;
  return true;
}

}  // namespace

Repro make_repro(const ReproRequest& request) {
  Repro repro = framed(request.graph, request.stages, request.stage);
  repro.inputs = inputs_by_a(request);
  repro.a = side_bits(request.a, request.stage, run_stage(request.a, request.stage, repro.inputs));
  repro.b = side_bits(request.b, request.stage, run_stage(request.b, request.stage, repro.inputs));
  return repro;
}

Repro make_repro(const CaptureRequest& request, std::size_t stage) {
  Repro repro = framed(request.graph, request.stages, stage);
  const Stage& wanted = request.stages[stage];
  const auto recorded = [&](TensorId id, const std::string& name,
                            const std::string& stage_name) -> Tensor {
    for (std::size_t i = 0; i < request.graph.inputs.size(); ++i)
      if (request.graph.inputs[i] == id) return request.inputs[i];
    for (const auto& [known, tensor] : request.capture.tensors)
      if (known == name || (!stage_name.empty() && known == stage_name))
        return with_canonical_nan(tensor);
    throw Error(Fault::bad_request, "no bundle can be made of stage '" + wanted.name +
                                        "': the recording " + request.capture.file + " lacks " +
                                        shown(name) +
                                        ". Name a stage of which it "
                                        "holds input and output with --repro-stage.");
  };
  // A recording may hold a tensor under the name of the stage that makes it.
  std::map<TensorId, std::string> made_by;
  for (const Stage& each : request.stages) made_by[each.outputs.front()] = each.name;
  const auto maker = [&](TensorId id) {
    const auto found = made_by.find(id);
    return found == made_by.end() ? std::string() : found->second;
  };
  for (std::size_t k = 0; k < wanted.inputs.size(); ++k)
    repro.inputs.push_back({wanted.input_names[k], recorded(wanted.inputs[k], wanted.input_names[k],
                                                            maker(wanted.inputs[k]))});
  repro.a = side_bits(request.a, stage, run_stage(request.a, stage, repro.inputs));
  repro.b.spec = request.spec;
  repro.b.device = request.capture.file;
  repro.b.promise = name(Determinism::not_guaranteed);
  repro.b.recording = true;
  for (std::size_t j = 0; j < wanted.outputs.size(); ++j)
    repro.b.outputs.push_back(
        {wanted.output_names[j],
         recorded(wanted.outputs[j], wanted.output_names[j], maker(wanted.outputs[j]))});
  return repro;
}

std::vector<AlgorithmBits> every_algorithm(const Graph& graph, std::span<const NamedTensor> inputs,
                                           Backend& processor, const Execution& execution) {
  const std::vector<Stage> stages = one_stage(graph);
  std::vector<AlgorithmBits> all;
  for (const std::string& text : every_spec()) {
    std::optional<Plan> plan;
    try {
      plan = make_plan(stages, parse_spec(text).numerics, processor, text);
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_request) throw;
      continue;  // no arithmetic of this stage
    }
    const std::string contract = plan->stages.front().contract_text();
    const auto known = [&](const AlgorithmBits& bits) { return bits.contract == contract; };
    if (std::any_of(all.begin(), all.end(), known)) continue;
    all.push_back(bits_of(*plan, text, outputs_by(*plan, graph, inputs, processor, execution),
                          processor, execution));
  }
  return all;
}

int stage_worth_a_repro(const RunRecord& record) {
  const Answers& answers = record.answers;
  if (answers.first_diverging >= 0) return answers.first_diverging;
  if (!answers.by_share.empty()) return answers.by_share.front();
  return answers.largest_introduced;
}

ReplayRecord replay(const Repro& repro, Backend& processor, const Execution& execution) {
  const std::vector<Stage> stages = one_stage(repro.graph);
  for (const SideBits* side : {&repro.a, &repro.b}) {
    if (side->outputs.size() != stages.front().outputs.size())
      throw Error(Fault::bad_input, "the bundle holds " + std::to_string(side->outputs.size()) +
                                        " outputs of " + shown(side->spec) + ", the stage has " +
                                        std::to_string(stages.front().outputs.size()));
    for (std::size_t j = 0; j < side->outputs.size(); ++j)
      if (side->outputs[j].tensor.shape() != stages.front().output_types[j].shape)
        throw Error(Fault::bad_input, "an output of " + shown(side->spec) + " in the bundle is " +
                                          to_string(side->outputs[j].tensor.type()) +
                                          ", the stage makes " +
                                          to_string(stages.front().output_types[j]));
  }
  ReplayRecord record;
  for (const AlgorithmBits& made : repro.algorithms) {
    ReplayRow row;
    row.here = {made.spec, made.contract, made.promise, {}};
    try {
      const Plan plan = make_plan(stages, parse_spec(made.spec).numerics, processor, made.spec);
      const std::vector<Value> outputs =
          outputs_by(plan, repro.graph, repro.inputs, processor, execution);
      row.here = bits_of(plan, made.spec, outputs, processor, execution);
      row.as_made = row.here.digests == made.digests && row.here.contract == made.contract;
      const auto against = [&](const SideBits& side) {
        return processor.compare(processor.upload(side.outputs.front().tensor, execution),
                                 outputs.front(), nullptr, {}, execution);
      };
      row.to_a = against(repro.a);
      row.to_b = against(repro.b);
      row.same_a = same_outputs(row.here.digests, repro.a, processor, execution);
      row.same_b = same_outputs(row.here.digests, repro.b, processor, execution);
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_request) throw;
      row.refused = error.what();
    }
    const bool ran = row.refused.empty();
    const auto own = [&](const SideBits& side) {
      return ran && !side.recording && side.contract == row.here.contract;
    };
    record.tried_a |= own(repro.a);
    record.tried_b |= own(repro.b);
    record.own_a |= own(repro.a) && row.same_a;
    record.own_b |= own(repro.b) && row.same_b;
    record.rows.push_back(std::move(row));
  }
  return record;
}

int exit_code_of(const ReplayRecord& record, const Repro& repro) {
  const std::string everywhere(name(Determinism::host_to_gpu));
  bool differs = false, incomplete = record.rows.empty();
  for (const ReplayRow& row : record.rows) {
    incomplete |= !row.refused.empty();
    differs |= row.refused.empty() && !row.as_made && row.here.promise == Determinism::host_to_gpu;
  }
  const auto judge = [&](const SideBits& side, bool tried, bool own) {
    if (side.recording || side.promise != everywhere) return;
    incomplete |= !tried;
    differs |= tried && !own;
  };
  judge(repro.a, record.tried_a, record.own_a);
  judge(repro.b, record.tried_b, record.own_b);
  // A recording has no contract to be held to: that nothing here makes its bits is no agreement.
  const auto unexplained = [&](const SideBits& side, bool ReplayRow::*same) {
    return side.recording &&
           std::none_of(record.rows.begin(), record.rows.end(),
                        [&](const ReplayRow& row) { return row.refused.empty() && row.*same; });
  };
  incomplete |=
      unexplained(repro.a, &ReplayRow::same_a) || unexplained(repro.b, &ReplayRow::same_b);
  return differs ? 1 : incomplete ? 4 : 0;
}

}  // namespace parity
