#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <optional>

#include "cli/backends.hpp"
#include "cli/bundle.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/model_source.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/report_files.hpp"
#include "cli/version.hpp"
#include "compare/capture.hpp"
#include "compare/differ.hpp"
#include "compare/probe.hpp"
#include "model/files/npz.hpp"
#include "model/nearest.hpp"
#include "model/text.hpp"
#include "reports/summary.hpp"

namespace parity::cli {
namespace {

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  ReportOptions reports;
  std::string a = "cpu:fp32", b;
  std::optional<double> tolerance;
  int repeat = 1;
  std::string probe;
  std::string attribute = "3";
  std::vector<std::string> decisions;
  std::string save_plan_a, save_plan_b;
  std::string repro, repro_stage;
  std::string command;  ///< the whole line, to run it again
};

/// "2026-08-01T12:00:00Z".
std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// The most memory that this process ever held.
std::int64_t peak_bytes() {
  rusage usage = {};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{usage.ru_maxrss} * 1024 : 0;
}

/// How many stages --attribute asks for.
std::size_t stages_to_attribute(const std::string& text) {
  if (text == "all") return attribute_all;
  if (text == "none") return attribute_none;
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(Fault::bad_request,
                "--attribute is a number of stages, `all` or `none`, not " + shown(text) + ".");
  return count;
}

std::optional<OutputFile> opened(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return OutputFile(path);
}

void require_b(const Options& options) {
  if (!options.b.empty()) return;
  throw Error(Fault::bad_request,
              fmt::format("`diff` was not told what to compare with: --b is missing. Try\n"
                          "  paritylab diff {0} --b cpu:tf32@sm_90\n"
                          "  paritylab diff {0} --b capture:FILE.npz",
                          shell_quoted(options.model.model)));
}

/// A recording is an input: one that cannot be read is as invalid as a missing model.
std::vector<NamedTensor> read_recording(const std::string& file) {
  try {
    return read_npz(file);
  } catch (const Error& error) {
    if (error.fault() == Fault::io) throw Error(Fault::bad_input, error.what());
    throw;
  }
}

/// --input options that take every input of the graph from the recording itself, by its own name or
/// by the stage's that makes it.
std::vector<std::string> inputs_recorded(const LoadedModel& model, const Capture& recorded,
                                         const std::string& file) {
  const auto held = [&](const std::string& name) {
    return std::any_of(recorded.tensors.begin(), recorded.tensors.end(),
                       [&](const auto& tensor) { return tensor.first == name; });
  };
  std::vector<std::string> inputs;
  for (const TensorId id : model.graph.inputs) {
    const std::string& name = model.graph.tensor(id).name;
    std::string found = held(name) ? name : std::string();
    for (const auto& [alias, tensor] : model.aliases)
      if (found.empty() && tensor == name && held(alias)) found = alias;
    if (found.empty())
      throw Error(Fault::bad_request,
                  fmt::format("the recording {} does not hold the input '{}' that it was made "
                              "from, so the comparison would run on another one; give --input "
                              "with the tensors that the recording was made from.",
                              file, name));
    inputs.push_back(found + "=" + file);
  }
  return inputs;
}

/// Gives the model the recording's own inputs: what it was made from cannot be guessed, and a
/// generated input would blame a stage. It is imported anew only where they make another network of
/// it: other extents, or values that became shapes or weights.
void take_recorded_inputs(LoadedModel& model, const ModelOptions& options, const Capture& recorded,
                          const std::string& file, const Processor& processor,
                          const Execution& execution) {
  ModelOptions own = options;
  own.inputs = inputs_recorded(model, recorded, file);
  const auto requests = std::make_shared<InputRequests>(own.inputs);
  for (const auto& [alias, name] : model.aliases) requests->call(alias, name);
  const std::map<std::string, Tensor> given = requests->named();
  const bool same_network =
      model.wanted.size() == model.graph.inputs.size() &&
      std::all_of(model.graph.inputs.begin(), model.graph.inputs.end(), [&](TensorId id) {
        const TensorInfo& input = model.graph.tensor(id);
        const auto tensor = given.find(input.name);
        return input.type.type == Type::float32 && tensor != given.end() &&
               tensor->second.type() == input.type;
      });
  if (same_network)
    model.requests = requests;
  else
    model = load_model(own, processor, execution);
}

/// Position of the stage of that name; -1 for no name. Throws Fault::bad_request.
int stage_named(const std::string& name, const std::vector<Stage>& stages) {
  if (name.empty()) return -1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (stages[i].name == name) return static_cast<int>(i);
    names.push_back(stages[i].name);
  }
  throw Error(Fault::bad_request, "--repro-stage " + name + " is no stage of the model" +
                                      did_you_mean(name, names) +
                                      " (`paritylab inspect` lists the stages).");
}

/// Completes the bundle with what the diff found and what the processor's arithmetics make of it.
void write_bundle(BundleFolder& folder, std::optional<Repro>& repro, const RunRecord& record,
                  std::size_t stage, const std::string& path, const Processor& processor,
                  const Execution& execution) {
  if (!repro) {
    fmt::print(stderr, "no bundle is written to {}: no stage differs; --repro-stage names one.\n",
               path);
    return;
  }
  repro->tool_version = record.tool_version;
  repro->tool_commit = record.tool_commit;
  repro->command = record.command;
  const StageResult& result = record.stages[stage];
  repro->verdict = name(result.verdict);
  repro->reason = result.reason;
  if (!result.diagnoses.empty())
    repro->looks_like = reports::diagnosis_name(result.diagnoses.front()) + ": " +
                        result.diagnoses.front().evidence;
  if (result.attribution) {
    const std::string certificate = reports::certificate_text(*result.attribution);
    repro->cause = reports::shares_text(*result.attribution) +
                   (certificate.empty() ? certificate : "; " + certificate);
  }
  repro->algorithms = every_algorithm(repro->graph, repro->inputs, *processor.backend, execution);
  folder.write(*repro);
  fmt::print(stderr, "the bundle {} holds stage {}; `paritylab repro {}` replays it.\n", path,
             repro->stage, shell_quoted(path));
}

ExitCode diff_command(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  require_b(options);
  const Spec spec_a = parse_spec(options.a), spec_b = parse_spec(options.b);
  const bool capture = spec_b.backend == "capture";
  if (spec_a.backend == "capture")
    throw Error(Fault::bad_request,
                "--a " + options.a + " is a recording, and only --b may be one; swap the sides.");
  if (capture && !options.save_plan_b.empty())
    throw Error(Fault::bad_request, "--save-plan-b has nothing to save: " + options.b +
                                        " is a recording and has no plan.");
  if (options.tolerance && (!std::isfinite(*options.tolerance) || *options.tolerance < 0))
    throw Error(Fault::bad_request,
                "--tolerance must be a finite number from 0 upward, in units of the output.");
  if (options.repeat < 1)
    throw Error(Fault::bad_request,
                "--repeat must be 1 or more: how often each side runs a stage.");
  if (capture && options.repeat > 1)
    throw Error(Fault::bad_request, "--repeat cannot run " + options.b +
                                        " again: it is a recording. Compare two recordings of it.");
  if (!options.probe.empty() && options.probe != "exact")
    throw Error(Fault::bad_request,
                "--probe knows one kind, 'exact', and not '" + options.probe + "'.");
  if (capture && !options.probe.empty())
    throw Error(Fault::bad_request,
                "--probe cannot ask " + options.b +
                    ": a recording holds what another program made of other numbers.");
  if (!options.probe.empty() &&
      (options.tolerance || !options.decisions.empty() || !options.repro.empty()))
    throw Error(Fault::bad_request,
                "--probe exact runs every stage on integers of its own and demands every bit, so "
                "--tolerance, --decision and --repro have no meaning beside it.");
  const std::size_t attribute = stages_to_attribute(options.attribute);
  std::vector<Decision> decisions;
  for (const std::string& each : options.decisions) decisions.push_back(parse_decision(each));
  const Execution execution = execution_of(options.execution);
  std::vector<std::string> outputs = options.reports.files;
  outputs.insert(outputs.end(), {options.save_plan_a, options.save_plan_b});
  require_distinct(options.model.model, outputs,
                   files_read(options.model, {spec_a.plan_file, spec_b.plan_file, spec_b.file}));
  ReportFiles reports(options.reports);
  if (options.repro.empty() && !options.repro_stage.empty())
    throw Error(Fault::bad_request,
                "--repro-stage says which stage a bundle is about; add --repro "
                "FOLDER to have one written.");
  std::optional<BundleFolder> bundle;
  if (!options.repro.empty()) bundle.emplace(options.repro);
  std::optional<OutputFile> plan_a_file = opened(options.save_plan_a);
  std::optional<OutputFile> plan_b_file = opened(options.save_plan_b);

  const Processor processor = open_processor();
  Computing a{open_backend(spec_a, processor), {}}, b;
  Capture recorded;
  if (capture) {
    recorded.file = spec_b.file;
    for (NamedTensor& each : read_recording(spec_b.file)) {
      if (!each.declared.empty()) recorded.declared.emplace(each.name, each.declared);
      recorded.tensors.emplace_back(std::move(each.name), std::move(each.tensor));
    }
  } else {
    b.backend = open_backend(spec_b, processor);
  }
  LoadedModel model = load_model(options.model, processor, execution);
  if (capture && options.model.inputs.empty() && !model.is_sample)
    take_recorded_inputs(model, options.model, recorded, spec_b.file, processor, execution);
  check_decisions(decisions, model.graph);
  const int repro_stage = stage_named(options.repro_stage, model.stages);
  a.plan = plan_for(spec_a, model.graph, model.stages, *a.backend);
  if (!capture) b.plan = plan_for(spec_b, model.graph, model.stages, *b.backend);
  // The process stands; inputs, which count as values, and all the rest must fit.
  const PredictedMemory predicted =
      capture ? predicted_peak_bytes(model.graph, a.plan, execution.threads)
              : predicted_peak_bytes(model.graph, a.plan, b.plan, execution.threads);
  require_memory(predicted.packed + predicted.values, "the diff of " + model.graph.name);
  model.make_inputs();
  if (plan_a_file) plan_a_file->write(write_plan(a.plan, model.graph));
  if (plan_b_file) plan_b_file->write(write_plan(b.plan, model.graph));

  const std::vector<Tensor> inputs = model.tensors();
  const Referee referee{*processor.oracle, *processor.backend, execution};
  const std::string started = now_utc();
  const Side side_a = side_of(a, processor, execution, spec_a);
  ProgressLine line;
  const Observer observer = [&](const Progress& progress) { line.show(progress); };
  RunRecord record;
  std::optional<Repro> repro;
  const auto worth = [&] { return repro_stage >= 0 ? repro_stage : stage_worth_a_repro(record); };
  if (capture) {
    const CaptureRequest request{.graph = model.graph,
                                 .stages = model.stages,
                                 .a = side_a,
                                 .referee = referee,
                                 .inputs = inputs,
                                 .capture = recorded,
                                 .spec = spec_b.text,
                                 .numerics = spec_b.numerics,
                                 .tolerance = options.tolerance,
                                 .observer = observer,
                                 .decisions = decisions,
                                 .attribute = attribute,
                                 .attribute_also = repro_stage};
    record = diff_capture(request);
    if (bundle && worth() >= 0) repro = make_repro(request, static_cast<std::size_t>(worth()));
  } else {
    const Side side_b = side_of(b, processor, execution, spec_b);
    const DiffRequest request{.graph = model.graph,
                              .stages = model.stages,
                              .a = side_a,
                              .b = side_b,
                              .referee = referee,
                              .inputs = inputs,
                              .tolerance = options.tolerance,
                              .observer = observer,
                              .decisions = decisions,
                              .repeat = options.repeat,
                              .attribute = attribute,
                              .attribute_also = repro_stage};
    constexpr std::uint64_t probe_seed = 7;
    record = options.probe.empty() ? diff(request) : probe_exact(request, probe_seed);
    if (bundle && worth() >= 0)
      repro = make_repro({.graph = model.graph,
                          .stages = model.stages,
                          .a = side_a,
                          .b = side_b,
                          .inputs = inputs,
                          .stage = static_cast<std::size_t>(worth())});
  }
  record.tool_version = version();
  record.tool_commit = commit();
  record.command = options.command;
  record.inputs = options.probe.empty() ? model.input_texts()
                                        : std::vector<std::pair<std::string, std::string>>{
                                              {"of each stage", "integers of its own"}};
  const Facts vendor = vendor_facts();
  for (const auto& [side, computing] : {std::pair{&record.a, &a}, std::pair{&record.b, &b}}) {
    if (const Backend* const backend = computing->backend.get();
        backend != nullptr && backend->device_peak_bytes() > 0)
      side->facts.emplace_back("peak of device memory, bytes",
                               std::to_string(backend->device_peak_bytes()));
    side->facts.insert(side->facts.end(), vendor.begin(), vendor.end());
  }
  record.exit_code = exit_code_of(record);
  record.started = started;
  record.peak_bytes = peak_bytes();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  record.seconds = seconds.count();
  reports.write(record);
  if (bundle)
    write_bundle(*bundle, repro, record, static_cast<std::size_t>(std::max(worth(), 0)),
                 options.repro, processor, execution);
  return static_cast<ExitCode>(record.exit_code);
}

}  // namespace

void add_diff(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "diff", "Run a network on two sides; find the first stage that diverges, and why.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_side_options(*command, options->a, options->b);
  command
      ->add_option("--tolerance", options->tolerance,
                   "largest |b - a| of an output, absolute; beyond it the exit code is 1")
      ->type_name("T");
  command
      ->add_option("--repeat", options->repeat,
                   "runs of each stage on each side; a side whose bits change is untrusted")
      ->type_name("N");
  command
      ->add_option("--probe", options->probe,
                   "exact: every stage alone, on integers that no correct arithmetic rounds; any "
                   "mismatch is a bug")
      ->type_name("KIND");
  command
      ->add_option("--attribute", options->attribute,
                   "how many stages to take apart by cause, beside the first diverging one: those "
                   "with the largest shares of the final error; or all, none")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--decision", options->decisions,
                   "what is decided by an output: OUTPUT=argmax[:AXIS], topk:K[:AXIS], threshold:T "
                   "or sigmoid:T; AXIS is 1 unless named (0 of a vector), -1 is the last; one that "
                   "flips makes the exit code 1; repeatable")
      ->type_name("OUTPUT=RULE")
      ->allow_extra_args(false);
  add_report_options(*command, options->reports);
  command->add_option("--save-plan-a", options->save_plan_a, "write a's plan, for plan=FILE")
      ->type_name("FILE");
  command->add_option("--save-plan-b", options->save_plan_b, "write b's plan")->type_name("FILE");
  command
      ->add_option(
          "--repro", options->repro,
          "write a bundle of one stage (the first diverging, else the one with the largest "
          "share of the difference) for `paritylab repro`")
      ->type_name("FOLDER|FILE.zip");
  command->add_option("--repro-stage", options->repro_stage, "the stage that the bundle is about")
      ->type_name("STAGE");
  add_execution_options(*command, options->execution);
  command->footer(
      "SPEC is BACKEND:MATH[@ARCH][,CLAUSE=VALUE]... or capture:FILE.npz[,math=tf32]\n"
      "  BACKEND cpu, cuda   MATH fp32, tf32, fp64, exact   ARCH sm_80 ... sm_120 (cpu:tf32 needs "
      "one)\n"
      "  CLAUSE conv= matmul= rnn= (fp32|tf32)  round= (rna|truncate|rn)  fold_bn= (on|off)\n"
      "         functions= (paritylab|correct)\n"
      "         algorithm=NAME (see `paritylab algorithms`)  promise=NAME  device=N  plan=FILE\n"
      "Examples:\n"
      "  paritylab diff model.onnx --b cpu:tf32@sm_90 --tolerance 1e-2 --report model.html\n"
      "  paritylab diff sample:second/A --b cpu:fp64\n"
      "  paritylab diff model.onnx --b cuda:fp32 --repeat 5\n"
      "  paritylab diff model.onnx --b cuda:tf32 --probe exact\n"
      "  paritylab diff model.onnx --input frame.npz --b capture:tensorrt.npz,math=tf32\n"
      "  paritylab diff model.onnx --b cpu:tf32@sm_90 --decision logits=argmax --decision "
      "heat=sigmoid:0.5\n"
      "Exit codes: 0 same bits or explained by arithmetic · 1 diverged, beyond the tolerance or a\n"
      "  named decision flipped · 2 usage · 3 model or input invalid · 4 incomplete · 5 device,\n"
      "  memory or environment");
  command->callback([&invocation, options] {
    options->command = invocation.command_line;
    invocation.job = [options] { return diff_command(*options); };
  });
}

}  // namespace parity::cli
