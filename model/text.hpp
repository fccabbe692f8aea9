#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace parity {

/// A name from a file as messages print it: in quotes, at most 120 bytes, anything but printable ASCII and
/// valid UTF-8 as \xNN.
std::string shown(std::string_view name);

bool is_utf8(std::string_view text);

/// The candidate closest to `name` by edit distance, as "did you mean 'x'?"; empty when
/// there are no candidates.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// 'a', 'b', 'c' and 4 more.
std::string listed(const std::vector<std::string>& names);

}  // namespace parity
