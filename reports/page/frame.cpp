#include "reports/page/frame.hpp"

#include <fmt/format.h>

#include "reports/escape.hpp"
#include "reports/page/assets.hpp"
#include "reports/sha256.hpp"

namespace parity::reports {
namespace {

std::string source_of(std::string_view asset) { return "'sha256-" + base64(sha256(asset)) + "'"; }

}  // namespace

std::string page_begin(std::string_view title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; "
      "style-src {}; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
      "name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" "
      "content=\"no-referrer\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
      source_of(page_js), source_of(page_css), markup(title), page_css);
}

std::string page_end() { return fmt::format("<script>{}</script>\n</body>\n</html>\n", page_js); }

std::string_view css_class(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::identical:
      return "identical";
    case Conclusion::explained:
      return "explained";
    case Conclusion::diverged:
      return "diverged";
    case Conclusion::incomplete:
      return "incomplete";
  }
  return "";
}

std::string_view mark(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::diverged:
      return "✗";
    case Conclusion::incomplete:
      return "?";
    default:
      return "✓";
  }
}

}  // namespace parity::reports
