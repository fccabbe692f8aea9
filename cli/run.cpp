#include "compare/run.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/digests.hpp"
#include "cli/environment.hpp"
#include "cli/model_source.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "model/files/npz.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string on;
  std::string plan, output, capture, digests, save_plan;
};

/// A file for tensors. The name says what it holds: whoever asks for another format gets a refusal
/// and not an .npz under its name.
std::optional<OutputFile> opened(const char* option, const std::string& path) {
  if (path.empty()) return std::nullopt;
  if (path == "-")
    throw Error(Fault::bad_request,
                "an .npz is no text and does not go to standard output; name a file instead of -.");
  if (!has_suffix(path, ".npz"))
    throw Error(Fault::bad_request,
                fmt::format("{} {} cannot be written: tensors go into a .npz (NumPy reads it: "
                            "numpy.load(FILE)), and the name must end so.",
                            option, path));
  return OutputFile(path);
}

/// The finite part of a tensor in a few numbers, so that a run says something without a file.
std::string summary(Backend& backend, const Value& value, const Execution& execution) {
  const Comparison self = backend.compare(value, value, nullptr, {}, execution);
  return fmt::format("rms {:.6g}, {} of {} elements finite and not zero", self.rms_a,
                     self.informative, self.elements);
}

ExitCode run_command(const Options& options) {
  if (options.on.empty() && options.plan.empty())
    throw Error(Fault::bad_request,
                fmt::format("`run` was not told where to run: --on is missing. Try\n"
                            "  paritylab run {0} --on cpu:fp32\n"
                            "  paritylab run {0} --on cpu:fp64 --output out.npz",
                            shell_quoted(options.model.model)));
  const Spec spec = spec_of(options.on, options.plan);
  Execution execution = execution_of(options.execution);
  execution.device = spec.device;
  require_distinct(
      options.model.model,
      std::vector<std::string>{options.output, options.capture, options.digests, options.save_plan},
      files_read(options.model, {spec.plan_file}));
  std::optional<OutputFile> output = opened("--output", options.output);
  std::optional<OutputFile> capture = opened("--capture", options.capture);
  std::optional<OutputFile> plan_file;
  if (!options.save_plan.empty()) plan_file.emplace(options.save_plan);
  std::optional<OutputFile> digest_file;
  if (!options.digests.empty()) digest_file.emplace(options.digests);

  const Processor processor = open_processor();
  const std::shared_ptr<Backend> backend = open_backend(spec, processor);
  LoadedModel model = load_model(options.model, processor, execution);
  const Plan plan = plan_for(spec, model.graph, model.stages, *backend);
  const PredictedMemory predicted = predicted_peak_bytes(model.graph, plan, execution.threads);
  require_memory(predicted.packed + predicted.values, "the run of " + model.graph.name);
  model.make_inputs();
  if (plan_file) plan_file->write(write_plan(plan, model.graph));

  std::optional<NpzWriter> captured;
  if (capture) captured.emplace(capture->partial_path());
  Trail trail;
  Tap tap;
  if (capture || digest_file)
    tap = [&](const PlannedStage& stage, std::span<const Value> outputs) {
      if (digest_file) trail.stages.emplace_back();
      // The stage's own name for what it is judged by; a second output keeps its ONNX name.
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (capture)
          captured->add(i == 0 ? stage.stage.name : stage.stage.output_names[i],
                        backend->download(outputs[i], execution));
        if (digest_file) trail.stages.back().push_back(backend->digest(outputs[i], execution));
      }
    };
  const std::vector<Tensor> inputs = model.tensors();
  const auto begin = std::chrono::steady_clock::now();
  RunResult result;
  {
    ProgressLine line;
    result = run({.graph = model.graph,
                  .plan = plan,
                  .backend = *backend,
                  .execution = execution,
                  .inputs = inputs,
                  .tap = tap,
                  .observer = [&](const Progress& progress) { line.show(progress); }});
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (capture) {
    captured->finish();
    capture->commit();
  }
  if (digest_file) digest_file->write(write_digests(trail, model.graph, plan));
  if (output) {
    NpzWriter writer(output->partial_path());
    for (std::size_t i = 0; i < result.outputs.size(); ++i)
      writer.add(model.graph.tensor(model.graph.outputs[i]).name,
                 backend->download(result.outputs[i], execution));
    writer.finish();
    output->commit();
  }

  fmt::print("{}   on {}   {}\n", model.graph.name, spec.text, backend->info(execution).device);
  for (const auto& [name, text] : model.input_texts()) fmt::print("input   {}  {}\n", name, text);
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    const Value& value = result.outputs[i];
    fmt::print("output  {}  {}  digest {}  {}\n", model.graph.tensor(model.graph.outputs[i]).name,
               to_string(value.type()), to_string(backend->digest(value, execution)),
               summary(*backend, value, execution));
  }
  for (const std::string& lint : model.graph.lints) fmt::print(stderr, "lint: {}\n", lint);
  fmt::print(stderr, "ran {} stages in {:.3f} s\n", plan.stages.size(), seconds.count());
  return ExitCode::consistent;
}

}  // namespace

void add_run(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "run", "Run a network on one side; write its outputs, or every stage's.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_place_options(*command, options->on, options->plan);
  command
      ->add_option("--output", options->output, "the graph's outputs by their ONNX names, as .npz")
      ->type_name("FILE");
  command->add_option("--capture", options->capture, "every stage's output by stage name, as .npz")
      ->type_name("FILE");
  command
      ->add_option("--digests", options->digests,
                   "128 bits of every stage's outputs, as JSON: two machines compare by them")
      ->type_name("FILE");
  command->add_option("--save-plan", options->save_plan, "write the plan, for --plan or plan=FILE")
      ->type_name("FILE");
  add_execution_options(*command, options->execution);
  command->footer(
      "SPEC is BACKEND:MATH[@ARCH][,CLAUSE=VALUE]..., as in `paritylab diff --help`.\n"
      "Examples:\n"
      "  paritylab run model.onnx --on cpu:fp32 --input in.npz --output out.npz --capture all.npz\n"
      "  paritylab run sample:second/A --on cpu:tf32@sm_90 --save-plan p.json\n"
      "  paritylab run sample:second/A --plan p.json --digests today.json\n"
      "Exit codes: 0 ran · 2 usage · 3 model or input invalid · 5 device, memory or environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return run_command(*options); }; });
}

}  // namespace parity::cli
