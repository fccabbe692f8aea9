#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "model/graph.hpp"
#include "model/nearest.hpp"
#include "model/ops.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

/// Whether a step may follow a head in its stage: one value in, one element in for one element out
/// (or bits that only move), so that the head's magnitude carries through it.
bool rides(const Step& step) {
  return visit(
      [&](const auto& o) {
        if constexpr (requires { o.heads_stage(); }) {
          if (o.heads_stage()) return false;
        } else if constexpr (requires { o.heads_stage; }) {
          if (o.heads_stage) return false;
        }
        const bool passes = o.family == Family::elementwise || o.family == Family::move;
        return passes && step.inputs.size() == 1 && step.outputs.size() == 1;
      },
      *step.op);
}

/// Whether `next` drops steps of a recurrent layer that the stage begins with. They are judged one by one, each
/// from the one before it, so all of them must be seen: what selects among them is a stage of its own.
bool drops_steps(const Stage& stage, const Step& next, const Graph& graph) {
  if (!std::holds_alternative<Recurrent>(*stage.steps.front().op)) return false;
  return element_count(graph.tensor(next.outputs.front()).type.shape) <
         element_count(graph.tensor(next.inputs.front()).type.shape);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(at);
    if (const std::string_view part = text.substr(0, end); !part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// "Conv" or "Conv_12" for op type Conv.
bool is_op_type(std::string_view component, std::string_view op_type) {
  if (!component.starts_with(op_type)) return false;
  component.remove_prefix(op_type.size());
  if (component.empty()) return true;
  if (!component.starts_with('_') || component.size() == 1) return false;
  component.remove_prefix(1);
  return component.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The name of the module an exporter took the node from (DESIGN section 3, names).
std::string stage_name(const Step& head, const Graph& graph) {
  const std::string& path = head.scope.empty() ? head.node : head.scope;
  std::vector<std::string_view> parts = split(path, '/');
  if (!parts.empty() && is_op_type(parts.back(), head.op_type)) parts.pop_back();
  std::string name;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 < parts.size()) {
      const std::string_view next = parts[i + 1];
      const bool prefix = next.starts_with(parts[i]) &&
                          (next.size() == parts[i].size() || next[parts[i].size()] == '.');
      if (prefix) continue;  // "layer1" before "layer1.0" says nothing twice
    }
    name.append(name.empty() ? "" : ".").append(parts[i]);
  }
  if (!name.empty()) return name;
  if (!path.empty()) return path.starts_with('/') ? path.substr(1) : path;
  return head.op_type + "@" + graph.tensor(head.outputs.front()).name;
}

/// The part of a name that reports bracket: up to the first component that ends in a digit
/// ("blocks.1", "layer1"), else the first component.
std::string block_of(const std::string& name) {
  std::size_t end = name.find('.');
  while (end != std::string::npos && !(name[end - 1] >= '0' && name[end - 1] <= '9'))
    end = name.find('.', end + 1);
  if (end != std::string::npos) return name.substr(0, end);
  const char last = name.empty() ? 'x' : name.back();
  return last >= '0' && last <= '9' ? name : name.substr(0, name.find('.'));
}

}  // namespace

std::vector<Stage> cut(const Graph& graph) {
  std::vector<std::vector<std::size_t>> consumers(graph.tensors.size());
  for (std::size_t s = 0; s < graph.steps.size(); ++s)
    for (const TensorId id : graph.steps[s].inputs) consumers[index_of(id)].push_back(s);
  const std::set<TensorId> graph_outputs(graph.outputs.begin(), graph.outputs.end());

  std::vector<bool> taken(graph.steps.size(), false);
  std::map<std::string, int> seen;
  std::vector<Stage> stages;
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    if (taken[s]) continue;
    Stage stage;
    stage.id = static_cast<int>(stages.size());
    std::size_t last = s;
    while (true) {
      taken[last] = true;
      stage.steps.push_back(graph.steps[last]);
      if (graph.steps[last].outputs.size() != 1) break;
      const TensorId value = graph.steps[last].outputs.front();
      if (consumers[index_of(value)].size() != 1 || graph_outputs.contains(value)) break;
      const std::size_t next = consumers[index_of(value)].front();
      if (taken[next] || !rides(graph.steps[next]) || drops_steps(stage, graph.steps[next], graph))
        break;
      last = next;
    }

    std::set<TensorId> made;
    for (const Step& step : stage.steps) {
      for (const TensorId id : step.inputs)
        if (!made.contains(id) &&
            std::find(stage.inputs.begin(), stage.inputs.end(), id) == stage.inputs.end())
          stage.inputs.push_back(id);
      made.insert(step.outputs.begin(), step.outputs.end());
      const OperandTypes types = operand_types(graph, step);
      stage.macs += visit([&](const auto& o) { return o.macs(types); }, *step.op);
    }
    stage.outputs = stage.steps.back().outputs;
    for (const TensorId id : stage.inputs) {
      stage.input_types.push_back(graph.tensor(id).type);
      stage.input_names.push_back(graph.tensor(id).name);
    }
    for (const TensorId id : stage.outputs) {
      stage.output_types.push_back(graph.tensor(id).type);
      stage.output_names.push_back(graph.tensor(id).name);
    }
    stage.name = stage_name(stage.steps.front(), graph);
    if (const int repeat = ++seen[stage.name]; repeat > 1)
      stage.name += "#" + std::to_string(repeat);
    stage.block = block_of(stage.name);
    stages.push_back(std::move(stage));
  }
  return stages;
}

namespace {

/// The tensors that are computed from `from`: a stage, else the tensor that is the only entry.
std::set<TensorId> behind(const Graph& graph, const std::vector<Stage>& stages,
                          const std::string& from, const std::vector<TensorId>& entries) {
  std::set<TensorId> after;
  const auto stage = std::find_if(stages.begin(), stages.end(),
                                  [&](const Stage& each) { return each.name == from; });
  if (stage == stages.end())
    after.insert(entries.begin(), entries.end());
  else
    for (const Step& step : stage->steps) after.insert(step.outputs.begin(), step.outputs.end());
  for (const Step& step : graph.steps)
    if (std::any_of(step.inputs.begin(), step.inputs.end(),
                    [&](TensorId id) { return after.contains(id); }))
      after.insert(step.outputs.begin(), step.outputs.end());
  if (stage == stages.end())
    for (const TensorId id : entries) after.erase(id);
  return after;
}

}  // namespace

Graph part_of(const Graph& graph, const std::string& from, const std::string& until) {
  const std::vector<Stage> stages = cut(graph);
  std::vector<std::string> names;
  for (const Stage& stage : stages) names.push_back(stage.name);
  for (const TensorInfo& tensor : graph.tensors) names.push_back(tensor.name);
  const auto tensors_of = [&](const std::string& name, std::vector<TensorId> Stage::*side) {
    for (const Stage& stage : stages)
      if (stage.name == name) return stage.*side;
    for (std::size_t i = 0; i < graph.tensors.size(); ++i)
      if (graph.tensors[i].name == name) return std::vector{static_cast<TensorId>(i)};
    throw Error(Fault::bad_request, shown(name) + " is no stage and no tensor of " + graph.name +
                                        did_you_mean(name, names) +
                                        " (`paritylab inspect` lists the stages)");
  };

  Graph part = graph;
  if (!until.empty()) part.outputs = tensors_of(until, &Stage::outputs);
  std::vector<TensorId> entries;
  if (!from.empty()) {
    entries = tensors_of(from, &Stage::inputs);
    const std::set<TensorId> after = behind(graph, stages, from, entries);
    std::vector<TensorId> outputs;
    for (const TensorId id : part.outputs) {
      if (after.contains(id))
        outputs.push_back(id);
      else
        part.notes.push_back("output " + shown(graph.tensor(id).name) +
                             " does not depend on --from " + from + " and is left out");
    }
    if (outputs.empty()) throw nothing_between(graph.name, from, until);
    part.outputs = std::move(outputs);
  }
  std::set<TensorId> wanted(part.outputs.begin(), part.outputs.end());
  const std::set<TensorId> given(entries.begin(), entries.end());
  std::vector<Step> kept;
  for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step) {
    const bool needed = std::any_of(step->outputs.begin(), step->outputs.end(), [&](TensorId id) {
      return wanted.contains(id) && !given.contains(id);
    });
    if (!needed) continue;
    wanted.insert(step->inputs.begin(), step->inputs.end());
    kept.push_back(*step);
  }
  std::reverse(kept.begin(), kept.end());
  part.steps = std::move(kept);
  part.inputs.clear();
  for (const TensorId id : graph.inputs)
    if (wanted.contains(id)) part.inputs.push_back(id);
  for (const TensorId id : entries)
    if (wanted.contains(id) &&
        std::find(part.inputs.begin(), part.inputs.end(), id) == part.inputs.end())
      part.inputs.push_back(id);
  if (part.steps.empty()) throw nothing_between(graph.name, from, until);
  return part;
}

Error nothing_between(const std::string& model, const std::string& from, const std::string& until) {
  if (from.empty())
    return Error(Fault::bad_request, "nothing of " + model + " is computed up to --until " + until);
  if (until.empty())
    return Error(Fault::bad_request, "no output of " + model + " is computed from --from " + from);
  return Error(Fault::bad_request, "nothing of " + model + " lies between --from " + from +
                                       " and --until " + until + ": " + shown(until) +
                                       " does not depend on " + shown(from) +
                                       ", and --from must come before --until");
}

}  // namespace parity
