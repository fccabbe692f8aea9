#pragma once

#include <string>

#include "model/graph.hpp"

namespace parity {

/// The opset that export_onnx() writes.
inline constexpr int exported_opset = 21;

/// The bytes of an ONNX model of this graph: every parameter an initializer, every shape concrete.
/// Importing it gives the same ops on the same constants, so the same bits; node and tensor names
/// stay, a scope becomes the node's name, and Dropout becomes Identity. Throws Fault::bad_request
/// when the graph is larger than a protobuf may be (2 GiB).
std::string export_onnx(const Graph& graph);

}  // namespace parity
