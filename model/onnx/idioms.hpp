#pragma once

#include "model/graph.hpp"

namespace parity::onnx_import {

/// One op where exporters write several nodes for want of it, so that it rides on what is before it. Only
/// where the bits are those of the nodes, and where nobody else reads what lies between them:
///
///   Mul(x, Sigmoid(x)), Mul(x, Sigmoid(Mul(x, a)))   Swish(x; a), also called SiLU
///
/// The op has the name, scope and result of the last node.
Graph with_idioms(Graph graph);

}  // namespace parity::onnx_import
