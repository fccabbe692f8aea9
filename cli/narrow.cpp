#include "compare/narrow.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/model_source.hpp"
#include "cli/progress.hpp"
#include "reports/numbers.hpp"
#include "reports/summary.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;
using reports::brief;

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string a = "cpu:fp32", b;
  std::optional<double> goal;
  double most = 64;
  bool as_json = false;
};

/// Bytes of every tensor that a stage makes: narrow keeps a's all.
std::int64_t bytes_of_edges(const std::vector<Stage>& stages) {
  std::int64_t bytes = 0;
  for (const Stage& stage : stages)
    for (const TensorType& type : stage.output_types)
      bytes += element_count(type.shape) * static_cast<std::int64_t>(byte_width(type.type));
  return bytes;
}

/// "0.0547", "0 (same bits)".
std::string text_of(const FinalDifference& d) {
  return d.same_bits ? "0 (the same bits)" : brief(d.max_abs);
}

std::string figure(const FinalDifference& d) { return d.same_bits ? "0" : brief(d.max_abs); }

std::string headline(const NarrowRecord& record) {
  if (record.all.same_bits)
    return "nothing to narrow: every output has the same bits on both sides";
  const std::size_t count = record.culprits.size();
  int diverged = 0;
  for (const Culprit& culprit : record.culprits) diverged += culprit.verdict == Verdict::diverged;
  std::string text =
      fmt::format("{} of {} stages, replaced by a, bring the final difference from {} to {}", count,
                  record.diff.stages.size(), text_of(record.all), text_of(record.rest));
  if (record.goal == 0)
    text += record.goal_reached ? "" : "; the goal, the same bits, was not reached";
  else if (diverged == 0 || !record.goal_reached)
    text += fmt::format("; the goal, {} of it, was {}reached", reports::percent(record.goal),
                        record.goal_reached ? "" : "not ");
  if (diverged > 0 && record.goal != 0)
    text += fmt::format("; what is left lies within the bounds of the other stages' arithmetic");
  return text;
}

/// The culprits as a table: what replacing each does to the final difference.
void print_culprits(const NarrowRecord& record) {
  if (record.culprits.empty()) return;
  const auto contract_of = [](const Culprit& c) {
    return c.contract_a == c.contract_b ? c.contract_a : c.contract_a + " | " + c.contract_b;
  };
  std::size_t stage = 5, contract = 14;
  for (const Culprit& c : record.culprits) {
    stage = std::max(stage, c.name.size());
    contract = std::max(contract, contract_of(c).size());
  }
  fmt::print("  {:<{}}  {:<{}}  {:<12}  {:>10}  {:>10}  {:>10}\n", "stage", stage, "contract a | b",
             contract, "verdict", "it by a", "only by b", "left by b");
  for (const Culprit& c : record.culprits)
    fmt::print("  {:<{}}  {:<{}}  {:<12}  {:>10}  {:>10}  {:>10}\n", c.name, stage, contract_of(c),
               contract, reports::words(c.verdict), figure(c.replaced), figure(c.alone),
               figure(c.left));
  fmt::print(
      "  final difference with: it by a, all others by b; only it by b; it left by b, the other "
      "culprits by a\n");
  for (const Culprit& c : record.culprits)
    if (c.verdict == Verdict::diverged)
      fmt::print(
          "  {}: {}; with this stage replaced by a the final difference goes from {} to {}\n",
          c.name, c.reason, text_of(record.all), text_of(c.replaced));
}

void print_text(const NarrowRecord& record) {
  const RunRecord& diff = record.diff;
  fmt::print("{}   a {} ({})   b {} ({})\n", diff.model, diff.a.spec, diff.a.device, diff.b.spec,
             diff.b.device);
  for (const auto& [name, text] : diff.inputs) fmt::print("input       {}  {}\n", name, text);
  if (!record.all.same_bits)
    fmt::print("difference  max |b − a| {} at output {}, {} of its RMS, with every stage by b\n",
               brief(record.all.max_abs), record.all.output, brief(record.all.relative));
  fmt::print("culprits    {}\n", headline(record));
  print_culprits(record);
  if (!record.stopped.empty())
    fmt::print("stopped     {}; the set may not be the smallest. Raise --most.\n", record.stopped);
  fmt::print("cost        {} mixed {} beside the diff, {} times the network's arithmetic\n",
             record.runs, record.runs == 1 ? "run" : "runs", brief(record.networks, 2));
}

ordered_json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

ordered_json json_of(const FinalDifference& d) {
  return {{"output", d.output},
          {"max_abs", number(d.max_abs)},
          {"relative", number(d.relative)},
          {"same_bits", d.same_bits}};
}

void print_json(const NarrowRecord& record, ExitCode code) {
  ordered_json document;
  document["paritylab_narrow"] = 1;
  document["model"] = record.diff.model;
  document["model_digest"] = record.diff.model_digest;
  document["a"] = record.diff.a.spec;
  document["b"] = record.diff.b.spec;
  document["inputs"] = ordered_json::object();
  for (const auto& [name, text] : record.diff.inputs) document["inputs"][name] = text;
  document["stages"] = record.diff.stages.size();
  document["goal"] = record.goal;
  document["goal_reached"] = record.goal_reached;
  document["stopped"] = record.stopped;
  document["all_by_b"] = json_of(record.all);
  document["culprits_by_a"] = json_of(record.rest);
  document["culprits"] = ordered_json::array();
  for (const Culprit& c : record.culprits)
    document["culprits"].push_back({{"stage", c.stage},
                                    {"name", c.name},
                                    {"contract_a", c.contract_a},
                                    {"contract_b", c.contract_b},
                                    {"verdict", name(c.verdict)},
                                    {"reason", c.reason},
                                    {"it_by_a", json_of(c.replaced)},
                                    {"only_it_by_b", json_of(c.alone)},
                                    {"other_culprits_by_a", json_of(c.left)}});
  document["mixed_runs"] = record.runs;
  document["networks"] = record.networks;
  document["exit_code"] = static_cast<int>(code);
  fmt::print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

ExitCode narrow_command(const Options& options) {
  if (options.b.empty())
    throw Error(Fault::bad_request,
                fmt::format("`narrow` was not told what to compare with: --b is missing. Try\n"
                            "  paritylab narrow {} --b cpu:tf32@sm_90",
                            shell_quoted(options.model.model)));
  if (options.goal && !(*options.goal >= 0 && *options.goal < 1))
    throw Error(Fault::bad_request,
                "--goal is the share of the difference that may be left, from 0 to below 1; 0.1 is "
                "a tenth.");
  const Spec spec_a = parse_spec(options.a), spec_b = parse_spec(options.b);
  for (const Spec* spec : {&spec_a, &spec_b})
    if (spec->backend == "capture")
      throw Error(Fault::bad_request,
                  "`narrow` runs stages of either side on what the other made, "
                  "and the recording " +
                      spec->text +
                      " cannot be run; `diff` judges a recording stage by "
                      "stage.");
  const Execution execution = execution_of(options.execution);
  const Processor processor = open_processor();
  Computing a{open_backend(spec_a, processor), {}}, b{open_backend(spec_b, processor), {}};
  LoadedModel model = load_model(options.model, processor, execution);
  a.plan = plan_for(spec_a, model.graph, model.stages, *a.backend);
  b.plan = plan_for(spec_b, model.graph, model.stages, *b.backend);
  const PredictedMemory predicted =
      predicted_peak_bytes(model.graph, a.plan, b.plan, execution.threads);
  require_memory(predicted.packed + predicted.values + bytes_of_edges(model.stages),
                 "narrowing " + model.graph.name + ", which keeps all of a's values,");
  model.make_inputs();
  const std::vector<Tensor> inputs = model.tensors();
  NarrowRecord record;
  {
    ProgressLine line;
    record = narrow({.graph = model.graph,
                     .stages = model.stages,
                     .a = side_of(a, processor, execution, spec_a),
                     .b = side_of(b, processor, execution, spec_b),
                     .referee = {*processor.oracle, *processor.backend, execution},
                     .inputs = inputs,
                     .goal = options.goal,
                     .most_networks = options.most,
                     .observer = [&](const Progress& progress) { line.show(progress); }});
  }
  record.diff.inputs = model.input_texts();
  const auto code = static_cast<ExitCode>(exit_code_of(record));
  if (options.as_json)
    print_json(record, code);
  else
    print_text(record);
  return code;
}

}  // namespace

void add_narrow(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "narrow", "Find every stage that the final difference is owed to, verified by substitution.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_side_options(*command, options->a, options->b);
  command
      ->add_option("--goal", options->goal,
                   "largest share of the final difference that the culprits, replaced by a, may "
                   "leave; 0: the same bits")
      ->type_name("SHARE");
  command
      ->add_option("--most", options->most,
                   "stop the search when it has cost as much as so many runs of the network")
      ->type_name("N")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "as JSON");
  add_execution_options(*command, options->execution);
  command->footer(
      "Stages that diverge are culprits by proof. When none does, the smallest set is searched "
      "that\n"
      "explains the difference away but for --goal (a half; the same bits where all contracts\n"
      "agree). Each claim is a run of the whole network with some stages by a and the rest by b.\n"
      "Examples:\n"
      "  paritylab narrow model.onnx --b cuda:fp32\n"
      "  paritylab narrow model.onnx --b cpu:tf32@sm_90 --goal 0.1     which stages make 90 % of "
      "it?\n"
      "Exit codes: 0 explained by arithmetic · 1 a stage diverged · 2 usage · 3 model or input\n"
      "  invalid · 4 incomplete · 5 device, memory or environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return narrow_command(*options); }; });
}

}  // namespace parity::cli
