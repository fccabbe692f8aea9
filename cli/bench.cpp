#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/model_source.hpp"
#include "cli/progress.hpp"
#include "compare/latency.hpp"
#include "reports/numbers.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string on, plan, budget;
  int runs = 20, warm_up = 2;
  bool as_json = false;
};

/// "50ms", "800us", "0.05s" or a rate, "20Hz", in seconds.
double seconds_of(const std::string& budget) {
  double number = 0;
  const char* const end = budget.data() + budget.size();
  const auto [rest, fault] = std::from_chars(budget.data(), end, number);
  const std::string unit(rest, end);
  if (fault == std::errc() && std::isfinite(number) && number > 0) {
    if (unit == "s") return number;
    if (unit == "ms") return number * 1e-3;
    if (unit == "us") return number * 1e-6;
    if (unit == "Hz" || unit == "hz") return 1 / number;
  }
  throw Error(Fault::bad_request, "--budget " + budget +
                                      " is no time; write --budget 50ms (or us, s), or a rate, "
                                      "--budget 20Hz.");
}

/// A time for a person, in the unit that leaves one to three digits before the point.
std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} s", seconds);
}

/// Runs over the budget may be noise of the machine as long as 95 of 100 keep it.
bool over_budget(const LatencyRecord& record, double budget) {
  return budget > 0 && record.whole.p95 > budget;
}

std::string budget_text(const LatencyRecord& record, double budget) {
  const std::string runs = fmt::format("{} of {} runs took longer", record.over, record.runs);
  if (!over_budget(record, budget))
    return fmt::format("{} kept: the 95th percentile leaves {}; {}", time_text(budget),
                       time_text(budget - record.whole.p95), runs);
  return fmt::format("{} exceeded: the 95th percentile takes {} more; {}", time_text(budget),
                     time_text(record.whole.p95 - budget), runs);
}

void print_text(const LatencyRecord& record, const LoadedModel& model, const Spec& spec,
                const BackendInfo& info, const Execution& execution, double budget) {
  fmt::print("{}   on {}   {}, {} {}\n", model.graph.name, spec.text, info.device,
             execution.threads, execution.threads == 1 ? "thread" : "threads");
  for (const auto& [name, text] : model.input_texts()) fmt::print("input   {}  {}\n", name, text);
  double sum = 0;
  std::size_t widest = 5, widest_shape = 5;
  for (const StageLatency& stage : record.stages) {
    sum += stage.timing.median;
    widest = std::max(widest, stage.name.size());
    widest_shape = std::max(widest_shape, stage.shape.size());
  }
  const auto row = [](const Timing& t) {
    return fmt::format("{:>9} {:>9} {:>9} {:>9}", time_text(t.median), time_text(t.least),
                       time_text(t.p95), time_text(t.most));
  };
  fmt::print("  {:<{}}  {:<{}}  {:>9} {:>9} {:>9} {:>9}  {:>7}  {:>8}  contract\n", "stage", widest,
             "shape", widest_shape, "median", "least", "p95", "most", "share", "GFLOP/s");
  for (const StageLatency& stage : record.stages) {
    const double rate = 2e-9 * static_cast<double>(stage.macs) / stage.timing.median;
    fmt::print("  {:<{}}  {:<{}}  {}  {:>7}  {:>8}  {}\n", stage.name, widest, stage.shape,
               widest_shape, row(stage.timing), reports::percent(stage.timing.median / sum),
               stage.macs == 0 ? "-" : fmt::format("{:.1f}", rate), stage.contract);
  }
  fmt::print("  {:<{}}  {:<{}}  {}\n", "whole", widest, "", widest_shape, row(record.whole));
  fmt::print("{} runs timed whole, {} more by stage; {} a second\n", record.runs, record.runs,
             reports::brief(1 / record.whole.median));
  if (budget > 0) fmt::print("budget  {}\n", budget_text(record, budget));
}

ordered_json json_of(const Timing& t) {
  return {{"median_s", t.median}, {"least_s", t.least}, {"p95_s", t.p95}, {"most_s", t.most}};
}

void print_json(const LatencyRecord& record, const LoadedModel& model, const Spec& spec,
                const BackendInfo& info, const Execution& execution, double budget, ExitCode code) {
  ordered_json document;
  document["paritylab_bench"] = 1;
  document["model"] = model.graph.name;
  document["model_digest"] = model.graph.digest;
  document["on"] = spec.text;
  document["device"] = info.device;
  document["threads"] = execution.threads;
  document["inputs"] = ordered_json::object();
  for (const auto& [name, text] : model.input_texts()) document["inputs"][name] = text;
  document["runs"] = record.runs;
  document["whole"] = json_of(record.whole);
  document["seconds"] = record.seconds;
  if (budget > 0)
    document["budget"] = {
        {"seconds", budget}, {"runs_over", record.over}, {"kept", !over_budget(record, budget)}};
  document["stages"] = ordered_json::array();
  for (const StageLatency& stage : record.stages) {
    ordered_json row = {{"id", stage.id},
                        {"name", stage.name},
                        {"contract", stage.contract},
                        {"shape", stage.shape},
                        {"macs", stage.macs}};
    row.update(json_of(stage.timing));
    document["stages"].push_back(std::move(row));
  }
  document["exit_code"] = static_cast<int>(code);
  fmt::print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

ExitCode bench_command(const Options& options) {
  if (options.on.empty() && options.plan.empty())
    throw Error(Fault::bad_request,
                fmt::format("`bench` was not told what to time: --on is missing. Try\n"
                            "  paritylab bench {} --on cpu:fp32",
                            shell_quoted(options.model.model)));
  const double budget = options.budget.empty() ? 0 : seconds_of(options.budget);
  const Spec spec = spec_of(options.on, options.plan);
  Execution execution = execution_of(options.execution);
  execution.device = spec.device;
  const Processor processor = open_processor();
  const std::shared_ptr<Backend> backend = open_backend(spec, processor);
  LoadedModel model = load_model(options.model, processor, execution);
  const Plan plan = plan_for(spec, model.graph, model.stages, *backend);
  const PredictedMemory predicted = predicted_peak_bytes(model.graph, plan, execution.threads);
  // Every stage's packed weights are kept: about the weights once more.
  require_memory(std::max(predicted.packed, predicted.weights) + predicted.values,
                 "timing " + model.graph.name);
  model.make_inputs();
  const std::vector<Tensor> inputs = model.tensors();
  LatencyRecord record;
  {
    ProgressLine line;
    record = latency({.graph = model.graph,
                      .plan = plan,
                      .backend = *backend,
                      .execution = execution,
                      .inputs = inputs,
                      .runs = options.runs,
                      .warm_up = options.warm_up,
                      .budget_seconds = budget,
                      .observer = [&](const Progress& progress) { line.show(progress); }});
  }
  const ExitCode code = over_budget(record, budget) ? ExitCode::diverged : ExitCode::consistent;
  if (options.as_json)
    print_json(record, model, spec, backend->info(execution), execution, budget, code);
  else
    print_text(record, model, spec, backend->info(execution), execution, budget);
  return code;
}

}  // namespace

void add_bench(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "bench", "Time a network on one side: the whole inference, and every stage.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_place_options(*command, options->on, options->plan);
  command->add_option("--runs", options->runs, "timed runs, whole, and as many by stage")
      ->type_name("N")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--warm-up", options->warm_up, "untimed runs before")
      ->type_name("N")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command
      ->add_option("--budget", options->budget,
                   "a time that 95 of 100 runs may not exceed (50ms, 800us, 2s), or a rate (20Hz)")
      ->type_name("TIME");
  command->add_flag("--json", options->as_json, "as JSON, with the time of every run");
  add_execution_options(*command, options->execution);
  command->footer(
      "One inference is: the inputs handed over, every stage, one element of each output read.\n"
      "p95: 95 of 100 runs were not longer. Weights are packed before the first timed run.\n"
      "Examples:\n"
      "  paritylab bench model.onnx --on cpu:fp32 --threads 1\n"
      "  paritylab bench model.onnx --on cuda:tf32 --runs 200 --budget 20Hz\n"
      "Exit codes: 0 timed, within the budget · 1 beyond the budget · 2 usage · 3 model or input\n"
      "  invalid · 5 device, memory or environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return bench_command(*options); }; });
}

}  // namespace parity::cli
