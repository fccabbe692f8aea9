#pragma once

#include <string_view>

namespace parity::reports {

/// The page's one style sheet and one script, as they stand in page.css and page.js.
extern const std::string_view page_css;
extern const std::string_view page_js;

}  // namespace parity::reports
