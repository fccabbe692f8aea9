#pragma once

#include <string>
#include <string_view>

namespace parity {

/// A name from a file as messages print it: in quotes, at most 120 bytes, anything but printable
/// ASCII and valid UTF-8 as \xNN.
std::string shown(std::string_view name);

/// An op type as it is when it looks like one ("Conv"), else as shown().
std::string shown_type(std::string_view op_type);

bool is_utf8(std::string_view text);

/// Whether a file's name says that it is of a kind: ".npz" at its end, in any case, behind a name.
bool has_suffix(std::string_view path, std::string_view suffix);

}  // namespace parity
