#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace parity::reports {

/// Names in a record come from model files: they are a stranger's text. One function per sink; each
/// may be given any bytes and its result is safe there, valid UTF-8, and on one line.

/// Malformed UTF-8 becomes U+FFFD; control characters, and those that turn the direction of text or
/// cannot be seen, become visible as \u{202e}. Safe for a terminal; the base of the other sinks but
/// JSON's.
std::string printable(std::string_view text);

/// Between tags and inside a quoted attribute, of HTML, SVG and XML alike.
std::string markup(std::string_view text);

/// Inside a sentence or table cell of GitHub's Markdown: no emphasis, link, mention, HTML or cell
/// border.
std::string markdown(std::string_view text);

/// A JSON string with its quotes. Everything survives but malformed UTF-8, which becomes U+FFFD.
std::string json_string(std::string_view text);

/// Columns that printable text takes on a terminal.
int columns(std::string_view printable_text);

/// At most `most` columns of printable text, the middle replaced by "…" (or "..." where `ellipsis`
/// says so).
std::string shortened(std::string_view printable_text, int most, std::string_view ellipsis = "…");

}  // namespace parity::reports
