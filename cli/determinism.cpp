#include "compare/determinism.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/backends.hpp"
#include "cli/child.hpp"
#include "cli/command.hpp"
#include "cli/digests.hpp"
#include "cli/environment.hpp"
#include "cli/file_bytes.hpp"
#include "cli/model_source.hpp"
#include "cli/progress.hpp"
#include "cpu/mac/instruction_set.hpp"
#include "model/files/npz.hpp"
#include "model/nearest.hpp"
#include "reports/numbers.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;

const std::vector<std::string> axis_names = {"runs",    "restarts",  "threads", "isa",
                                             "streams", "workspace", "batch",   "plan"};

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string on, plan;
  int runs = 10, restarts = 2;
  std::vector<int> batches;
  std::vector<std::string> vary;
  bool as_json = false;
};

/// What the variations are made from.
struct Setting {
  const Options& options;
  const Spec& spec;
  const LoadedModel& model;
  const Plan& plan;
  Backend& backend;
  Execution execution;
  const ScratchFolder& scratch;
};

/// A run in a fresh process of this program, which writes its digests, or one stage's outputs.
Elsewhere restarted(const Setting& s) {
  const auto words = [s](const ModelOptions& model) {
    std::vector<std::string> all = {"run"};
    const std::vector<std::string> of_model = words_of(model);
    all.insert(all.end(), of_model.begin(), of_model.end());
    if (!s.options.on.empty()) all.insert(all.end(), {"--on", s.options.on});
    if (!s.options.plan.empty()) all.insert(all.end(), {"--plan", s.options.plan});
    all.insert(all.end(), {"--threads", std::to_string(s.execution.threads), "--isa",
                           s.options.execution.instruction_set});
    return all;
  };
  Elsewhere there;
  there.trail = [s, words] {
    const std::string file = s.scratch.path("digests").string();
    std::vector<std::string> all = words(s.options.model);
    all.insert(all.end(), {"--digests", file});
    run_program(all, s.scratch);
    return read_digests(read_text_file(file), s.model.graph, s.plan);
  };
  // A plan belongs to the whole network; without one, a part shows the element that changed.
  if (s.spec.plan_file.empty())
    there.value = [s, words](int stage, int output) {
      const Stage& wanted = s.plan.stages[static_cast<std::size_t>(stage)].stage;
      const std::string file = s.scratch.path("values.npz").string();
      ModelOptions part = s.options.model;
      part.until = wanted.name;
      std::vector<std::string> all = words(part);
      all.insert(all.end(), {"--output", file});
      run_program(all, s.scratch);
      const std::string& name = wanted.output_names[static_cast<std::size_t>(output)];
      for (NamedTensor& tensor : read_npz(file))
        if (tensor.name == name) return std::move(tensor.tensor);
      throw Error(Fault::internal, "a run until " + wanted.name + " did not write '" + name + "'");
    };
  return there;
}

void add_threads(const Setting& s, std::vector<Variation>& all) {
  std::set<int> counts = {1, 2, 3, 5, 8};
  counts.erase(s.execution.threads);
  for (const int count : counts) {
    Variation v{.axis = "threads", .setting = std::to_string(count), .execution = s.execution};
    v.execution.threads = count;
    all.push_back(v);
  }
}

void add_instruction_sets(const Setting& s, std::vector<Variation>& all) {
  const InstructionSet used = cpu::resolve(s.execution.instruction_set);
  bool any = false;
  for (const InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2,
                                   InstructionSet::avx512, InstructionSet::neon}) {
    if (set == used || !cpu::has(set)) continue;
    Variation v{.axis = "isa", .setting = std::string(name(set)), .execution = s.execution};
    v.execution.instruction_set = set;
    all.push_back(v);
    any = true;
  }
  if (!any)
    all.push_back({.axis = "isa", .not_tried = "this processor has no instruction set but scalar"});
}

void add_batches(const Setting& s, std::vector<Variation>& all) {
  for (const int batch : s.options.batches) {
    // Every place is tried, and each time the neighbours hold something else.
    Variation even{.axis = "batch",
                   .setting = fmt::format("{} items", batch),
                   .execution = s.execution,
                   .batch = batch};
    Variation odd = even;
    for (int place = 0; place < batch; ++place)
      (place % 2 == 0 ? even : odd).places.push_back(place);
    all.push_back(even);
    all.push_back(odd);
  }
}

std::vector<Variation> variations(const Setting& s) {
  const auto wanted = [&](const char* axis) {
    return s.options.vary.empty() ||
           std::find(s.options.vary.begin(), s.options.vary.end(), axis) != s.options.vary.end();
  };
  std::vector<Variation> all;
  if (wanted("runs") && s.options.runs > 0)
    all.push_back({.axis = "runs", .runs = s.options.runs, .execution = s.execution});
  if (wanted("restarts") && s.options.restarts > 0)
    all.push_back({.axis = "restarts",
                   .runs = s.options.restarts,
                   .execution = s.execution,
                   .elsewhere = restarted(s)});
  if (wanted("threads")) {
    if (varies(s.backend, ExecutionAxis::threads))
      add_threads(s, all);
    else
      all.push_back({.axis = "threads", .not_tried = s.spec.backend + " has no thread count"});
  }
  if (wanted("isa")) {
    if (varies(s.backend, ExecutionAxis::instruction_set))
      add_instruction_sets(s, all);
    else
      all.push_back({.axis = "isa", .not_tried = s.spec.backend + " has one instruction set"});
  }
  const auto add = [&](std::vector<Variation> more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  };
  if (wanted("streams")) add(stream_variations(s.backend, s.execution));
  if (wanted("workspace")) add(workspace_variations(s.plan, s.backend, s.execution));
  if (wanted("batch")) add_batches(s, all);
  if (wanted("plan")) {
    const std::string saved = write_plan(s.plan, s.model.graph);
    all.push_back({.axis = "plan",
                   .setting = "saved, read back and replayed",
                   .execution = s.execution,
                   .plan = std::make_shared<const Plan>(
                       read_plan(saved, s.model.graph, s.model.stages, s.backend))});
    all.push_back({.axis = "plan",
                   .setting = "selected again",
                   .execution = s.execution,
                   .plan = std::make_shared<const Plan>(
                       make_plan(cut(s.model.graph), s.plan.numerics, s.backend, s.plan.spec))});
  }
  return all;
}

/// "4 of 4 runs", "9 of 10 runs, 2 digests".
std::string count_text(const AxisResult& axis) {
  const char* const what = axis.axis == "restarts" ? "fresh process" : "run";
  const char* const plural = axis.axis == "restarts" ? "es" : "s";
  return fmt::format(
      "{} of {} {}{}, {}", axis.same, axis.runs, what, axis.runs == 1 ? "" : plural,
      axis.digests == 1 ? std::string("one digest") : fmt::format("{} digests", axis.digests));
}

/// Settings once each, in order.
std::string settings_text(const AxisResult& axis) {
  std::vector<std::string> once;
  for (const std::string& setting : axis.settings)
    if (!setting.empty() && std::find(once.begin(), once.end(), setting) == once.end())
      once.push_back(setting);
  return fmt::format("{}", fmt::join(once, ", "));
}

std::string change_text(const AxisResult& axis, const Change& change,
                        const DeterminismRecord& record) {
  const StageRepeat& stage = record.stages[static_cast<std::size_t>(change.stage)];
  std::string text =
      fmt::format("first to change: {}{}{}, digest {} became {}", stage.name,
                  change.output == 0 ? std::string() : fmt::format(" (output {})", change.output),
                  change.setting.empty() ? "" : ", with " + axis.axis + " " + change.setting,
                  to_string(change.reference), to_string(change.changed));
  if (!change.element) return text + "; no element is shown: " + change.without;
  const ElementPair& pair = *change.element;
  return text + fmt::format("; {} of {} elements, first at {}: {} ({}) became {} ({})",
                            reports::grouped(change.differing), reports::grouped(stage.elements),
                            reports::coordinates(pair.index, stage.shape), reports::a_value(pair),
                            reports::a_bits(pair), reports::b_value(pair), reports::b_bits(pair));
}

/// The weakest promise of all stages and how many make it.
std::string promise_text(const DeterminismRecord& record) {
  Determinism weakest = Determinism::host_to_gpu;
  for (const StageRepeat& stage : record.stages) weakest = std::min(weakest, stage.promise);
  return std::string(name(weakest));
}

void print_text(const DeterminismRecord& record, const LoadedModel& model) {
  fmt::print("{}   on {}   {}   {} stages, which promise {}\n", record.model, record.spec,
             record.device, record.stages.size(), promise_text(record));
  for (const auto& [input, text] : model.input_texts()) fmt::print("input   {}  {}\n", input, text);
  for (const AxisResult& axis : record.axes) {
    if (axis.runs > 0) {
      const std::string settings = settings_text(axis);
      fmt::print("{:<9} {}{}\n", axis.axis, count_text(axis),
                 settings.empty() ? "" : "   (" + settings + ")");
    }
    std::set<std::string> told;
    for (const std::string& why : axis.not_tried)
      if (told.insert(why).second) fmt::print("{:<9} not tried: {}\n", axis.axis, why);
    if (axis.first) fmt::print("{:<9} {}\n", "", change_text(axis, *axis.first, record));
  }
  int changed = 0, dead = 0;
  for (const StageRepeat& stage : record.stages) {
    dead += stage.informative == 0;
    if (stage.same == stage.runs) continue;
    if (changed++ == 0) fmt::print("stages that changed\n");
    fmt::print("  {:<24} {}, promises {}: {} of {} runs as the first\n", stage.name, stage.contract,
               name(stage.promise), stage.same, stage.runs);
  }
  if (dead > 0)
    fmt::print(
        "untrusted {} of {} stages have no element that is finite and not zero; that their bits "
        "repeat says nothing. Try another --input.\n",
        dead, record.stages.size());
  fmt::print("{}\n", changed > 0
                         ? fmt::format("bits changed: {} of {} runs gave the first run's bits at "
                                       "every stage; {} of {} stages changed",
                                       record.same, record.runs, changed, record.stages.size())
                         : fmt::format("{} of {} runs gave the first run's bits at every one of "
                                       "{} stages",
                                       record.same, record.runs, record.stages.size()));
}

ordered_json json_of(const Change& change, const DeterminismRecord& record) {
  const StageRepeat& stage = record.stages[static_cast<std::size_t>(change.stage)];
  ordered_json json = {{"stage", stage.name},
                       {"output", change.output},
                       {"setting", change.setting},
                       {"reference_digest", to_string(change.reference)},
                       {"changed_digest", to_string(change.changed)}};
  if (!change.element) {
    json["no_element"] = change.without;
    return json;
  }
  json["differing"] = change.differing;
  json["index"] = change.element->index;
  json["reference"] = {{"value", reports::a_value(*change.element)},
                       {"bits", reports::a_bits(*change.element)}};
  json["changed"] = {{"value", reports::b_value(*change.element)},
                     {"bits", reports::b_bits(*change.element)}};
  return json;
}

void print_json(const DeterminismRecord& record, const LoadedModel& model, ExitCode code) {
  ordered_json document;
  document["paritylab_determinism"] = 1;
  document["model"] = record.model;
  document["model_digest"] = record.model_digest;
  document["on"] = record.spec;
  document["device"] = record.device;
  document["inputs"] = ordered_json::object();
  for (const auto& [input, text] : model.input_texts()) document["inputs"][input] = text;
  document["runs"] = record.runs;
  document["same"] = record.same;
  document["axes"] = ordered_json::array();
  for (const AxisResult& axis : record.axes) {
    ordered_json row = {{"axis", axis.axis},       {"settings", axis.settings},
                        {"runs", axis.runs},       {"same", axis.same},
                        {"digests", axis.digests}, {"not_tried", axis.not_tried}};
    if (axis.first) row["first_change"] = json_of(*axis.first, record);
    document["axes"].push_back(std::move(row));
  }
  document["stages"] = ordered_json::array();
  for (const StageRepeat& stage : record.stages)
    document["stages"].push_back({{"id", stage.id},
                                  {"name", stage.name},
                                  {"contract", stage.contract},
                                  {"promise", name(stage.promise)},
                                  {"digest", to_string(stage.digest)},
                                  {"elements", stage.elements},
                                  {"informative", stage.informative},
                                  {"runs", stage.runs},
                                  {"same", stage.same}});
  document["exit_code"] = static_cast<int>(code);
  fmt::print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

ExitCode determinism_command(const Options& options) {
  if (options.on.empty() && options.plan.empty())
    throw Error(Fault::bad_request,
                fmt::format("`determinism` was not told where to run: --on is missing. Try\n"
                            "  paritylab determinism {} --on cpu:fp32",
                            shell_quoted(options.model.model)));
  for (const std::string& axis : options.vary)
    if (std::find(axis_names.begin(), axis_names.end(), axis) == axis_names.end())
      throw Error(Fault::bad_request,
                  fmt::format("--vary {} names nothing that can be varied; "
                              "there is {}{}",
                              axis, fmt::join(axis_names, ", "), did_you_mean(axis, axis_names)));
  const Spec spec = spec_of(options.on, options.plan);
  Execution execution = execution_of(options.execution);
  execution.device = spec.device;
  const Processor processor = open_processor();
  const std::shared_ptr<Backend> backend = open_backend(spec, processor);
  LoadedModel model = load_model(options.model, processor, execution);
  const Plan plan = plan_for(spec, model.graph, model.stages, *backend);
  const PredictedMemory predicted = predicted_peak_bytes(model.graph, plan, execution.threads);
  const ScratchFolder scratch;
  const std::vector<Variation> all =
      variations({options, spec, model, plan, *backend, execution, scratch});
  std::int64_t largest = 1;
  for (const Variation& v : all) largest = std::max(largest, v.batch);
  require_memory(predicted.packed + predicted.values * largest,
                 "repeating " + model.graph.name +
                     (largest > 1 ? fmt::format(" with up to {} items (--batch)", largest) : ""));
  model.make_inputs();
  const std::vector<Tensor> inputs = model.tensors();
  DeterminismRecord record;
  {
    ProgressLine line;
    record = determinism({.graph = model.graph,
                          .plan = plan,
                          .backend = *backend,
                          .execution = execution,
                          .inputs = inputs,
                          .variations = all,
                          .observer = [&](const Progress& progress) { line.show(progress); }});
  }
  const auto code = static_cast<ExitCode>(exit_code_of(record, options.vary));
  if (options.as_json)
    print_json(record, model, code);
  else
    print_text(record, model);
  return code;
}

}  // namespace

void add_determinism(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "determinism", "Repeat a run in every way that may not change a bit; find what does.");
  const auto options = std::make_shared<Options>();
  options->batches = {2, 3};
  add_model_options(*command, options->model);
  add_place_options(*command, options->on, options->plan);
  command->add_option("--runs", options->runs, "repetitions in this process")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->add_option("--restarts", options->restarts, "repetitions in a fresh process each")
      ->type_name("N")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--batch", options->batches, "batch sizes, in items of the input; repeatable")
      ->type_name("N")
      ->check(CLI::Range(2, 4096))
      ->allow_extra_args(false)
      ->capture_default_str();
  command
      ->add_option("--vary", options->vary,
                   "only these: runs, restarts, threads, isa, streams, workspace, batch, plan; "
                   "repeatable. What is named and cannot be tried makes the exit code 4")
      ->type_name("WHAT")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--json", options->as_json, "as JSON");
  add_execution_options(*command, options->execution);
  command->footer(
      "The first run is the reference; its digests are compared bit for bit, stage by stage, with\n"
      "  runs      the same run again, in this process\n"
      "  restarts  in a fresh process\n"
      "  threads   with other thread counts\n"
      "  isa       with every instruction set of this processor\n"
      "  streams   with stages taking turns on other numbers of streams (cuda)\n"
      "  workspace with other workspaces lent to a vendor's library (cuda, gemm:cublas)\n"
      "  batch     in larger batches, at every place of the batch, among other items\n"
      "  plan      by the plan saved and replayed, and by a plan selected again\n"
      "Examples:\n"
      "  paritylab determinism model.onnx --on cpu:fp32\n"
      "  paritylab determinism model.onnx --on cpu:fp32 --runs 50 --vary runs,restarts --json\n"
      "Exit codes: 0 no bit changed · 1 a bit changed · 2 usage · 3 model or input invalid ·\n"
      "  4 incomplete: named by --vary but not tried, or a stage without information · 5 device");
  command->callback([&invocation, options] {
    invocation.job = [options] { return determinism_command(*options); };
  });
}

}  // namespace parity::cli
