#include "compare/run.hpp"

#include <chrono>
#include <string>

#include "model/error.hpp"

namespace parity {

LiveValues::LiveValues(const Graph& graph, const std::vector<PlannedStage>& stages)
    : readers_(graph.tensors.size(), 0) {
  for (const PlannedStage& planned : stages)
    for (const TensorId id : planned.stage.inputs) ++readers_[index_of(id)];
  for (const TensorId id : graph.outputs) ++readers_[index_of(id)];
}

void LiveValues::put(TensorId id, Value value) {
  if (readers_[index_of(id)] > 0) values_[id] = std::move(value);
}

const Value& LiveValues::at(TensorId id) const {
  const auto found = values_.find(id);
  if (found == values_.end())
    throw Error(Fault::internal, "tensor " + std::to_string(index_of(id)) +
                                     " was read before it was made or after it was dropped");
  return found->second;
}

std::vector<Value> LiveValues::at(std::span<const TensorId> ids) const {
  std::vector<Value> result;
  result.reserve(ids.size());
  for (const TensorId id : ids) result.push_back(at(id));
  return result;
}

bool LiveValues::holds(TensorId id) const { return values_.contains(id); }

void LiveValues::release(std::span<const TensorId> ids) {
  for (const TensorId id : ids)
    if (--readers_[index_of(id)] == 0) values_.erase(id);
}

void check_inputs(const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs.size())
    throw Error(Fault::bad_input, graph.name + " has " + std::to_string(graph.inputs.size()) +
                                      (graph.inputs.size() == 1 ? " input" : " inputs") +
                                      ", but it was given " + std::to_string(inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo& wanted = graph.tensor(graph.inputs[i]);
    const TensorType& given = inputs[i].type();
    const bool wider = wanted.type.type == Type::float32 && given.type == Type::float64;
    if (given.shape != wanted.type.shape || (given.type != wanted.type.type && !wider))
      throw Error(Fault::bad_input, "input '" + wanted.name + "' of " + graph.name + " is " +
                                        to_string(wanted.type) + ", but it was given " +
                                        to_string(given));
  }
}

RunResult run(const RunRequest& request) {
  using Clock = std::chrono::steady_clock;
  const std::span<const PlannedStage> stages(request.plan.stages.data(),
                                             request.before.value_or(request.plan.stages.size()));
  check_inputs(request.graph, request.inputs);
  LiveValues live(request.graph, request.plan.stages);
  for (std::size_t i = 0; i < request.inputs.size(); ++i)
    live.put(request.graph.inputs[i], request.backend.upload(request.inputs[i], request.execution));

  Progress progress;
  progress.stages = static_cast<int>(stages.size());
  for (const PlannedStage& planned : stages) progress.macs += planned.stage.macs;
  const auto report = [&](const std::string& stage) {
    progress.stage = stage;
    if (request.observer) request.observer(progress);
  };

  RunResult result;
  for (const PlannedStage& planned : stages) {
    report(planned.stage.name);
    const Clock::time_point start = Clock::now();
    std::vector<Value> outputs;
    {
      const std::vector<Value> inputs = live.at(planned.stage.inputs);
      outputs = request.backend.run(planned, inputs, Reading::values, request.execution);
    }
    result.stage_seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    live.release(planned.stage.inputs);
    if (request.packed_weights == PackedWeights::forget) request.backend.forget(planned);
    if (request.tap) request.tap(planned, outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      live.put(planned.stage.outputs[i], std::move(outputs[i]));
    ++progress.stages_done;
    progress.macs_done += planned.stage.macs;
  }
  report({});
  result.outputs = live.at(request.before ? request.plan.stages[*request.before].stage.inputs
                                          : request.graph.outputs);
  return result;
}

}  // namespace parity
