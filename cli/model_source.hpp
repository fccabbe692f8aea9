#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/backends.hpp"
#include "model/graph.hpp"
#include "model/inputs.hpp"

namespace parity::cli {

/// Which model, which part of it, on which inputs; as given on the command line.
struct ModelOptions {
  std::string model;  ///< a path, or sample:FAMILY/CASE
  std::vector<std::string> inputs, shapes, dims, external_roots;
  std::string from, until;
};
/// Adds MODEL, --input, --shape, --dim, --from, --until and --external-root.
void add_model_options(CLI::App& command, ModelOptions& options);

/// How fast, never what: threads and instruction set.
struct ExecutionOptions {
  int threads = 0;  ///< 0: all that this process may use
  std::string instruction_set = "best";
};
/// Adds --threads and --isa.
void add_execution_options(CLI::App& command, ExecutionOptions& options);
Execution execution_of(const ExecutionOptions& options);

/// A network ready to run.
struct LoadedModel {
  Graph graph;
  std::vector<Stage> stages;
  std::vector<BoundInput> inputs;  ///< in the order of graph.inputs

  std::vector<Tensor> tensors() const;
  /// "pillars": "float32 1x64x512x512 from pillars:7, digest …"
  std::vector<std::pair<std::string, std::string>> input_texts() const;
};

/// Bytes of the tensors of these types.
std::int64_t bytes_of(std::span<const TensorInfo> inputs);

/// Imports a file or builds a sample, cuts the part asked for into stages and makes the inputs.
LoadedModel load_model(const ModelOptions& options, const Processor& processor,
                       const Execution& execution);

}  // namespace parity::cli
