#include "reports/escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace parity::reports {
namespace {

constexpr char32_t malformed = 0xfffd;

/// Takes one code point off the front; malformed bytes come one at a time as U+FFFD.
char32_t take(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  char32_t point = lead;
  bool good = lead < 0x80 || (lead >= 0xc2 && lead <= 0xf4 && text.size() >= length);
  if (good && length > 1) {
    point = lead & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length && good; ++i) {
      good = (byte(i) & 0xc0) == 0x80;
      point = (point << 6) | (byte(i) & 0x3f);
    }
    constexpr char32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && point >= smallest[length] && point <= 0x10ffff &&
           !(point >= 0xd800 && point <= 0xdfff);
  }
  text.remove_prefix(good ? length : 1);
  return good ? point : malformed;
}

void append(std::string& out, char32_t point) {
  const auto put = [&](char32_t byte) {
    out += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6), put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12), put(0x80 | (point >> 6 & 0x3f)), put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18), put(0x80 | (point >> 12 & 0x3f)), put(0x80 | (point >> 6 & 0x3f)),
        put(0x80 | (point & 0x3f));
  }
}

bool between(char32_t point, char32_t first, char32_t last) {
  return first <= point && point <= last;
}

/// Controls, bidirectional overrides, invisible characters, non-characters: what XML forbids is
/// among them.
bool invisible(char32_t p) {
  return p < 0x20 || between(p, 0x7f, 0x9f) || p == 0xad || p == 0x61c ||
         between(p, 0x180b, 0x180f) || between(p, 0x200b, 0x200f) || between(p, 0x2028, 0x202e) ||
         between(p, 0x2060, 0x206f) || p == 0xfeff || between(p, 0xfff9, 0xfffb) ||
         between(p, 0xfdd0, 0xfdef) || (p & 0xfffe) == 0xfffe || between(p, 0xe0000, 0xe0fff);
}

int columns_of(char32_t p) {
  if (between(p, 0x300, 0x36f) || between(p, 0x20d0, 0x20ff) || between(p, 0xfe00, 0xfe0f))
    return 0;
  const bool wide = between(p, 0x1100, 0x115f) || between(p, 0x2e80, 0xa4cf) ||
                    between(p, 0xac00, 0xd7a3) || between(p, 0xf900, 0xfaff) ||
                    between(p, 0xfe30, 0xfe6f) || between(p, 0xff00, 0xff60) ||
                    between(p, 0x1f300, 0x1faff) || between(p, 0x20000, 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char32_t point = take(text);
    if (invisible(point))
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(point));
    else
      append(out, point);
  }
  return out;
}

std::string markup(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string markdown(std::string_view text) {
  const std::string plain = printable(text);
  std::string out;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i];
    const auto follows = [&](std::string_view what) {
      return plain.compare(i, what.size(), what) == 0;
    };
    if (std::string_view("\\`*_{}[]#|~!$^").find(c) != std::string_view::npos) {
      out += '\\';
      out += c;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '@') {
      // "@someone" would call that person; a word joiner prevents it. "tf32@sm_90" calls nobody and
      // stays as it is.
      const bool inside_word =
          i > 0 && (std::isalnum(static_cast<unsigned char>(plain[i - 1])) != 0);
      out += inside_word ? "@" : "@\u2060";
    } else if (follows("://")) {
      out += "&#58;";
    } else if (follows("www.") || follows("WWW.")) {
      out += plain.substr(i, 3) + "&#46;";
      i += 3;
    } else {
      out += c;
    }
  }
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char32_t point = take(text);
    if (point == '"' || point == '\\') {
      out += '\\';
      append(out, point);
    } else if (point < 0x20 || point == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(point));
    } else {
      append(out, point);
    }
  }
  return out + "\"";
}

int columns(std::string_view text) {
  int total = 0;
  while (!text.empty()) total += columns_of(take(text));
  return total;
}

std::string shortened(std::string_view text, int most, std::string_view ellipsis) {
  if (columns(text) <= most) return std::string(text);
  std::vector<char32_t> points;
  while (!text.empty()) points.push_back(take(text));
  const int room = std::max(0, most - columns(ellipsis));
  std::string head, tail;
  std::size_t first = 0, last = points.size();
  int head_columns = 0, tail_columns = 0;
  // The end of a scoped name tells more than its middle; the front gets the odd column.
  while (first < last && head_columns + columns_of(points[first]) <= room - room / 2) {
    head_columns += columns_of(points[first]);
    append(head, points[first++]);
  }
  while (last > first && tail_columns + columns_of(points[last - 1]) <= room / 2) {
    tail_columns += columns_of(points[--last]);
    std::string one;
    append(one, points[last]);
    tail.insert(0, one);
  }
  return head + std::string(ellipsis) + tail;
}

}  // namespace parity::reports
