#include "reports/plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/summary.hpp"
#include "reports/svg.hpp"

namespace parity::reports {
namespace {

constexpr double picture_width = 1120;
constexpr double left = 76, right = 18;
constexpr std::size_t most_named_stages = 40;

constexpr std::string_view text_dim = "fill=\"currentColor\" fill-opacity=\"0.75\"";
constexpr std::string_view text_end =
    "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"end\"";
constexpr std::string_view text_middle =
    "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"middle\"";
constexpr std::string_view grid = "stroke=\"currentColor\" stroke-opacity=\"0.13\"";
constexpr std::string_view axis = "stroke=\"currentColor\" stroke-opacity=\"0.55\"";

/// Okabe and Ito's colours: told apart by readers who do not see all colours, and never alone.
std::string_view colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::same_bits:
      return "#0072B2";
    case Verdict::within_bound:
      return "#009E73";
    case Verdict::diverged:
      return "#D55E00";
    case Verdict::untrusted:
      return "#CC79A7";
    case Verdict::not_run:
      return "#8A8A8A";
  }
  return "#8A8A8A";
}

std::string points(std::initializer_list<std::pair<double, double>> corners) {
  std::string d;
  for (const auto& [x, y] : corners)
    d += (d.empty() ? "M" : "L") + coordinate(x) + " " + coordinate(y);
  return d;
}

/// Shape and colour both tell the verdict. `r` is half the size.
void marker(Svg& svg, Verdict verdict, double x, double y, double r) {
  const std::string fill =
      fmt::format("class=\"v{}\" fill=\"{}\"", static_cast<int>(verdict), colour_of(verdict));
  const std::string stroke = fmt::format(
      "class=\"s{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"", static_cast<int>(verdict),
      colour_of(verdict), coordinate(std::max(1.0, r / 2.5)));
  switch (verdict) {
    case Verdict::same_bits:
      svg.rect(x - r * 0.85, y - r * 0.85, 1.7 * r, 1.7 * r, fill);
      break;
    case Verdict::within_bound:
      svg.circle(x, y, r, fill);
      break;
    case Verdict::diverged:
      svg.path(points({{x, y - 1.5 * r}, {x + 1.4 * r, y + r}, {x - 1.4 * r, y + r}}) + "Z", fill);
      break;
    case Verdict::untrusted:
      svg.path(points({{x - r, y - r}, {x + r, y + r}}) + points({{x - r, y + r}, {x + r, y - r}}),
               stroke);
      break;
    case Verdict::not_run:
      svg.circle(x, y, r * 0.9, stroke);
      break;
  }
}

/// The stages' places from left to right, the same in every picture of a page.
struct Row {
  std::size_t count = 0;
  double step() const {
    return (picture_width - left - right) / static_cast<double>(std::max<std::size_t>(count, 1));
  }
  double at(std::size_t i) const { return left + (static_cast<double>(i) + 0.5) * step(); }
  double radius(Verdict verdict = Verdict::within_bound) const {
    return std::clamp(step() * 0.38, verdict > Verdict::within_bound ? 3.6 : 1.8, 5.0);
  }
  bool named() const { return count <= most_named_stages; }
};

/// A log axis whose zero, which no log axis has, is a line of its own below.
struct LogAxis {
  double top = 0, bottom = 0;
  double low = -1, high = 1;  ///< decimal exponents
  double y(double value) const {
    return bottom - (std::log10(value) - low) / (high - low) * (bottom - top);
  }
  double zero() const { return bottom + 20; }
  double infinite() const { return top - 17; }
  /// Where any value goes: not finite above, zero (and less) below.
  double place(double value) const {
    if (!std::isfinite(value)) return infinite();
    return value > 0 ? y(value) : zero();
  }
};

/// From `low` to `high`, wider where a value needs it, or as narrow as the values allow.
enum class Span { at_least, of_values };
LogAxis log_axis(const std::vector<double>& values, double top, double bottom, int low, int high,
                 Span span) {
  double smallest = std::numeric_limits<double>::infinity(), largest = 0;
  for (const double value : values) {
    if (!std::isfinite(value) || value <= 0) continue;
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
  }
  if (largest == 0) return {top, bottom, static_cast<double>(low), static_cast<double>(high)};
  const double first = std::floor(std::log10(smallest)), last = std::ceil(std::log10(largest));
  if (span == Span::of_values) return {top, bottom, std::min(first, last - 2), last};
  return {top, bottom, std::min<double>(low, first), std::max<double>(high, last)};
}

std::string power(int exponent) {
  return exponent == 0   ? "1"
         : exponent == 1 ? "10"
         : exponent == 2 ? "100"
                         : "1e" + std::to_string(exponent);
}

void draw_log_axis(Svg& svg, const LogAxis& a) {
  const int decades = static_cast<int>(a.high - a.low);
  const int every = std::max(1, static_cast<int>(std::ceil(decades * 15.0 / (a.bottom - a.top))));
  for (int e = static_cast<int>(a.low); e <= static_cast<int>(a.high); ++e) {
    const double y = a.y(std::pow(10.0, e));
    if (e % every != 0) continue;
    svg.line(left, y, picture_width - right, y, grid);
    svg.text(left - 8, y + 4, power(e), text_end);
  }
  svg.line(left, a.zero(), picture_width - right, a.zero(), axis);
  svg.text(left - 8, a.zero() + 4, "0", text_end);
}

/// Blocks as brackets above the panels, with what they add to the final error.
void draw_blocks(Svg& svg, const RunRecord& record, const Row& row, double y, double bottom) {
  const auto index_of = [&](int id) {
    const auto found = std::find_if(record.stages.begin(), record.stages.end(),
                                    [&](const StageResult& stage) { return stage.id == id; });
    return static_cast<std::size_t>(found - record.stages.begin());
  };
  for (const BlockResult& block : record.blocks) {
    const std::size_t first = index_of(block.first), last = index_of(block.last);
    if (block.name.empty() || first >= row.count || last >= row.count || last < first) continue;
    const double inset = std::min(2.0, row.step() / 6);
    const double x1 = row.at(first) - row.step() / 2 + inset,
                 x2 = row.at(last) + row.step() / 2 - inset;
    svg.path(points({{x1, y + 6}, {x1, y}, {x2, y}, {x2, y + 6}}),
             fmt::format("fill=\"none\" {}", axis));
    if (first > 0) svg.line(x1 - inset, y + 8, x1 - inset, bottom, grid);
    const int room = static_cast<int>((x2 - x1) / 6.6);
    const std::string share = percent(block.share_of_final);
    const int share_room = columns(share) + 3;
    std::string label = room >= share_room + 5
                            ? shortened(printable(block.name), room - share_room) + " · " + share
                        : room >= columns(share) ? share
                                                 : "";
    svg.text((x1 + x2) / 2, y - 7, label, "fill=\"currentColor\" text-anchor=\"middle\"");
    svg.open("g", Svg::hits);
    svg.hit(x1, y - 20, x2 - x1, 26,
            fmt::format("{}\n{} of the final error\nmax |b − a| {} at its last stage\n{} diverged",
                        shortened(printable(block.name), 80), share, max_at_end(block, 3),
                        block.diverged));
    svg.close("g");
  }
}

/// Names under the lowest panel, or ordinal numbers where there are too many.
void draw_stage_names(Svg& svg, const RunRecord& record, const Row& row, double y) {
  if (row.named()) {
    for (std::size_t i = 0; i < row.count; ++i)
      svg.text(
          row.at(i) + 3, y + 12, shortened(printable(name_of(record.stages[i])), 17),
          fmt::format(
              "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"end\" font-size=\"11\" "
              "transform=\"rotate(-38 {} {})\"",
              coordinate(row.at(i) + 3), coordinate(y + 12)));
    return;
  }
  const std::size_t every = row.count <= 120 ? 10 : row.count <= 600 ? 20 : 100;
  for (std::size_t i = every - 1; i < row.count; i += every) {
    svg.line(row.at(i), y - 2, row.at(i), y + 3, axis);
    svg.text(row.at(i), y + 16, std::to_string(i + 1), text_middle);
  }
  svg.text(left + 2, y + 16, "stage", text_dim);
}

double names_height(const Row& row) { return row.named() ? 84 : 24; }

/// Shortened for the pointer's sake; the table and the section of the stage tell all.
std::string origin_tip(const RunRecord& record, std::size_t i) {
  const StageResult& stage = record.stages[i];
  return fmt::format("{}/{}  {}\namplification {}, {} of the final error", i + 1,
                     record.stages.size(), shortened(printable(name_of(stage)), 80),
                     amplification_text(stage), percent(stage.share_of_final));
}

std::string error_tip(const RunRecord& record, std::size_t i) {
  const StageResult& stage = record.stages[i];
  const auto largest = [](const std::optional<Comparison>& c) {
    return c ? brief(c->max_abs) : "–";
  };
  return fmt::format(
      "{}/{}  {}\n{}  {}\n{} {}, of bound {}\nmax introduced {}, accumulated {} ({} of RMS a)",
      i + 1, record.stages.size(), shortened(printable(name_of(stage)), 80),
      shortened(printable(ops_text(stage)), 60), shortened(printable(stage.shape), 40),
      glyph(stage.verdict), words(stage.verdict), share_of_bound(stage), largest(stage.introduced),
      largest(stage.accumulated), brief(stage.accumulated_relative));
}

/// One catcher per stage over the whole height; a click goes to the stage's row of the table.
void draw_hits(Svg& svg, const RunRecord& record, const Row& row, double top, double bottom,
               std::string (*tip)(const RunRecord&, std::size_t)) {
  svg.open("g", Svg::hits);
  for (std::size_t i = 0; i < row.count; ++i) {
    svg.open("a", fmt::format("href=\"#s{}\" tabindex=\"-1\"", i + 1));
    svg.hit(row.at(i) - row.step() / 2, top, row.step(), bottom - top, tip(record, i));
    svg.close("a");
  }
  svg.close("g");
}

/// A vertical rule through all panels with its reason beside it.
void draw_rule(Svg& svg, const RunRecord& record, const Row& row, int id, double top, double bottom,
               std::string_view label, std::string_view dash, std::string_view colour) {
  const auto found = std::find_if(record.stages.begin(), record.stages.end(),
                                  [&](const StageResult& s) { return s.id == id; });
  if (found == record.stages.end()) return;
  const double x = row.at(static_cast<std::size_t>(found - record.stages.begin()));
  svg.line(x, top, x, bottom,
           fmt::format("{} stroke-width=\"1.5\" stroke-dasharray=\"{}\"", colour, dash));
  const bool to_left = x > picture_width * 0.7;
  svg.text(x + (to_left ? -11 : 11), top + 10, label,
           fmt::format("fill=\"currentColor\" font-weight=\"600\" text-anchor=\"{}\"",
                       to_left ? "end" : "start"));
}

/// Nothing where none is known.
std::optional<double> share_to_draw(const StageResult& stage) {
  const std::optional<double> share = largest_share_of_bound(stage);
  // Different bits where none may: as far out as a share can be.
  return share || stage.verdict != Verdict::diverged ? share
                                                     : std::numeric_limits<double>::infinity();
}

/// Viridis at nine places; between them the colours are mixed linearly.
std::string viridis(double t) {
  constexpr std::array<std::array<double, 3>, 9> anchors = {{{68, 1, 84},
                                                             {71, 44, 122},
                                                             {59, 81, 139},
                                                             {44, 113, 142},
                                                             {33, 144, 141},
                                                             {39, 173, 129},
                                                             {92, 200, 99},
                                                             {170, 220, 50},
                                                             {253, 231, 37}}};
  const double place = std::clamp(t, 0.0, 1.0) * 8;
  const auto i = std::min<std::size_t>(7, static_cast<std::size_t>(place));
  const double f = place - static_cast<double>(i);
  std::string text = "#";
  for (std::size_t c = 0; c < 3; ++c)
    text +=
        fmt::format("{:02x}", std::lround(anchors[i][c] + f * (anchors[i + 1][c] - anchors[i][c])));
  return text;
}

/// Round numbers for a linear axis from 0 to `largest`: 1, 2 or 5 times a power of ten, about five
/// of them.
double tick_step(double largest) {
  if (!(largest > 0) || !std::isfinite(largest)) return 1;
  const double raw = largest / 5;
  const double decade = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * decade >= raw) return factor * decade;
  return 10 * decade;
}

/// The accumulated errors and what is drawn beside them, all of which the axis must hold.
std::vector<double> with_forecast(const RunRecord& record, std::vector<double> relatives) {
  for (const StageResult& stage : record.stages)
    if (stage.accumulated && stage.predicted_rms && stage.accumulated->rms_a > 0)
      for (const double rms : {stage.accumulated->rms, *stage.predicted_rms})
        relatives.push_back(rms / stage.accumulated->rms_a);
  return relatives;
}

/// The rms of b - a as measured (dotted) and as variance propagation forecasts it (dashed), on the
/// axis of the accumulated error.
void draw_forecast(Svg& svg, const RunRecord& record, const Row& row, const LogAxis& relative,
                   double key_y) {
  std::string measured, predicted;
  for (std::size_t i = 0; i < row.count; ++i) {
    const StageResult& stage = record.stages[i];
    const bool drawn = stage.accumulated && stage.predicted_rms && stage.accumulated->rms > 0 &&
                       stage.accumulated->rms_a > 0;
    if (!drawn) continue;
    const auto point = [&](double rms) {
      const double y = relative.y(rms / stage.accumulated->rms_a);
      return std::clamp(std::isfinite(y) ? y : relative.zero(), relative.top, relative.zero());
    };
    const auto join = [&](std::string& d, double y) {
      d += (d.empty() ? "M" : "L") + coordinate(row.at(i)) + " " + coordinate(y);
    };
    join(measured, point(stage.accumulated->rms));
    join(predicted, point(*stage.predicted_rms));
  }
  if (predicted.empty()) return;
  constexpr std::string_view dotted =
      "fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.55\" stroke-width=\"1.2\" "
      "stroke-dasharray=\"1.5 3\"";
  constexpr std::string_view dashed =
      "class=\"s0\" fill=\"none\" stroke=\"#0072B2\" stroke-width=\"1.5\" "
      "stroke-dasharray=\"6 4\"";
  svg.path(measured, dotted);
  svg.path(predicted, dashed);
  // The key stands in the line of the panel's title, where no curve comes.
  constexpr double sample = 26, word = 68;
  double x = picture_width - right;
  for (const auto& [what, line] : {std::pair{"forecast", dashed}, std::pair{"measured", dotted}}) {
    svg.text(x, key_y, what, "fill=\"currentColor\" text-anchor=\"end\" font-size=\"11\"");
    svg.path(points({{x - word + 10 - sample, key_y - 4}, {x - word + 10, key_y - 4}}), line);
    x -= word + sample;
  }
  svg.text(x, key_y, "rms of b − a ÷ RMS of a:",
           "fill=\"currentColor\" text-anchor=\"end\" font-size=\"11\"");
}

}  // namespace

std::string verdict_icon(Verdict verdict) {
  Svg svg(14, 14, words(verdict), "icon");
  marker(svg, verdict, 7, verdict == Verdict::diverged ? 8 : 7, 4.5);
  return std::move(svg).take();
}

std::string plot_errors(const RunRecord& record) {
  const Row row{record.stages.size()};
  constexpr double top = 58, panel = 172;
  std::vector<double> shares, relatives;
  bool unplaced = false;
  for (const StageResult& stage : record.stages) {
    shares.push_back(share_to_draw(stage).value_or(0));
    relatives.push_back(stage.accumulated ? stage.accumulated_relative : 0);
    unplaced = unplaced || !std::isfinite(shares.back()) || !std::isfinite(relatives.back());
  }
  const double headroom = unplaced ? 27 : 0;
  const LogAxis share =
      log_axis(shares, top + 22 + headroom, top + 22 + headroom + panel, -2, 1, Span::at_least);
  const double second = share.zero() + 44 + headroom;
  const LogAxis relative = log_axis(with_forecast(record, relatives), second, second + panel * 0.85,
                                    -7, -3, Span::of_values);
  const double end = relative.zero() + 12;
  Svg svg(picture_width, end + names_height(row),
          "Error of every stage: the largest share of a derived bound, and "
          "accumulated error relative to the RMS of a. The stage table holds the same numbers.",
          "plot");

  draw_blocks(svg, record, row, 32, end);
  svg.text(left, share.top - headroom - 10,
           fmt::format("of bound: introduced error max |{}| ÷ its derived bound, or a side's own",
                       symbols_of(record).introduced),
           "fill=\"currentColor\" font-weight=\"600\"");
  svg.rect(left, share.y(1), picture_width - left - right, share.bottom - share.y(1),
           "class=\"band\" fill=\"#009E73\" fill-opacity=\"0.10\"");
  draw_log_axis(svg, share);
  svg.line(left, share.y(1), picture_width - right, share.y(1),
           "class=\"bound\" stroke=\"#009E73\" stroke-width=\"1.5\"");
  svg.text(picture_width - right - 4, share.y(1) - 5, "the bound",
           "fill=\"currentColor\" text-anchor=\"end\" font-size=\"11\"");
  svg.text(left, relative.top - headroom - 10, "accumulated error max |b − a| ÷ RMS of a",
           "fill=\"currentColor\" font-weight=\"600\"");
  draw_log_axis(svg, relative);
  if (unplaced) {
    svg.text(left - 8, share.infinite() + 4, "∞ NaN", text_end);
    svg.text(left - 8, relative.infinite() + 4, "∞ NaN", text_end);
  }

  const int diverging = record.answers.first_diverging,
            beyond = record.answers.first_beyond_tolerance;
  if (diverging >= 0)
    draw_rule(svg, record, row, diverging, share.top - headroom - 4, end, "first divergence",
              "none", "class=\"s2\" stroke=\"#D55E00\"");
  if (beyond >= 0)
    draw_rule(svg, record, row, beyond, relative.top - headroom - 2, end, "beyond --tolerance",
              "5 4", "stroke=\"currentColor\" stroke-opacity=\"0.6\"");

  draw_forecast(svg, record, row, relative, relative.top - headroom - 10);
  std::string curve;
  for (std::size_t i = 0; i < row.count; ++i) {
    const bool drawn = std::isfinite(relatives[i]) && relatives[i] > 0;
    const bool joins = i > 0 && std::isfinite(relatives[i - 1]) && relatives[i - 1] > 0;
    if (drawn)
      curve +=
          (joins ? "L" : "M") + coordinate(row.at(i)) + " " + coordinate(relative.y(relatives[i]));
  }
  if (!curve.empty())
    svg.path(curve,
             "fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.45\" stroke-width=\"1.5\"");
  // What is found must not hide among what is well: it is drawn later, and never small.
  std::vector<std::size_t> order;
  for (const bool found : {false, true})
    for (std::size_t i = 0; i < row.count; ++i)
      if (found == (record.stages[i].verdict > Verdict::within_bound)) order.push_back(i);
  for (const std::size_t i : order) {
    const StageResult& stage = record.stages[i];
    // What is not known has no place on the axis: it stays on the line below, as a hollow circle.
    const bool known = share_to_draw(stage).has_value();
    const double r = row.radius(stage.verdict);
    marker(svg, stage.verdict, row.at(i), known ? share.place(shares[i]) : share.zero(), r);
    marker(svg, stage.verdict, row.at(i),
           stage.accumulated ? relative.place(relatives[i]) : relative.zero(), r);
  }
  const std::vector<Milestone>& milestones = record.answers.milestones;
  double last_label = -1e9;
  for (std::size_t m = 0; m < milestones.size(); ++m) {
    if (m + 1 < milestones.size() && milestones[m + 1].stage == milestones[m].stage) continue;
    for (std::size_t i = 0; i < row.count; ++i) {
      if (record.stages[i].id != milestones[m].stage || !(relatives[i] > 0) ||
          !std::isfinite(relatives[i]))
        continue;
      svg.circle(row.at(i), relative.y(relatives[i]), row.radius() + 4,
                 "fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.7\"");
      if (row.at(i) - last_label < 52) continue;
      last_label = row.at(i);
      svg.text(row.at(i) + row.radius() + 5, relative.y(relatives[i]) + row.radius() + 13,
               "≥ " + scientific(milestones[m].threshold),
               "fill=\"currentColor\" font-size=\"11\"");
    }
  }
  draw_stage_names(svg, record, row, end);
  draw_hits(svg, record, row, 40, end, error_tip);
  return std::move(svg).take();
}

std::string plot_origins(const RunRecord& record) {
  const Row row{record.stages.size()};
  const double bar = std::clamp(row.step() * 0.62, 1.2, 26.0);
  constexpr double panel = 108;
  double widest = 1, largest = 0, negative = 0;  // log2 of the amplification, shares
  for (const StageResult& stage : record.stages) {
    if (stage.amplification > 0 && std::isfinite(stage.amplification))
      widest = std::max(widest, std::ceil(std::abs(std::log2(stage.amplification))));
    if (!std::isfinite(stage.share_of_final)) continue;
    largest = std::max(largest, stage.share_of_final);
    negative = std::max(negative, -stage.share_of_final);
  }
  constexpr double top = 80;
  const double middle = top + panel / 2;
  const auto y_of = [&](double factor) { return middle - std::log2(factor) / widest * panel / 2; };
  const double share_top = top + panel + 60, zero = share_top + panel;
  const double full = std::max(largest, 1e-6);
  const double below = negative > 0 ? std::min(panel / 2, negative / full * panel) : 0;
  const double end = zero + below + 10;
  Svg svg(picture_width, end + names_height(row),
          "Amplification and share of the final error of every stage. The stage table "
          "holds the same numbers.",
          "plot");
  draw_blocks(svg, record, row, 32, end);

  svg.text(left, top - 14,
           "amplification: inherited error behind the stage ÷ error at its inputs (both relative)",
           "fill=\"currentColor\" font-weight=\"600\"");
  const int every = std::max(1, static_cast<int>(std::ceil(widest / 3)));
  for (int e = -static_cast<int>(widest); e <= static_cast<int>(widest); ++e) {
    if (e % every != 0) continue;
    const double factor = std::exp2(e);
    svg.line(left, y_of(factor), picture_width - right, y_of(factor), e == 0 ? axis : grid);
    svg.text(left - 8, y_of(factor) + 4, "×" + shortest(factor), text_end);
  }
  svg.text(left, share_top - 24, "share of the final error",
           "fill=\"currentColor\" font-weight=\"600\"");
  const double step = tick_step(full);
  for (double tick = 0; tick <= full * 1.0001; tick += step) {
    const double y = zero - tick / full * panel;
    svg.line(left, y, picture_width - right, y, tick == 0 ? axis : grid);
    svg.text(left - 8, y + 4, fmt::format("{:g} %", 100 * tick), text_end);
  }
  for (std::size_t i = 0; i < row.count; ++i) {
    const StageResult& stage = record.stages[i];
    const bool blamed = stage.verdict == Verdict::diverged;
    const std::string fill =
        blamed ? "class=\"v2\" fill=\"#D55E00\"" : "class=\"v0\" fill=\"#0072B2\"";
    if (stage.amplification > 0 && std::isfinite(stage.amplification)) {
      const double y = y_of(stage.amplification);
      svg.rect(row.at(i) - bar / 2, std::min(y, middle), bar, std::max(0.8, std::abs(y - middle)),
               fill);
    } else if (!std::isfinite(stage.amplification)) {
      svg.text(row.at(i), middle - 4, std::isnan(stage.amplification) ? "NaN" : "∞", text_middle);
    }
    if (!std::isfinite(stage.share_of_final) || stage.share_of_final == 0) continue;
    const double height = std::min(std::abs(stage.share_of_final) / full * panel,
                                   stage.share_of_final < 0 ? below : panel);
    svg.rect(row.at(i) - bar / 2, stage.share_of_final > 0 ? zero - height : zero, bar,
             std::max(0.8, height), fill);
    if (row.named() && stage.share_of_final >= full * 0.35)
      svg.text(row.at(i), zero - height - 4, percent(stage.share_of_final),
               "fill=\"currentColor\" text-anchor=\"middle\" font-size=\"11\"");
  }
  draw_stage_names(svg, record, row, end);
  draw_hits(svg, record, row, 40, end, origin_tip);
  return std::move(svg).take();
}

std::string plot_ulp(const Comparison& comparison) {
  constexpr double width = 540, height = 268, x0 = 58, top = 30, bottom = 208;
  constexpr std::size_t nan_bin = ulp_bins - 1;
  std::size_t last = 12;  // a narrow picture of few bins would look like another one
  std::int64_t largest = 1;
  for (std::size_t bin = 0; bin < ulp_bins; ++bin) {
    if (comparison.ulp_histogram[bin] > 0 && bin < nan_bin) last = std::max(last, bin);
    largest = std::max(largest, comparison.ulp_histogram[bin]);
  }
  const int decades =
      std::max(1, static_cast<int>(std::ceil(std::log10(static_cast<double>(largest) + 0.5))));
  // Half a decade of floor: one element alone must still be a bar.
  const auto y_of = [&](double count) {
    return bottom - (std::log10(count) + 0.5) / (decades + 0.5) * (bottom - top);
  };
  // Bar 0, a gap, bars 1 to `last`, a gap, the bar of NaN.
  const double step = (width - x0 - 12) / (static_cast<double>(last) + 3);
  const auto x_of = [&](std::size_t bin) {
    if (bin == 0) return x0 + step * 0.5;
    if (bin == nan_bin) return x0 + step * (static_cast<double>(last) + 2.5);
    return x0 + step * (static_cast<double>(bin) + 1.0);
  };
  Svg svg(width, height,
          "Histogram of distances in units in the last place; the table below it holds the same "
          "counts.",
          "chart");
  svg.text(x0, 16, "elements", text_dim);
  const int every = decades > 7 ? 2 : 1;
  for (int e = 0; e <= decades; e += every) {
    const double y = y_of(std::pow(10.0, e));
    svg.line(x0, y, width - 8, y, grid);
    svg.text(x0 - 8, y + 4, power(e), text_end);
  }
  svg.line(x0, bottom, width - 8, bottom, axis);
  for (std::size_t bin = 0; bin < ulp_bins; ++bin) {
    if (bin > last && bin < nan_bin) continue;
    const std::int64_t count = comparison.ulp_histogram[bin];
    const double x = x_of(bin), y = count > 0 ? y_of(static_cast<double>(count)) : bottom;
    const char* fill = bin == 0         ? "class=\"v1\" fill=\"#009E73\""
                       : bin == nan_bin ? "class=\"v2\" fill=\"#D55E00\""
                                        : "class=\"v0\" fill=\"#0072B2\"";
    if (count > 0) svg.rect(x - step * 0.41, y, step * 0.82, bottom - y, fill);
    const bool labelled = bin == 0 || bin == nan_bin || last <= 14 || bin % 3 == 1;
    const std::string label = bin == 0         ? "0"
                              : bin == nan_bin ? "NaN"
                              : bin <= 10      ? std::to_string(1 << (bin - 1))
                                               : fmt::format("2^{}", bin - 1);
    if (labelled)
      svg.text(
          x, bottom + 16, label,
          "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"middle\" font-size=\"10.5\"");
    const std::string range =
        bin == 0         ? "equal"
        : bin == nan_bin ? "NaN on either side"
        : bin == 1       ? "1 ULP"
                         : fmt::format("{} to {} ULP", grouped(std::int64_t{1} << (bin - 1)),
                                       grouped((std::int64_t{1} << bin) - 1));
    svg.open("g", Svg::hits);
    svg.hit(x - step / 2, top, step, bottom - top + 20,
            range + "\n" + grouped(count) + " elements");
    svg.close("g");
  }
  svg.text(x_of(0), bottom + 34, "equal",
           "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"middle\" font-size=\"11\"");
  svg.text((x_of(1) + x_of(last)) / 2, bottom + 34,
           "distance in ULP, each bar up to twice its label",
           "fill=\"currentColor\" fill-opacity=\"0.75\" text-anchor=\"middle\" font-size=\"11\"");
  return std::move(svg).take();
}

std::string plot_heat(const ErrorMap& map, const Diagnosis* diagnosis) {
  constexpr double most = 420, x0 = 46, y0 = 14;
  constexpr int levels = 32;
  double smallest = std::numeric_limits<double>::infinity(), largest = 0;
  for (const float value : map.heat) {
    if (!std::isfinite(value) || value <= 0) continue;
    smallest = std::min<double>(smallest, value);
    largest = std::max<double>(largest, value);
  }
  if (largest == 0) smallest = largest = 1;
  // Colours tell three decades apart; more would leave the largest cells all alike.
  smallest = std::max(smallest, largest * 1e-3);
  const double span = std::log10(largest / smallest);
  const auto rows = static_cast<std::size_t>(map.rows),
             columns_ = static_cast<std::size_t>(map.columns);
  // One row only (a 1-D signal) still needs a height to be seen.
  const double cell_width = most / static_cast<double>(std::max<std::size_t>(columns_, 1));
  const double cell_height = std::min(std::max(cell_width, rows < 8 ? 18.0 : 0.0),
                                      most / static_cast<double>(std::max<std::size_t>(rows, 1)));
  const double width = cell_width * static_cast<double>(columns_),
               height = cell_height * static_cast<double>(rows);
  constexpr int zero_level = levels, odd_level = levels + 1;
  const auto level_of = [&](float value) {
    if (!std::isfinite(value)) return odd_level;
    if (value <= 0) return zero_level;
    const double t = span > 0 ? std::log10(std::max<double>(value, smallest) / smallest) / span : 1;
    return std::min(levels - 1, static_cast<int>(t * levels));
  };
  // One path per colour, made of horizontal runs: a run costs ten bytes where a rectangle would
  // cost sixty.
  std::array<std::string, levels + 2> runs;
  std::array<std::pair<long, long>, levels + 2> pens{};  // where each path's pen stands, in cells
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns_;) {
      const int level = level_of(map.heat[r * columns_ + c]);
      std::size_t next = c + 1;
      while (next < columns_ && level_of(map.heat[r * columns_ + next]) == level) ++next;
      const auto at = static_cast<std::size_t>(level);
      const auto x = static_cast<long>(c), y = static_cast<long>(r),
                 length = static_cast<long>(next - c);
      runs[at] += fmt::format("m{} {}h{}", x - pens[at].first, y - pens[at].second, length);
      pens[at] = {x + length, y};
      c = next;
    }
  Svg svg(x0 + width + 116, y0 + height + 36,
          "Heat map: where in the image the difference sits, largest of all channels.", "chart");
  svg.open("g", fmt::format("transform=\"translate({} {}) scale({} {})\" "
                            "shape-rendering=\"crispEdges\" fill=\"none\"",
                            coordinate(x0), coordinate(y0), shortest(cell_width),
                            shortest(cell_height)));
  for (int level = 0; level < levels + 2; ++level) {
    const std::string& d = runs[static_cast<std::size_t>(level)];
    if (d.empty() || level == zero_level) continue;
    const std::string colour = level == odd_level ? "#D55E00" : viridis((level + 0.5) / levels);
    svg.path("M0 .5" + d, fmt::format("stroke=\"{}\"", colour));
  }
  svg.close("g");
  svg.rect(x0, y0, width, height, fmt::format("fill=\"none\" {}", axis));
  if (diagnosis && diagnosis->box_first.size() == 4 && diagnosis->box_last.size() == 4 &&
      map.height > 0 && map.width > 0) {
    const double row = height / static_cast<double>(map.height),
                 column = width / static_cast<double>(map.width);
    const auto corner = [](const std::vector<std::int64_t>& at, std::size_t axis) {
      return static_cast<double>(at[axis]);
    };
    const double top = corner(diagnosis->box_first, 2), left = corner(diagnosis->box_first, 3);
    svg.rect(x0 + left * column, y0 + top * row,
             (corner(diagnosis->box_last, 3) + 1 - left) * column,
             (corner(diagnosis->box_last, 2) + 1 - top) * row,
             "fill=\"none\" stroke=\"#D55E00\" stroke-width=\"2\"");
  }
  svg.text(x0 - 6, y0 + 10, "0", text_end);
  svg.text(x0 - 6, y0 + height, std::to_string(map.height), text_end);
  svg.text(x0, y0 + height + 16, "0", text_dim);
  svg.text(x0 + width, y0 + height + 16, std::to_string(map.width), text_end);
  svg.text(x0 + width / 2, y0 + height + 16, "width", text_middle);
  const double bar_x = x0 + width + 18, bar_height = std::max(96.0, std::min(height, 200.0)),
               bar_top = y0 + 16;
  svg.text(bar_x, y0 + 6, "max |Δ|", text_dim);
  for (int level = 0; level < levels; ++level)
    svg.rect(bar_x, bar_top + bar_height * (levels - 1 - level) / levels, 14,
             bar_height / levels + 0.6,
             fmt::format("fill=\"{}\"", viridis((level + 0.5) / levels)));
  const int ticks = 4;
  for (int tick = 0; tick <= ticks; ++tick) {
    const double t = static_cast<double>(tick) / ticks;
    svg.text(bar_x + 20, bar_top + bar_height * (1 - t) + 4,
             brief(smallest * std::pow(10.0, t * span), 2), text_dim);
  }
  return std::move(svg).take();
}

std::string plot_channels(const ErrorMap& map) {
  constexpr double width = 540, x0 = 58, top = 30, bottom = 208, height = 250;
  double largest = 0;
  for (const float value : map.channel_max)
    if (std::isfinite(value)) largest = std::max<double>(largest, value);
  const double full = largest > 0 ? largest : 1;
  const std::size_t count = std::max<std::size_t>(map.channel_max.size(), 1);
  const double step = (width - x0 - 12) / static_cast<double>(count),
               bar = step > 4 ? step * 0.8 : step;
  Svg svg(width, height,
          "Largest difference of every channel; the table below it holds the largest ones.",
          "chart");
  svg.text(x0, 16, "max |Δ| of each channel", text_dim);
  const double tick = tick_step(full);
  for (double value = 0; value <= full * 1.0001; value += tick) {
    const double y = bottom - value / full * (bottom - top);
    svg.line(x0, y, width - 8, y, value == 0 ? axis : grid);
    svg.text(x0 - 8, y + 4, brief(value, 2), text_end);
  }
  const std::int64_t per_bar = std::max<std::int64_t>(
      1, (map.channels + static_cast<std::int64_t>(count) - 1) / static_cast<std::int64_t>(count));
  // All bars are strokes of one path: there may be 512.
  std::string bars, odd;
  for (std::size_t i = 0; i < map.channel_max.size(); ++i) {
    const float value = map.channel_max[i];
    if (value == 0) continue;
    const double y = std::isfinite(value) ? bottom - value / full * (bottom - top) : top;
    (std::isfinite(value) ? bars : odd) +=
        "M" + coordinate(x0 + step * (static_cast<double>(i) + 0.5)) + " " + coordinate(bottom) +
        "V" + coordinate(std::min(y, bottom - 0.5));
  }
  const std::string width_attribute = fmt::format("stroke-width=\"{:.2f}\"", bar);
  if (!bars.empty()) svg.path(bars, "class=\"s0\" stroke=\"#0072B2\" " + width_attribute);
  if (!odd.empty()) svg.path(odd, "class=\"s2\" stroke=\"#D55E00\" " + width_attribute);
  const std::size_t every = count <= 16 ? 1 : count <= 64 ? 8 : count <= 128 ? 16 : 64;
  for (std::size_t i = 0; i < map.channel_max.size(); i += every)
    svg.text(x0 + step * (static_cast<double>(i) + 0.5), bottom + 16,
             std::to_string(static_cast<std::int64_t>(i) * per_bar), text_middle);
  svg.text((x0 + width) / 2, bottom + 34,
           per_bar > 1 ? fmt::format("channel, {} per bar", per_bar) : "channel", text_middle);
  return std::move(svg).take();
}

std::string plot_waterfall(const Attribution& attribution) {
  constexpr double width = 660, label = 262, value = 66, row = 26, top = 28;
  const double x0 = label, x1 = width - value;
  const std::size_t bars = attribution.causes.size();
  double least = 0, most = 1, sum = 0;
  for (const CauseShare& cause : attribution.causes) {
    sum += cause.share;
    least = std::min(least, sum);
    most = std::max(most, sum);
  }
  // A record may come from a file: nothing but a finite span can be drawn.
  const bool drawable = std::isfinite(least) && std::isfinite(most);
  const auto x_of = [&](double share) {
    return drawable ? x0 + (share - least) / (most - least) * (x1 - x0) : x0;
  };
  const double bottom = top + row * static_cast<double>(bars);
  Svg svg(width, bottom + 10,
          "Waterfall of the introduced error by cause; the list beside it holds the same shares.",
          "chart");
  for (const double mark : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg.line(x_of(mark), top - 6, x_of(mark), bottom, mark == 0 || mark == 1 ? axis : grid);
    svg.text(x_of(mark), top - 12, percent(mark), text_middle);
  }
  double before = 0;
  for (std::size_t i = 0; i < bars; ++i) {
    const CauseShare& cause = attribution.causes[i];
    const double after = before + cause.share, y = top + row * static_cast<double>(i);
    const double from = x_of(std::min(before, after)), to = x_of(std::max(before, after));
    svg.text(x0 - 10, y + 17, shortened(printable(cause.what), 40), text_end);
    svg.rect(from, y + 5, std::max(1.5, to - from), row - 10,
             cause.cause == Cause::rest    ? "class=\"v4\" fill=\"#8A8A8A\""
             : cause.cause == Cause::fault ? "class=\"v2\" fill=\"#D55E00\""
             : cause.share < 0             ? "class=\"v3\" fill=\"#CC79A7\""
                                           : "class=\"v0\" fill=\"#0072B2\"");
    if (i + 1 < bars) svg.line(x_of(after), y + row - 5, x_of(after), y + row + 5, axis);
    svg.text(width - 4, y + 17, percent_in_tenths(cause.share), text_end);
    before = after;
  }
  return std::move(svg).take();
}

namespace {

/// The verdict that a point's marker shows: the worst of its stages, as an exit code counts them.
Verdict worst_of(const SweepPoint& point) {
  if (!point.refused.empty()) return Verdict::not_run;
  for (const Verdict verdict : {Verdict::diverged, Verdict::untrusted, Verdict::not_run})
    if (point.counts[static_cast<std::size_t>(verdict)] > 0) return verdict;
  return point.same_bits ? Verdict::same_bits : Verdict::within_bound;
}

}  // namespace

std::string plot_sweep(const SweepRecord& record, std::size_t along) {
  const std::vector<std::string>& values = record.axes[along].values;
  const Row row{values.size()};
  std::vector<double> relatives;
  bool unplaced = false;
  for (const SweepPoint& point : record.points)
    if (point.refused.empty()) {
      relatives.push_back(point.relative);
      unplaced = unplaced || !std::isfinite(point.relative);
    }
  if (relatives.empty()) return "";
  // One line per setting of the other axes, in the order of the points.
  std::vector<std::pair<std::string, std::vector<const SweepPoint*>>> lines;
  for (const SweepPoint& point : record.points) {
    const std::string others = setting_text(record.axes, point.at, along);
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&](const auto& each) { return each.first == others; });
    if (line == lines.end()) line = lines.insert(lines.end(), {others, {}});
    line->second.push_back(&point);
  }
  constexpr std::size_t most_lines = 6;
  constexpr const char* dashes[most_lines] = {"none", "7 4", "2 3", "9 3 2 3", "12 5", "1 5"};
  const bool named = lines.size() > 1 && lines.size() <= most_lines;
  const double top = 34 + (unplaced ? 27 : 0);
  const LogAxis scale = log_axis(relatives, top, top + 190, -7, -3, Span::of_values);
  const double end = scale.zero() + 12;
  const double legend = named ? 18.0 * static_cast<double>(lines.size()) + 8 : 0;
  Svg svg(picture_width, end + 40 + legend,
          "Largest difference of the outputs relative to the RMS of a, over " +
              record.axes[along].name + ". The table holds the same numbers.",
          "plot");
  svg.text(left, 16, "final difference max |b − a| ÷ RMS of a, over " + record.axes[along].name,
           "fill=\"currentColor\" font-weight=\"600\"");
  draw_log_axis(svg, scale);
  if (unplaced) svg.text(left - 8, scale.infinite() + 4, "∞ NaN", text_end);
  for (std::size_t i = 0; i < values.size(); ++i) {
    svg.line(row.at(i), scale.zero() - 2, row.at(i), scale.zero() + 4, axis);
    const int room = std::max(4, static_cast<int>(row.step() / 7));
    svg.text(row.at(i), end + 10, shortened(printable(values[i]), room), text_middle);
  }
  for (std::size_t k = 0; k < lines.size(); ++k) {
    std::string curve;
    for (const SweepPoint* point : lines[k].second)
      if (point->refused.empty())
        curve += (curve.empty() ? "M" : "L") + coordinate(row.at(point->at[along])) + " " +
                 coordinate(scale.place(point->relative));
    const char* const dash = dashes[named ? k : 0];
    const std::string stroke = fmt::format(
        "fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.45\" stroke-width=\"1.5\" "
        "stroke-dasharray=\"{}\"",
        dash);
    if (!curve.empty()) svg.path(curve, stroke);
    if (named) {
      const double y = end + 38 + 18.0 * static_cast<double>(k);
      svg.line(left, y - 4, left + 46, y - 4, stroke);
      svg.text(left + 54, y, lines[k].first, "fill=\"currentColor\"");
    }
  }
  for (const SweepPoint& point : record.points) {
    const Verdict worst = worst_of(point);
    const double x = row.at(point.at[along]);
    const double y = point.refused.empty() ? scale.place(point.relative) : scale.zero();
    svg.open("g", "");
    svg.tip(setting_text(record.axes, point.at) + "\n" +
            (point.refused.empty() ? (point.same_bits ? "same bits"
                                                      : "max |b − a| " + brief(point.max_abs) +
                                                            " at " + printable(point.output))
                                   : "nothing ran"));
    marker(svg, worst, x, y, 5);
    svg.close("g");
  }
  return std::move(svg).take();
}

}  // namespace parity::reports
