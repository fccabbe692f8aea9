#include "reports/svg.hpp"

#include <fmt/format.h>

#include <cmath>

#include "reports/escape.hpp"

namespace parity::reports {

std::string coordinate(double value) {
  const auto tenths = static_cast<long>(std::lround(value * 10));
  if (tenths % 10 == 0) return std::to_string(tenths / 10);
  return fmt::format("{}{}.{}", tenths < 0 ? "-" : "", std::labs(tenths) / 10,
                     std::labs(tenths) % 10);
}

Svg::Svg(double width, double height, std::string_view title, std::string_view css_class)
    : out_(fmt::format(
          "<svg class=\"{2}\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
          "font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"currentColor\">\n"
          "<title>{3}</title>\n",
          coordinate(width), coordinate(height), css_class, markup(title))) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  out_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>\n", coordinate(x1),
                      coordinate(y1), coordinate(x2), coordinate(y2), attributes);
}

void Svg::rect(double x, double y, double width, double height, std::string_view attributes) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>\n", coordinate(x),
                      coordinate(y), coordinate(width), coordinate(height), attributes);
}

void Svg::circle(double x, double y, double r, std::string_view attributes) {
  out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}/>\n", coordinate(x), coordinate(y),
                      coordinate(r), attributes);
}

void Svg::path(std::string_view d, std::string_view attributes) {
  out_ += fmt::format("<path d=\"{}\" {}/>\n", d, attributes);
}

void Svg::text(double x, double y, std::string_view text, std::string_view attributes) {
  out_ += fmt::format("<text x=\"{}\" y=\"{}\" {}>{}</text>\n", coordinate(x), coordinate(y),
                      attributes, markup(text));
}

void Svg::open(std::string_view element, std::string_view attributes) {
  out_ += fmt::format("<{} {}>", element, attributes);
}

void Svg::close(std::string_view element) { out_ += fmt::format("</{}>\n", element); }

void Svg::tip(std::string_view text) {
  // Line breaks are the program's own and survive; those in names do not reach here.
  out_ += "<title>";
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out_ += (from > 0 ? "\n" : "") + markup(text.substr(from, end - from));
    from = end + 1;
  }
  out_ += "</title>";
}

void Svg::hit(double x, double y, double width, double height, std::string_view text) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">", coordinate(x),
                      coordinate(y), coordinate(width), coordinate(height));
  tip(text);
  out_ += "</rect>";
}

std::string Svg::take() && { return std::move(out_) + "</svg>\n"; }

}  // namespace parity::reports
