#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/model_source.hpp"
#include "compare/run.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string a = "cpu:fp32", b = "cpu:fp32";
  bool as_json = false;
};

std::int64_t parameter_count(const Graph& graph) {
  std::int64_t count = 0;
  for (const Step& step : graph.steps)
    for (const std::shared_ptr<const Tensor>& parameter : step.parameters)
      if (parameter) count += parameter->size();
  return count;
}

std::map<std::string, int> op_counts(const Graph& graph) {
  std::map<std::string, int> counts;
  for (const Step& step : graph.steps) ++counts[step.op_type];
  return counts;
}

std::vector<std::string> op_types(const Stage& stage) {
  std::vector<std::string> types;
  for (const Step& step : stage.steps) types.push_back(step.op_type);
  return types;
}

std::int64_t macs_of(const std::vector<Stage>& stages) {
  std::int64_t macs = 0;
  for (const Stage& stage : stages) macs += stage.macs;
  return macs;
}

/// 12345678901 as "12.35 G".
std::string scaled(double value) {
  const char* const units[] = {"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}{}", value, units[unit]);
}

std::string mebibytes(std::int64_t bytes) {
  constexpr double mebibyte = 1 << 20;
  return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / mebibyte);
}

ordered_json json_of(const PredictedMemory& memory) {
  return {{"process", memory.process}, {"weights", memory.weights}, {"packed", memory.packed},
          {"values", memory.values},   {"total", memory.total()},   {"stage", memory.stage}};
}

void print_json(const LoadedModel& model, const PredictedMemory& run_memory,
                const PredictedMemory& diff_memory) {
  const Graph& graph = model.graph;
  const auto edges = [&](const std::vector<TensorId>& ids) {
    ordered_json list = ordered_json::array();
    for (const TensorId id : ids)
      list.push_back({{"name", graph.tensor(id).name},
                      {"type", to_string(graph.tensor(id).type.type)},
                      {"shape", graph.tensor(id).type.shape}});
    return list;
  };
  ordered_json document;
  document["model"] = graph.name;
  document["digest"] = graph.digest;
  document["producer"] = graph.producer;
  document["ir_version"] = graph.ir_version;
  document["opset"] = graph.opset;
  document["inputs"] = edges(graph.inputs);
  document["outputs"] = edges(graph.outputs);
  document["ops"] = op_counts(graph);
  document["parameters"] = parameter_count(graph);
  document["macs"] = macs_of(model.stages);
  document["predicted_bytes"] = {{"run", json_of(run_memory)}, {"diff", json_of(diff_memory)}};
  document["notes"] = graph.notes;
  document["lints"] = graph.lints;
  document["stages"] = ordered_json::array();
  for (const Stage& stage : model.stages) {
    ordered_json row = {{"id", stage.id},
                        {"name", stage.name},
                        {"block", stage.block},
                        {"ops", op_types(stage)},
                        {"inputs", stage.input_names},
                        {"outputs", stage.output_names},
                        {"shape", stage.output_types.at(0).shape},
                        {"macs", stage.macs}};
    document["stages"].push_back(std::move(row));
  }
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_text(const LoadedModel& model, const PredictedMemory& run_memory,
                const PredictedMemory& diff_memory) {
  const Graph& graph = model.graph;
  fmt::print("{}{}{}\n", graph.name,
             graph.opset == 0 ? std::string() : fmt::format("   opset {}", graph.opset),
             graph.producer.empty() ? "" : "   made by " + graph.producer);
  for (const TensorId id : graph.inputs)
    fmt::print("input   {}  {}\n", graph.tensor(id).name, to_string(graph.tensor(id).type));
  for (const TensorId id : graph.outputs)
    fmt::print("output  {}  {}\n", graph.tensor(id).name, to_string(graph.tensor(id).type));
  std::string ops;
  for (const auto& [type, count] : op_counts(graph))
    ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", count, type);
  fmt::print("ops     {}\n", ops);
  const std::int64_t macs = macs_of(model.stages);
  fmt::print("size    {} parameters, {} multiply-adds, {}FLOP\n",
             scaled(static_cast<double>(parameter_count(graph))), scaled(static_cast<double>(macs)),
             scaled(2 * static_cast<double>(macs)) + (macs < 500 ? " " : ""));
  fmt::print("memory  {} predicted for a run, {} for a diff of two CPU sides\n",
             mebibytes(run_memory.total()), mebibytes(diff_memory.total()));
  for (const std::string& note : graph.notes) fmt::print("note    {}\n", note);
  for (const std::string& lint : graph.lints) fmt::print("lint    {}\n", lint);
  std::size_t widest = 5, widest_shape = 5;
  for (const Stage& stage : model.stages) {
    widest = std::max(widest, stage.name.size());
    widest_shape = std::max(widest_shape, to_string(stage.output_types.at(0).shape).size());
  }
  fmt::print("{:>4}  {:<{}}  {:<{}}  {:>9}  ops\n", "id", "stage", widest, "shape", widest_shape,
             "MAC");
  for (const Stage& stage : model.stages)
    fmt::print("{:>4}  {:<{}}  {:<{}}  {:>9}  {}\n", stage.id, stage.name, widest,
               to_string(stage.output_types.at(0).shape), widest_shape,
               stage.macs == 0 ? "-" : scaled(static_cast<double>(stage.macs)),
               fmt::join(op_types(stage), " "));
}

ExitCode inspect_command(const Options& options) {
  const Execution execution = execution_of(options.execution);
  const Processor processor = open_processor();
  const LoadedModel model = load_model(options.model, processor, execution);
  const Plan a = plan_for(parse_spec(options.a), model.graph, model.stages, *processor.backend);
  const Plan b = plan_for(parse_spec(options.b), model.graph, model.stages, *processor.backend);
  const PredictedMemory run_memory = predicted_peak_bytes(model.graph, a, execution.threads);
  const PredictedMemory diff_memory = predicted_peak_bytes(model.graph, a, b, execution.threads);
  if (options.as_json)
    print_json(model, run_memory, diff_memory);
  else
    print_text(model, run_memory, diff_memory);
  return ExitCode::consistent;
}

}  // namespace

void add_inspect(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "inspect", "Show a model's ops, shapes, stages, size, predicted memory and lints.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  command->add_option("--a", options->a, "side a of the diff whose memory is predicted")
      ->type_name("SPEC")
      ->capture_default_str();
  command->add_option("--b", options->b, "side b of that diff")
      ->type_name("SPEC")
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "as JSON");
  add_execution_options(*command, options->execution);
  command->footer(
      "Examples:\n"
      "  paritylab inspect model.onnx --shape x=1x3x224x224\n"
      "  paritylab inspect sample:second/A --json\n"
      "Exit codes: 0 the model can be run · 2 usage · 3 model or input invalid or unsupported · 5 "
      "environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return inspect_command(*options); }; });
}

}  // namespace parity::cli
