#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/onnx/import.hpp"

namespace parity {

/// An extent as a file declares it: a number, a name, or nothing.
struct Extent {
  std::optional<std::int64_t> value;
  std::string name;
};

/// "1x3xheightx?", "scalar".
std::string to_string(const std::vector<Extent>& shape);

/// An input or output as a file declares it.
struct DeclaredEdge {
  std::string name;
  std::string type;                          ///< "float32", or what the lab cannot hold: "float16"
  std::optional<std::vector<Extent>> shape;  ///< nothing: the file leaves even the rank open
};

/// An input whose extents the file leaves open and nobody gave.
struct OpenInput {
  std::string name;
  std::vector<std::string> dims;  ///< the open extents that have a name
  std::string hint;               ///< "--dim seq=…, with --shape x=1x…x6, or …"
};

/// What the lab cannot run.
struct Unsupported {
  std::string node;     ///< the node's name, or its first output's; an input's where op is empty
  std::string op_type;  ///< empty for an input
  std::string reason;
};

/// What can be said of a model whether or not it can be run.
struct Overview {
  std::string name, digest, producer;
  std::int64_t ir_version = 0;
  int opset = 0;
  std::vector<DeclaredEdge> inputs, outputs;
  std::map<std::string, int> ops;            ///< by op type, of the file's nodes
  std::map<std::string, std::int64_t> macs;  ///< multiply-adds by op type, where they are known
  std::int64_t parameters = 0, parameter_bytes = 0;
  std::vector<std::string> notes, lints;
  std::vector<OpenInput> open;
  /// Every node that is known not to run. While extents are open, or behind another such node, only
  /// what is wrong at any extents is known.
  std::vector<Unsupported> unsupported;
  /// Beside such nodes, while no extent is open: the stages that can be cut all the same, under the
  /// names that --until takes. Nothing behind an unsupported node is among them.
  std::vector<Stage> stages;
};

/// Looks at a file as import_onnx would specialise it. Throws as that does for what is no model, and
/// for options and bindings that do not fit; open extents and whatever cannot be imported are told.
Overview overview_of(const std::filesystem::path& file, const ImportOptions& options = {});

}  // namespace parity
