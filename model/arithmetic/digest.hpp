#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/arithmetic/digest_term.hpp"
#include "model/comparison.hpp"
#include "model/tensor.hpp"

namespace parity {

/// Closes an item: element count and type mixed in at the end.
Digest close_item(Digest sums, std::int64_t elements, Type type);
/// A tensor's digest is a digest over (item index, item digest).
Digest combine_items(const std::vector<Digest>& items, Type type);
/// Of a host tensor. Rank 0 counts as one item.
Digest digest(const Tensor& tensor);
/// The digest that to_string() wrote; nothing when the text is none.
std::optional<Digest> digest_named(std::string_view text);

}  // namespace parity
