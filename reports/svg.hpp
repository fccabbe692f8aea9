#pragma once

#include <string>
#include <string_view>

namespace parity::reports {

/// A coordinate with at most one decimal: "12", "12.5".
std::string coordinate(double value);

/// Writes one static SVG. Everything that a picture needs stands in presentation attributes, so
/// that it looks right where style sheets are blocked; classes only let the page's sheet adapt it
/// to a dark screen. `attributes` are the program's own text; texts and titles are escaped here.
class Svg {
 public:
  /// Attributes of a group of rectangles that are there for the pointer only.
  static constexpr std::string_view hits = "class=\"hits\" fill-opacity=\"0\"";

  /// `title` is what a screen reader says instead of the picture.
  Svg(double width, double height, std::string_view title, std::string_view css_class);

  void line(double x1, double y1, double x2, double y2, std::string_view attributes);
  void rect(double x, double y, double width, double height, std::string_view attributes);
  void circle(double x, double y, double r, std::string_view attributes);
  void path(std::string_view d, std::string_view attributes);
  void text(double x, double y, std::string_view text, std::string_view attributes);
  /// Opens an element that close() ends: "g", "a".
  void open(std::string_view element, std::string_view attributes);
  void close(std::string_view element);
  /// What the pointer shows over the element opened last.
  void tip(std::string_view text);
  /// A rectangle that catches the pointer and shows `text`; stands in a group opened with `hits`.
  void hit(double x, double y, double width, double height, std::string_view text);

  /// The finished element.
  std::string take() &&;

 private:
  std::string out_;
};

}  // namespace parity::reports
