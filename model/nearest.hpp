#pragma once

#include <span>
#include <string>
#include <string_view>

namespace parity {

/// The candidate with the smallest edit distance to `name`; empty when there is none within half its length, so that
/// a message never suggests nonsense.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean 'X'?" or nothing: ready to append to a sentence.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace parity
