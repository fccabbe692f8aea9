#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parity {

/// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from `text`,
/// for "did you mean"; empty when none is within a third of its length, or there are none. Ties:
/// the earliest.
std::string nearest(std::string_view text, std::span<const std::string> candidates);

/// "; did you mean 'NAME'?" or nothing.
std::string did_you_mean(std::string_view text, std::span<const std::string> candidates);

/// "'a', 'b', 'c' and 4 more", each name as shown() prints it (model/text.hpp).
std::string listed(std::span<const std::string> names, std::size_t most = 8);

}  // namespace parity
