#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/backends.hpp"
#include "model/graph.hpp"
#include "model/inputs.hpp"
#include "model/onnx/overview.hpp"

namespace parity::cli {

/// Which model, which part of it, on which inputs; as given on the command line.
struct ModelOptions {
  std::string model;  ///< a path, or sample:FAMILY/CASE
  std::vector<std::string> inputs, shapes, dims, external_roots;
  std::string from, until;
  /// What messages call the option that gave a name its shape or extent (ImportOptions::asked_by).
  std::map<std::string, std::string> asked_by = {};
  friend bool operator==(const ModelOptions&, const ModelOptions&) = default;
};
/// Adds MODEL, --input, --shape, --dim, --from, --until and --external-root.
void add_model_options(CLI::App& command, ModelOptions& options);
/// The files among --input, and `more` that is read beside them: no output may fall onto one.
std::vector<std::string> files_read(const ModelOptions& options,
                                    std::vector<std::string> more = {});
/// The same as words of a command line.
std::vector<std::string> words_of(const ModelOptions& options);

/// How fast, never what: threads and instruction set.
struct ExecutionOptions {
  int threads = 0;  ///< 0: all that this process may use
  std::string instruction_set = "best";
};
/// Adds --threads and --isa.
void add_execution_options(CLI::App& command, ExecutionOptions& options);
/// --a, whose default stands in `a`, and --b, of a command that compares two sides.
void add_side_options(CLI::App& command, std::string& a, std::string& b);
/// --on and --plan, one of which a command that runs one side needs.
void add_place_options(CLI::App& command, std::string& on, std::string& plan);
Execution execution_of(const ExecutionOptions& options);

/// A network ready to run.
struct LoadedModel {
  Graph graph;
  std::vector<Stage> stages;
  std::vector<BoundInput> inputs;  ///< in the order of graph.inputs; empty before make_inputs()

  /// Generates and takes the inputs' elements, which may need more memory than all the rest.
  void make_inputs();

  std::vector<Tensor> tensors() const;
  /// "pillars": "float32 1x64x512x512 from pillars:7, digest …"
  std::vector<std::pair<std::string, std::string>> input_texts() const;

  // What make_inputs() works from.
  std::shared_ptr<const InputRequests> requests;
  bool is_sample = false;          ///< which has inputs of its own
  std::vector<TensorInfo> wanted;  ///< the inputs as the whole model counts them
  std::vector<std::pair<std::string, std::string>> declared;  ///< generators of a sample
  /// Of inputs that lie inside the model (--from): the stage that makes each, and its tensor's name.
  std::vector<std::pair<std::string, std::string>> aliases;
};

/// Bytes of the tensors of these types.
std::int64_t bytes_of(std::span<const TensorInfo> inputs);

/// Imports a file or builds a sample and cuts the part asked for into stages. Of the inputs only
/// small ones are generated, as far as the import may need their values.
LoadedModel load_model(const ModelOptions& options, const Processor& processor,
                       const Execution& execution);

/// What can be said of a file that load_model refuses. Throws what is wrong with the command line,
/// or with the file as a whole.
Overview look_at(const ModelOptions& options);

}  // namespace parity::cli
