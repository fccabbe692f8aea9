#include "cli/model_source.hpp"

#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "cli/environment.hpp"
#include "cli/progress.hpp"
#include "model/error.hpp"
#include "model/onnx/import.hpp"
#include "model/samples/samples.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

constexpr std::string_view sample_prefix = "sample:";

/// Inputs up to here are generated before the network and its memory are known.
constexpr std::int64_t largest_early_bytes = std::int64_t{64} << 20;

TensorType type_named(std::span<const TensorInfo> inputs, const std::string& name) {
  for (const TensorInfo& input : inputs)
    if (input.name == name) return input.type;
  return {};
}

struct Specialised {
  Graph graph;
  std::vector<std::pair<std::string, std::string>> declared;  ///< input generators of a sample
  std::vector<TensorInfo> inputs;  ///< all that the file has; empty when the graph knows them
};

Specialised build_sample(const ModelOptions& options, const Processor& processor,
                         const Execution& execution) {
  if (!options.shapes.empty() || !options.dims.empty())
    throw Error(Fault::bad_request,
                "the sample '" + options.model +
                    "' has fixed shapes; drop --shape and --dim, or choose another "
                    "case.");
  const std::string name = options.model.substr(sample_prefix.size());
  const SampleInfo& info = sample_named(name);
  Specialised made;
  made.graph = sample_graph(info.name, *processor.backend, execution);
  made.declared = info.inputs;
  return made;
}

/// The options of an import but for the inputs' elements.
ImportOptions import_options(const ModelOptions& options) {
  ImportOptions importing;
  const auto refuse_second = [](const std::string& option, const std::string& name) {
    throw Error(Fault::bad_request, option + " gives " + shown(name) + " twice; keep one.");
  };
  for (const std::string& each : options.shapes) {
    auto [name, text] = name_and_value("--shape", each);
    if (!importing.shapes.emplace(name, parse_shape(text)).second) refuse_second("--shape", name);
  }
  for (const std::string& each : options.dims) {
    const auto [name, text] = name_and_value("--dim", each);
    const Shape extent = parse_shape(text);
    if (extent.size() != 1)
      throw Error(
          Fault::bad_request,
          "--dim " + each + " cannot be read; write --dim NAME=EXTENT, as in --dim batch=1.");
    if (!importing.dims.emplace(name, extent[0]).second) refuse_second("--dim", name);
  }
  importing.asked_by = options.asked_by;
  for (const std::string& root : options.external_roots)
    importing.external_roots.emplace_back(root);
  importing.until = options.until;
  return importing;
}

/// The inputs that the file asks for. They and what the import may need of their elements are bound,
/// but for --from: then a file's tensors may stand for edges inside the model, which import does not
/// know.
std::vector<TensorInfo> bind_inputs(const ModelOptions& options, InputRequests& requests,
                                    ImportOptions& importing) {
  const bool whole = options.from.empty();
  if (whole && requests.has_files()) requests.meet(onnx_input_names(options.model));
  if (whole) {
    importing.bindings = requests.named();
    importing.binding_types = requests.declared();
  }
  std::vector<TensorInfo> inputs;
  for (const ModelInput& input : onnx_inputs(options.model, importing))
    inputs.push_back({input.name, input.type, input.declared});
  if (!whole) return {};
  // Weights and shapes given as inputs are small; what is larger waits until its memory is known.
  for (BoundInput& each : requests.bind_small(inputs, {}, largest_early_bytes))
    if (each.tensor.type() == type_named(inputs, each.name))
      importing.bindings.insert_or_assign(each.name, std::move(each.tensor));
  return inputs;
}

Specialised import_file(const ModelOptions& options, InputRequests& requests) {
  std::error_code ignored;
  if (!std::filesystem::exists(options.model, ignored))
    throw Error(Fault::bad_model, "the model '" + options.model +
                                      "' does not exist. Give the path of an .onnx file, or "
                                      "sample:second/A.");
  if (std::filesystem::is_directory(options.model, ignored))
    throw Error(Fault::bad_model, "the model '" + options.model +
                                      "' is a folder. Give the path of an .onnx file in it.");
  ImportOptions importing = import_options(options);
  Specialised made;
  made.inputs = bind_inputs(options, requests, importing);
  ProgressLine line;
  importing.observer = [&](std::size_t done, std::size_t of) { line.show_import(done, of); };
  made.graph = import_onnx(options.model, importing);
  return made;
}  // namespace

/// The part between --from and --until of what was made.
Graph part_asked_for(const Graph& made, const ModelOptions& options, bool sample) {
  // An importer has stopped at --until already, so that what follows may be unsupported.
  const std::string until = sample ? options.until : std::string();
  if (options.from.empty() && until.empty()) return made;
  try {
    return part_of(made, options.from, until);
  } catch (const Error& error) {
    if (sample || options.until.empty() || error.fault() != Fault::bad_request) throw;
    // Where the importer stopped, a stage behind it has no name. It has one when asked for alone.
    try {
      ModelOptions other = options;
      other.until = std::exchange(other.from, {});
      InputRequests none({});
      import_file(other, none);
    } catch (const Error&) {
      throw error;
    }
    throw nothing_between(made.name, options.from, options.until);
  }
}

/// A model or an input that cannot be read is as invalid as one that is wrong.
template <class F>
auto reading(Fault fault, const F& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.fault() == Fault::io) throw Error(fault, error.what());
    throw;
  }
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("MODEL", options.model, "an .onnx file, or sample:NAME[/CASE]")->required();
  command
      .add_option("--input", options.inputs,
                  "[NAME=]FILE (.npz .npy .pb or a test_data_set_N folder) or [NAME=]GENERATOR "
                  "(normal:SEED pillars:SEED integers:SEED extreme:SEED denormal:SEED zeros ones); "
                  "repeatable")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  command.add_option("--shape", options.shapes, "shape of an input, NAME=1x3x224x224; repeatable")
      ->type_name("NAME=SHAPE")
      ->allow_extra_args(false);
  command.add_option("--dim", options.dims, "a named extent, batch=1; repeatable")
      ->type_name("NAME=N")
      ->allow_extra_args(false);
  command.add_option("--from", options.from, "begin at this stage or tensor")
      ->type_name("STAGE|TENSOR");
  command.add_option("--until", options.until, "end with this stage or tensor")
      ->type_name("STAGE|TENSOR");
  command
      .add_option("--external-root", options.external_roots,
                  "folder into which external data may be linked; repeatable")
      ->type_name("DIR")
      ->allow_extra_args(false);
}

std::vector<std::string> files_read(const ModelOptions& options, std::vector<std::string> more) {
  for (const std::string& input : options.inputs) {
    more.push_back(input);
    if (const std::size_t equals = input.find('='); equals != std::string::npos)
      more.push_back(input.substr(equals + 1));
  }
  return more;
}

std::vector<std::string> words_of(const ModelOptions& options) {
  std::vector<std::string> words = {options.model};
  const auto add = [&](const char* flag, const std::vector<std::string>& values) {
    for (const std::string& value : values) words.insert(words.end(), {flag, value});
  };
  add("--input", options.inputs);
  add("--shape", options.shapes);
  add("--dim", options.dims);
  add("--external-root", options.external_roots);
  if (!options.from.empty()) words.insert(words.end(), {"--from", options.from});
  if (!options.until.empty()) words.insert(words.end(), {"--until", options.until});
  return words;
}

void add_side_options(CLI::App& command, std::string& a, std::string& b) {
  command.add_option("--a", a, "the side to trust")->type_name("SPEC")->capture_default_str();
  command.add_option("--b", b, "the side to question; required")->type_name("SPEC");
}

void add_place_options(CLI::App& command, std::string& on, std::string& plan) {
  command.add_option("--on", on, "where and by which arithmetic; required unless --plan")
      ->type_name("SPEC");
  command.add_option("--plan", plan, "replay a saved plan; its own SPEC without --on")
      ->type_name("FILE");
}

void add_execution_options(CLI::App& command, ExecutionOptions& options) {
  command.add_option("--threads", options.threads, "threads; all by default. Never changes a bit")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--isa", options.instruction_set,
                  "best, scalar, avx2, avx512 or neon. Never changes a bit")
      ->type_name("NAME");
}

Execution execution_of(const ExecutionOptions& options) {
  const std::optional<InstructionSet> set = instruction_set_named(options.instruction_set);
  if (!set)
    throw Error(Fault::bad_request,
                "--isa " + options.instruction_set +
                    " is no instruction set; there is best, scalar, avx2, avx512 and "
                    "neon.");
  Execution execution;
  execution.threads = options.threads > 0 ? options.threads : machine().threads;
  execution.instruction_set = *set;
  return execution;
}

void LoadedModel::make_inputs() {
  std::map<std::string, BoundInput> bound;
  for (BoundInput& each : requests->bind(wanted, declared))
    bound.insert_or_assign(each.name, std::move(each));
  inputs.clear();
  for (const TensorId id : graph.inputs) inputs.push_back(bound.at(graph.tensor(id).name));
}

std::vector<Tensor> LoadedModel::tensors() const {
  std::vector<Tensor> all;
  for (const BoundInput& input : inputs) all.push_back(input.tensor);
  return all;
}

std::int64_t bytes_of(std::span<const TensorInfo> inputs) {
  std::int64_t bytes = 0;
  for (const TensorInfo& input : inputs)
    bytes +=
        element_count(input.type.shape) * static_cast<std::int64_t>(byte_width(input.type.type));
  return bytes;
}

std::vector<std::pair<std::string, std::string>> LoadedModel::input_texts() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const BoundInput& input : inputs) all.emplace_back(input.name, input.text());
  return all;
}

LoadedModel load_model(const ModelOptions& options, const Processor& processor,
                       const Execution& execution) {
  const auto requests =
      reading(Fault::bad_input, [&] { return std::make_shared<InputRequests>(options.inputs); });
  const bool sample = options.model.compare(0, sample_prefix.size(), sample_prefix) == 0;
  Specialised made =
      sample ? build_sample(options, processor, execution)
             : reading(Fault::bad_model, [&] { return import_file(options, *requests); });
  LoadedModel loaded;
  loaded.graph = part_asked_for(made.graph, options, sample);
  loaded.stages = cut(loaded.graph);
  // Inside the model, a capture of our own calls a tensor by the stage that makes it.
  if (!options.from.empty())
    for (const Stage& stage : cut(made.graph))
      for (const TensorId id : loaded.graph.inputs)
        if (stage.outputs.front() == id)
          loaded.aliases.emplace_back(stage.name, loaded.graph.tensor(id).name);
  for (const auto& [alias, name] : loaded.aliases) requests->call(alias, name);
  if (!options.from.empty()) requests->begin_at(options.from);

  loaded.is_sample = sample;
  loaded.requests = requests;
  loaded.declared = std::move(made.declared);
  loaded.wanted = std::move(made.inputs);
  if (loaded.wanted.empty()) {
    for (const TensorId id : loaded.graph.inputs) loaded.wanted.push_back(loaded.graph.tensor(id));
    requests->bind_small(loaded.wanted, loaded.declared, 0);  // refuses what does not fit
  }
  return loaded;
}

Overview look_at(const ModelOptions& options) {
  InputRequests requests = reading(Fault::bad_input, [&] { return InputRequests(options.inputs); });
  return reading(Fault::bad_model, [&] {
    ImportOptions importing = import_options(options);
    try {
      bind_inputs(options, requests, importing);
    } catch (const Error& error) {
      // Open extents, or an input of a type that the lab does not hold: the overview tells.
      if (error.fault() != Fault::bad_request && error.fault() != Fault::bad_model) throw;
    }
    return overview_of(options.model, importing);
  });
}

}  // namespace parity::cli
