#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Integers that newer opsets pass as an input and older ones had as an attribute: the constant
/// int64 input `index` from opset `since` on, the attribute `name` before; nothing when absent.
/// Refuses an input of another type.
std::optional<std::vector<std::int64_t>> numbers_from_onnx(const NodeView& node, int index,
                                                           int since, std::string_view name);

/// The int64 input `index`, which must be there and known at import.
std::vector<std::int64_t> required_numbers(const NodeView& node, int index, std::string_view role);

}  // namespace parity
