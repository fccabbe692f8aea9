#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace parity::samples {

/// A checker of well-formed markup, strict as XML: every tag closed in order, attributes quoted and
/// not repeated, no bare & or <, no character that XML forbids. Empty when all is well.
class MarkupChecker {
 public:
  /// Elements that HTML never closes.
  explicit MarkupChecker(std::vector<std::string> empty_elements = {})
      : empty_(std::move(empty_elements)) {}

  std::string complaint(std::string_view text) {
    std::vector<std::string> open;
    std::size_t at = 0;
    while (at < text.size()) {
      const auto place = [&] { return " near: " + std::string(text.substr(at, 60)); };
      const char c = text[at];
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r')
        return "a control character" + place();
      if (c == '&') {
        const std::size_t end = text.find(';', at);
        if (end == std::string_view::npos || end - at > 8) return "a bare &" + place();
        at = end + 1;
      } else if (c != '<') {
        ++at;
      } else if (text.compare(at, 2, "<?") == 0 || text.compare(at, 2, "<!") == 0) {
        at = text.find('>', at) + 1;
      } else if (text.compare(at, 2, "</") == 0) {
        const std::size_t end = text.find('>', at);
        const std::string name(text.substr(at + 2, end - at - 2));
        if (open.empty() || open.back() != name)
          return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back()) + place();
        open.pop_back();
        at = end + 1;
      } else {
        const std::size_t start = at++;
        const std::string name = word(text, at);
        if (name.empty()) return "a bare <" + place();
        std::vector<std::string> attributes;
        for (;;) {
          while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
          if (at >= text.size()) return "an unfinished tag" + place();
          if (text[at] == '>' || text[at] == '/') break;
          const std::string attribute = word(text, at);
          if (attribute.empty()) return "no attribute name" + place();
          for (const std::string& other : attributes)
            if (other == attribute) return "a repeated attribute " + attribute + place();
          attributes.push_back(attribute);
          if (text[at] != '=') continue;  // hidden, async: HTML only
          if (text[at + 1] != '"') return "an unquoted attribute" + place();
          const std::size_t end = text.find('"', at + 2);
          const std::string_view value = text.substr(at + 2, end - at - 2);
          if (value.find('<') != std::string_view::npos) return "a < inside an attribute" + place();
          for (const char v : value)
            if (static_cast<unsigned char>(v) < 0x20)
              return "a control character inside an attribute" + place();
          at = end + 1;
        }
        const bool closed = text[at] == '/';
        at = text.find('>', at) + 1;
        bool empty = false;
        for (const std::string& element : empty_) empty = empty || element == name;
        if (!closed && !empty) open.push_back(name);
        if (name == "style" || name == "script") at = text.find("</" + name, start);
      }
    }
    return open.empty() ? "" : "<" + open.back() + "> is never closed";
  }

 private:
  static std::string word(std::string_view text, std::size_t& at) {
    const std::size_t start = at;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) ||
                                text[at] == '-' || text[at] == ':' || text[at] == '_'))
      ++at;
    return std::string(text.substr(start, at - start));
  }

  std::vector<std::string> empty_;
};

inline std::string xml_complaint(std::string_view text) { return MarkupChecker().complaint(text); }

inline std::string html_complaint(std::string_view text) {
  return MarkupChecker({"meta", "br", "input"}).complaint(text);
}

}  // namespace parity::samples
