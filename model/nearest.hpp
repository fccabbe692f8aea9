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

/// "a, b or c", at most `limit` of them and then how many more there are.
std::string listed(std::span<const std::string> names, std::size_t limit = 12);

}  // namespace parity
