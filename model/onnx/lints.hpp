#pragma once

#include <string>
#include <vector>

#include "model/onnx/flatten.hpp"

namespace parity::onnx_import {

/// What a reader of a file should know before believing a comparison.
struct Remarks {
  /// BatchNormalization folded or kept, recurrent nodes that start from a zero state of the file's
  /// own, a batch that is baked into the file, lengths that it fixes though other extents are open.
  std::vector<std::string> notes;
  /// What looks wrong though it runs: an epsilon far from usual or unlike its fellows', a Reshape
  /// that fixes the batch of a network whose inputs leave it open, training mode, live dropout,
  /// shapes and paths that the data decide.
  std::vector<std::string> lints;
};
/// Before the import, which takes the constants out of the model.
Remarks remarks_on(const Model& model);

/// BatchNormalization and Dropout as training runs them, which the lab does not.
std::vector<const FlatNode*> training_nodes(const Model& model);

}  // namespace parity::onnx_import
