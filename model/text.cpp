#include "model/text.hpp"

#include <algorithm>

namespace parity {
namespace {

constexpr std::size_t longest_name = 120;

/// Bytes of the UTF-8 sequence that starts at text[0]; 0 when it is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool too_large = lead == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

std::string shown(std::string_view name) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "'";
  std::size_t at = 0;
  while (at < name.size() && at < longest_name) {
    const std::size_t length = sequence_length(name.substr(at));
    const unsigned char byte = static_cast<unsigned char>(name[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      text += "\\x";
      text += digits[byte >> 4];
      text += digits[byte & 15];
      ++at;
    } else {
      text += name.substr(at, length);
      at += length;
    }
  }
  if (at < name.size()) text += "…";
  return text + "'";
}

std::string shown_type(std::string_view op_type) {
  const auto plain = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  const bool looks_like_one = !op_type.empty() && op_type.size() <= 60 &&
                              std::all_of(op_type.begin(), op_type.end(), plain);
  return looks_like_one ? std::string(op_type) : shown(op_type);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool has_suffix(std::string_view path, std::string_view suffix) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return path.size() > suffix.size() &&
         std::equal(suffix.rbegin(), suffix.rend(), path.rbegin(),
                    [&](char wanted, char found) { return wanted == lower(found); });
}

}  // namespace parity
