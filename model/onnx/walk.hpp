#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/onnx/flatten.hpp"
#include "model/onnx/overview.hpp"

namespace parity::onnx_import {

struct Refusal {
  const FlatNode* node;  ///< null for an input
  Unsupported told;
};

/// What an import that goes as far as it can finds, when every extent is known.
struct Walked {
  std::vector<std::string> notes, lints;
  std::map<std::string, std::int64_t> macs;  ///< by op type, of the nodes that can be imported
  std::vector<Refusal> refused;
  std::vector<Stage> stages;  ///< of what can be imported; empty where nothing is refused
};
/// Nodes behind a refused one are not reached. Throws as import_onnx does, but for what is refused.
Walked walk(const Model& model, const ImportOptions& options);

}  // namespace parity::onnx_import
