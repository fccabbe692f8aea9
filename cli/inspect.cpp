#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/model_source.hpp"
#include "compare/run.hpp"
#include "model/ops.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string a = "cpu:fp32", b = "cpu:fp32";
  bool as_json = false;
};

/// A model that can be run, and what running it takes.
struct Runnable {
  std::span<const Stage> stages;
  PredictedMemory run, diff;
};

/// The same that a file which cannot be run is told by, of one that can.
Overview overview_of(const Graph& graph) {
  Overview overview;
  overview.name = graph.name;
  overview.digest = graph.digest;
  overview.producer = graph.producer;
  overview.ir_version = graph.ir_version;
  overview.opset = graph.opset;
  const auto edges = [&](const std::vector<TensorId>& ids) {
    std::vector<DeclaredEdge> edges;
    for (const TensorId id : ids) {
      const TensorInfo& tensor = graph.tensor(id);
      std::vector<Extent> shape;
      for (const std::int64_t extent : tensor.type.shape) shape.push_back({extent, {}});
      edges.push_back({tensor.name, tensor.element_text(), std::move(shape)});
    }
    return edges;
  };
  overview.inputs = edges(graph.inputs);
  overview.outputs = edges(graph.outputs);
  for (const Step& step : graph.steps) {
    ++overview.ops[step.op_type];
    const std::int64_t macs =
        visit([&](const auto& op) { return op.macs(operand_types(graph, step)); }, *step.op);
    if (macs > 0) overview.macs[step.op_type] += macs;
    for (const std::shared_ptr<const Tensor>& parameter : step.parameters) {
      if (!parameter) continue;
      overview.parameters += parameter->size();
      overview.parameter_bytes += static_cast<std::int64_t>(parameter->size_bytes());
    }
  }
  overview.notes = graph.notes;
  overview.lints = graph.lints;
  return overview;
}

std::vector<std::string> op_types(const Stage& stage) {
  std::vector<std::string> types;
  for (const Step& step : stage.steps) types.push_back(step.op_type);
  return types;
}

std::int64_t macs_of(const Overview& model) {
  std::int64_t all = 0;
  for (const auto& [op, macs] : model.macs) all += macs;
  return all;
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

/// 12345678901 as "12.35 G", 123 as "123 ": a unit may follow.
std::string scaled_unit(std::int64_t value) {
  return scaled(static_cast<double>(value)) + (value < 1000 ? " " : "");
}

std::string mebibytes(std::int64_t bytes) {
  constexpr double mebibyte = 1 << 20;
  return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / mebibyte);
}

/// Of weights, which may be few.
std::string size_text(std::int64_t bytes) {
  constexpr std::int64_t kibibyte = 1 << 10, mebibyte = 1 << 20;
  if (bytes < kibibyte) return fmt::format("{} bytes", bytes);
  if (bytes < mebibyte)
    return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / double{kibibyte});
  return mebibytes(bytes);
}

/// "3 nodes are not supported".
std::string counted(const std::vector<Unsupported>& unsupported) {
  const std::size_t inputs = static_cast<std::size_t>(
      std::count_if(unsupported.begin(), unsupported.end(),
                    [](const Unsupported& each) { return each.op_type.empty(); }));
  const auto plural = [](std::size_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  std::string text;
  if (inputs > 0) text = plural(inputs, "input");
  if (inputs < unsupported.size())
    text += (text.empty() ? "" : " and ") + plural(unsupported.size() - inputs, "node");
  return text + (unsupported.size() == 1 ? " is" : " are") + " not supported";
}

ordered_json json_of(const PredictedMemory& memory) {
  return {{"process", memory.process}, {"weights", memory.weights}, {"packed", memory.packed},
          {"values", memory.values},   {"total", memory.total()},   {"stage", memory.stage}};
}

/// A number, the name of an open extent, or null.
ordered_json json_of(const Extent& extent) {
  if (extent.value) return *extent.value;
  return extent.name.empty() ? ordered_json() : ordered_json(extent.name);
}

ordered_json json_of(const std::vector<DeclaredEdge>& edges) {
  ordered_json list = ordered_json::array();
  for (const DeclaredEdge& edge : edges) {
    ordered_json shape;
    if (edge.shape) shape = ordered_json::array();
    if (edge.shape)
      for (const Extent& extent : *edge.shape) shape.push_back(json_of(extent));
    list.push_back({{"name", edge.name}, {"type", edge.type}, {"shape", std::move(shape)}});
  }
  return list;
}

/// All stages of a model that can be run, else those that can be cut beside what cannot.
std::span<const Stage> stages_of(const Overview& model, const Runnable* runnable) {
  return runnable ? runnable->stages : std::span<const Stage>(model.stages);
}

/// Memory is known of what can be run only.
void print_json(const Overview& model, const Runnable* runnable) {
  ordered_json document;
  document["model"] = model.name;
  document["digest"] = model.digest;
  document["producer"] = model.producer;
  document["ir_version"] = model.ir_version;
  document["opset"] = model.opset;
  document["inputs"] = json_of(model.inputs);
  document["outputs"] = json_of(model.outputs);
  document["ops"] = model.ops;
  document["parameters"] = model.parameters;
  document["parameter_bytes"] = model.parameter_bytes;
  document["macs"] = model.open.empty() ? ordered_json(macs_of(model)) : ordered_json();
  document["macs_by_op"] = model.macs;
  document["predicted_bytes"] =
      runnable ? ordered_json{{"run", json_of(runnable->run)}, {"diff", json_of(runnable->diff)}}
               : ordered_json();
  document["notes"] = model.notes;
  document["lints"] = model.lints;
  document["open"] = ordered_json::array();
  for (const OpenInput& input : model.open)
    document["open"].push_back({{"input", input.name}, {"dims", input.dims}});
  document["unsupported"] = ordered_json::array();
  for (const Unsupported& each : model.unsupported)
    document["unsupported"].push_back(
        {{"node", each.node}, {"op", each.op_type}, {"reason", each.reason}});
  document["partial"] = !runnable;
  document["stages"] = ordered_json::array();
  for (const Stage& stage : stages_of(model, runnable)) {
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

/// "Conv 8.93 GFLOP, MatMul 3.15 MFLOP", the largest first.
std::string work_by_op(const Overview& model) {
  std::vector<std::pair<std::int64_t, std::string>> by_work;
  for (const auto& [op, macs] : model.macs) by_work.emplace_back(macs, op);
  std::sort(by_work.rbegin(), by_work.rend());
  std::string text;
  for (const auto& [macs, op] : by_work)
    text += fmt::format("{}{} {}FLOP", text.empty() ? "" : ", ", op, scaled_unit(2 * macs));
  return text;
}

/// The tensors that a stage makes, as --from, --until and recordings call them: the one that it is
/// judged by first.
void print_stages(std::span<const Stage> stages) {
  std::size_t widest = 5, widest_shape = 5, widest_ops = 3;
  for (const Stage& stage : stages) {
    widest = std::max(widest, stage.name.size());
    widest_shape = std::max(widest_shape, to_string(stage.output_types.at(0).shape).size());
    widest_ops = std::max(widest_ops, fmt::format("{}", fmt::join(op_types(stage), " ")).size());
  }
  widest_ops = std::min<std::size_t>(widest_ops, 40);
  fmt::print("{:>4}  {:<{}}  {:<{}}  {:>9}  {:<{}}  tensor\n", "id", "stage", widest, "shape",
             widest_shape, "MAC", "ops", widest_ops);
  for (const Stage& stage : stages)
    fmt::print("{:>4}  {:<{}}  {:<{}}  {:>9}  {:<{}}  {}\n", stage.id, stage.name, widest,
               to_string(stage.output_types.at(0).shape), widest_shape,
               stage.macs == 0 ? "-" : scaled(static_cast<double>(stage.macs)),
               fmt::format("{}", fmt::join(op_types(stage), " ")), widest_ops,
               fmt::join(stage.output_names, " "));
}

void print_unsupported(const Overview& model) {
  if (model.unsupported.empty()) return;
  constexpr std::size_t most = 40;
  fmt::print("cannot run: {}\n", counted(model.unsupported));
  for (std::size_t i = 0; i < std::min(most, model.unsupported.size()); ++i) {
    const Unsupported& each = model.unsupported[i];
    fmt::print("  {:<20}  {}: {}\n", each.op_type.empty() ? "input" : shown_type(each.op_type),
               shown(each.node), each.reason);
  }
  if (model.unsupported.size() > most)
    fmt::print("  and {} more (--json lists them all)\n", model.unsupported.size() - most);
}

void print_text(const Overview& model, const Runnable* runnable) {
  fmt::print("{}{}{}\n", model.name,
             model.opset == 0 ? std::string() : fmt::format("   opset {}", model.opset),
             model.producer.empty() ? "" : "   made by " + model.producer);
  const auto print_edges = [](const char* what, const std::vector<DeclaredEdge>& edges) {
    for (const DeclaredEdge& edge : edges)
      fmt::print("{}  {}  {} {}\n", what, edge.name, edge.type,
                 edge.shape ? to_string(*edge.shape) : std::string("of unknown shape"));
  };
  print_edges("input ", model.inputs);
  print_edges("output", model.outputs);
  std::string ops;
  for (const auto& [type, count] : model.ops)
    ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", count, shown_type(type));
  fmt::print("ops     {}\n", ops);
  const std::int64_t macs = macs_of(model);
  fmt::print("size    {} parameters in {}{}\n", scaled(static_cast<double>(model.parameters)),
             size_text(model.parameter_bytes),
             model.open.empty()
                 ? fmt::format(", {} multiply-adds, {}FLOP{}", scaled(static_cast<double>(macs)),
                               scaled_unit(2 * macs),
                               model.unsupported.empty() ? "" : " in the nodes that are supported")
                 : std::string());
  if (model.macs.size() > 1) fmt::print("work    {}\n", work_by_op(model));
  if (runnable)
    fmt::print("memory  {} predicted for a run, {} for a diff of two CPU sides\n",
               mebibytes(runnable->run.total()), mebibytes(runnable->diff.total()));
  for (const std::string& note : model.notes) fmt::print("note    {}\n", note);
  for (const std::string& lint : model.lints) fmt::print("lint    {}\n", lint);
  for (const OpenInput& input : model.open)
    fmt::print("open    input {}: {}, to see stages, work and memory\n", shown(input.name),
               input.hint);
  print_unsupported(model);
  const std::span<const Stage> stages = stages_of(model, runnable);
  if (!runnable && !stages.empty())
    fmt::print(
        "partial: the {} that can be cut all the same; --until with a stage or tensor of "
        "them runs the part up to it\n",
        stages.size() == 1 ? "stage" : fmt::format("{} stages", stages.size()));
  if (runnable || !stages.empty()) print_stages(stages);
}

void print(const Options& options, const Overview& model, const Runnable* runnable) {
  if (options.as_json)
    print_json(model, runnable);
  else
    print_text(model, runnable);
}

/// Tells what can be told of a file that load_model refused with `error`, and then that it was.
ExitCode inspect_refused(const Options& options, const Error& error) {
  std::optional<Overview> seen;
  try {
    seen = look_at(options.model);
  } catch (const Error&) {
    throw error;
  }
  const bool open = !seen->open.empty();
  if (error.fault() == Fault::bad_request ? !open : seen->unsupported.empty()) throw error;
  print(options, *seen, nullptr);
  if (seen->unsupported.empty()) return ExitCode::consistent;
  if (!open) throw error;
  throw Error(Fault::bad_model, seen->name + " cannot run at any extents: " +
                                    counted(seen->unsupported) + ", listed above.");
}

ExitCode inspect_command(const Options& options) {
  const Execution execution = execution_of(options.execution);
  const Processor processor = open_processor();
  std::optional<LoadedModel> loaded;
  try {
    loaded = load_model(options.model, processor, execution);
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_model && error.fault() != Fault::bad_request) throw;
    return inspect_refused(options, error);
  }
  const LoadedModel& model = *loaded;
  const Plan a = plan_for(parse_spec(options.a), model.graph, model.stages, *processor.backend);
  const Plan b = plan_for(parse_spec(options.b), model.graph, model.stages, *processor.backend);
  const Runnable runnable{model.stages, predicted_peak_bytes(model.graph, a, execution.threads),
                          predicted_peak_bytes(model.graph, a, b, execution.threads)};
  print(options, overview_of(model.graph), &runnable);
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
      "Extents that the file leaves open are listed with the options that give them. The stage\n"
      "table ends with the ONNX tensors that each stage makes: --from, --until and recordings "
      "take\n"
      "these names or the stages'. Of a model with unsupported nodes it lists the stages that can "
      "be\n"
      "cut all the same.\n"
      "Exit codes: 0 the model can be run, its extents given · 2 usage · 3 model or input invalid, "
      "or unsupported "
      "(told all the same) · 5 environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return inspect_command(*options); }; });
}

}  // namespace parity::cli
