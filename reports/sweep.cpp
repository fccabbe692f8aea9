#include "reports/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/page/frame.hpp"
#include "reports/plots.hpp"
#include "reports/summary.hpp"

namespace parity {
namespace reports {
namespace {

std::int64_t count(const SweepPoint& point, Verdict verdict) {
  return point.counts[static_cast<std::size_t>(verdict)];
}

/// What the point comes to, the worst first: never an agreement where something was not judged.
struct Outcome {
  Verdict verdict;
  std::string word;
};
Outcome outcome_of(const SweepPoint& point) {
  if (!point.refused.empty()) return {Verdict::not_run, "refused"};
  const std::string unjudged = fmt::format("{} of {}", unjudged_of(point), stages_of(point));
  if (count(point, Verdict::diverged) > 0)
    return {Verdict::diverged,
            std::string(words(Verdict::diverged)) +
                (unjudged_of(point) > 0 ? ", " + unjudged + " not judged" : std::string())};
  for (const Verdict verdict : {Verdict::untrusted, Verdict::not_run})
    if (count(point, verdict) > 0)
      return {verdict, fmt::format("{} ({} stages)", words(verdict), unjudged)};
  // Inputs alone cannot differ: outputs of the same bits may hide stages that are not.
  return count(point, Verdict::within_bound) > 0 ? Outcome{Verdict::within_bound, "within bound"}
                                                 : Outcome{Verdict::same_bits, "same bits"};
}

/// The row of a point, in the order of `heads`.
const std::vector<std::string> heads = {
    "",          "result",           "max |b − a|",     "÷ RMS of a",
    "at output", "first other bits", "first diverging", "most of it from"};
std::vector<std::string> cells_of(const SweepPoint& point) {
  const Outcome outcome = outcome_of(point);
  if (!point.refused.empty())
    return {std::string(glyph(outcome.verdict)), outcome.word, "", "", "", "", "", ""};
  const std::string beyond = point.beyond_tolerance.empty() ? "" : ", beyond tolerance";
  return {std::string(glyph(outcome.verdict)),
          outcome.word + beyond,
          point.same_bits ? "0" : brief(point.max_abs),
          point.same_bits ? "0" : brief(point.relative),
          point.same_bits ? "" : point.output,
          point.first_different,
          point.first_diverging,
          point.largest_share.empty() || point.same_bits
              ? ""
              : fmt::format("{} ({})", point.largest_share, percent(point.share))};
}

/// Columns that hold something in any row: an axis value always, a stage name maybe never.
struct Table {
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> right;
};
Table table_of(const SweepRecord& record) {
  Table all;
  for (const SweepAxis& axis : record.axes) {
    all.heads.push_back(axis.name);
    all.right.push_back(false);
  }
  for (const std::string& head : heads) {
    all.heads.push_back(head);
    all.right.push_back(head == "max |b − a|" || head == "÷ RMS of a");
  }
  for (const SweepPoint& point : record.points) {
    std::vector<std::string> row;
    for (std::size_t k = 0; k < record.axes.size(); ++k)
      row.push_back(record.axes[k].values[point.at[k]]);
    for (std::string& cell : cells_of(point)) row.push_back(std::move(cell));
    all.rows.push_back(std::move(row));
  }
  Table kept;
  for (std::size_t c = 0; c < all.heads.size(); ++c) {
    bool any = c < record.axes.size();
    for (const auto& row : all.rows) any = any || !row[c].empty();
    if (!any) continue;
    kept.heads.push_back(all.heads[c]);
    kept.right.push_back(all.right[c]);
    kept.rows.resize(all.rows.size());
    for (std::size_t r = 0; r < all.rows.size(); ++r)
      kept.rows[r].push_back(printable(all.rows[r][c]));
  }
  return kept;
}

Conclusion conclusion_of(const SweepRecord& record) {
  Conclusion worst = Conclusion::identical;
  for (const SweepPoint& point : record.points) {
    const Verdict verdict = outcome_of(point).verdict;
    if (verdict == Verdict::diverged) return Conclusion::diverged;
    if (verdict == Verdict::untrusted || verdict == Verdict::not_run)
      worst = Conclusion::incomplete;
    else if (verdict == Verdict::within_bound && worst == Conclusion::identical)
      worst = Conclusion::explained;
  }
  return worst;
}

/// "3 of 9 points", "the one point"; without a number where it is all of several.
std::string of_points(std::size_t count, std::size_t all) {
  if (count == all) return all == 1 ? "the one point" : fmt::format("all {} points", all);
  return fmt::format("{} of {} points", count, all);
}

/// The gravest outcome first; of every outcome that is no agreement how often.
std::string headline_of(const SweepRecord& record) {
  const std::size_t all = record.points.size();
  std::size_t same = 0, within = 0, diverged = 0, silent = 0, refused = 0, beyond = 0;
  for (const SweepPoint& point : record.points) {
    if (!point.refused.empty()) {
      ++refused;
      continue;
    }
    beyond += !point.beyond_tolerance.empty();
    const Verdict verdict = outcome_of(point).verdict;
    same += verdict == Verdict::same_bits;
    within += verdict == Verdict::within_bound;
    diverged += verdict == Verdict::diverged;
    silent += verdict == Verdict::untrusted || verdict == Verdict::not_run;
  }
  std::string text;
  const auto tell = [&](std::size_t count, const char* what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::string(what) + of_points(count, all);
  };
  tell(diverged, "diverged at ");
  tell(silent, "not wholly judged at ");
  tell(refused, "refused at ");
  tell(beyond, "beyond the tolerance at ");
  if (within == 0)
    tell(same, "the same bits at ");
  else
    tell(within + same, "explained by arithmetic at ");
  return text;
}

}  // namespace
}  // namespace reports

std::string write_sweep_text(const SweepRecord& record) {
  using namespace reports;
  std::string out = fmt::format("{}   {}\n", printable(record.model), headline_of(record));
  for (const SweepFinding& finding : record.findings)
    out +=
        fmt::format("{} {}\n", finding.warning ? "warning " : "finding ", printable(finding.text));
  const Table table = table_of(record);
  std::vector<int> widths;
  for (std::size_t c = 0; c < table.heads.size(); ++c) {
    int width = columns(table.heads[c]);
    for (const auto& row : table.rows) width = std::max(width, columns(row[c]));
    widths.push_back(width);
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string space(static_cast<std::size_t>(widths[c] - columns(cells[c])), ' ');
      text += "  " + (table.right[c] ? space + cells[c] : cells[c] + space);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  out += line(table.heads);
  for (const auto& row : table.rows) out += line(row);
  return out;
}

std::string write_sweep_html(const SweepRecord& record) {
  using namespace reports;
  std::string out = page_begin("sweep: " + record.model + ", " + headline_of(record));
  out += fmt::format(
      "<header>\n<p class=\"kicker\">ParityLab sweep · <strong>{}</strong></p>\n"
      "<div class=\"banner {}\">\n<h1 id=\"verdict-sentence\">{} "
      "{}.</h1>\n</div>\n</header>\n<main>\n",
      markup(record.model), css_class(conclusion_of(record)), mark(conclusion_of(record)),
      markup(headline_of(record)));
  out += "<h2>Findings</h2>\n<ul>";
  for (const SweepFinding& finding : record.findings)
    out += fmt::format("<li>{}{}.</li>\n", finding.warning ? "<strong>Warning:</strong> " : "",
                       markup(finding.text));
  out += "</ul>\n";
  // A picture over what has no order shows little; the first axis serves where none is of sizes.
  const bool any_size = std::any_of(record.axes.begin(), record.axes.end(), is_size);
  for (std::size_t axis = 0; axis < record.axes.size(); ++axis)
    if (any_size ? is_size(record.axes[axis]) : axis == 0) {
      const std::string picture = plot_sweep(record, axis);
      if (!picture.empty())
        out += fmt::format(
            "<h2>Along {}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
            "aria-label=\"plot\">{}</div>\n",
            markup(record.axes[axis].name), picture);
    }
  const Table table = table_of(record);
  out +=
      "<h2>Every point</h2>\n<div class=\"scroll\" tabindex=\"0\"><table border=\"1\" "
      "cellpadding=\"4\" cellspacing=\"0\">\n<thead><tr>";
  for (std::size_t c = 0; c < table.heads.size(); ++c)
    out += fmt::format("<th scope=\"col\"{}>{}</th>", table.right[c] ? " class=\"n\"" : "",
                       markup(table.heads[c]));
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c)
      out += fmt::format("<td{}>{}</td>", table.right[c] ? " class=\"n\"" : "", markup(row[c]));
    out += "</tr>\n";
  }
  out += fmt::format("</tbody></table></div>\n<h2>Run it again</h2>\n<pre>{}</pre>\n",
                     markup(record.command));
  return out + "</main>\n" + page_end();
}

}  // namespace parity
