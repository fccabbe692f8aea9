#pragma once

#include <string>
#include <string_view>

#include "reports/summary.hpp"

namespace parity::reports {

/// What every page of ours begins and ends with: one file without a network, whose policy admits
/// its own style sheet and script by their hashes and nothing else. `title` is escaped here.
std::string page_begin(std::string_view title);
std::string page_end();

/// The class that colours a banner, and the glyph that says the same: "✗", "?", "✓".
std::string_view css_class(Conclusion conclusion);
std::string_view mark(Conclusion conclusion);

}  // namespace parity::reports
