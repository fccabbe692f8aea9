#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity::onnx_import {

/// Evaluates a node at import when all it reads is known: integer and boolean arithmetic,
/// comparisons, shapes (of values too), and movement, selection and copies of any type, which only
/// pass bits; float values are made only from integers (Cast). Nothing when the node is no such, so
/// that it becomes a step. Throws Fault::bad_model, naming the node, when it is one and cannot be
/// evaluated (division by zero, an index outside the tensor, an overflow, more than `budget_bytes`,
/// from which results are subtracted).
std::optional<std::vector<Tensor>> fold(const NodeView& node, std::int64_t& budget_bytes);

/// Whether nodes of this op type can be evaluated so, given the right operands.
bool is_foldable(std::string_view op_type);

}  // namespace parity::onnx_import
