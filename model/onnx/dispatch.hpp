#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/onnx/flatten.hpp"
#include "model/op.hpp"
#include "model/ops.hpp"

namespace parity::onnx_import {

/// What the room of a node's op type made of it.
struct ImportedOp {
  Op op;
  std::vector<int> inputs;
  std::vector<std::optional<Tensor>> parameters;
  std::vector<int> outputs;
};

/// Asks the room that names the node's op type. Nothing when no room does.
std::optional<ImportedOp> import_op(const NodeView& node);

/// Why the node cannot be imported whatever its operands: its domain or opset, a graph inside, an
/// op type that nothing knows. Nothing when it may be one that can.
std::optional<std::string> refusal_of(const FlatNode& node);

/// Every ONNX op type that some room imports, sorted.
std::vector<std::string> known_op_types();

}  // namespace parity::onnx_import
