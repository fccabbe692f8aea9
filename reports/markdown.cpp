#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/reports.hpp"
#include "reports/summary.hpp"

namespace parity {
namespace reports {
namespace {

constexpr std::size_t most_stages = 10;
constexpr std::size_t most_lines = 20;  // of notes, and of lints
constexpr int longest_text = 400;  // columns of a sentence or name: a review is no place for more
constexpr std::size_t most_bytes = 60000;  // GitHub cuts comments at 65,536 characters

/// A stranger's text, of bounded length.
std::string text(std::string_view from, int most = longest_text) {
  return markdown(shortened(printable(from), most));
}

std::string_view mark(Conclusion conclusion) {
  return conclusion == Conclusion::diverged     ? "❌"
         : conclusion == Conclusion::incomplete ? "⚠️"
                                                : "✅";
}

std::string answers(const RunRecord& record) {
  const Headline answer = headline(record);
  std::string out = fmt::format("### {} {}\n\n**{}**\n\n{}\n\n", mark(answer.conclusion),
                                text(answer.word), text(answer.detail), text(evidence(record)));
  out +=
      fmt::format("`a` {} · `b` {} · model {}\n\n", text(record.a.spec + " " + record.a.contract),
                  text(record.b.spec + " " + record.b.contract), text(record.model));
  if (!stages_follow(record))
    return out + "- **comes from** " + std::string(stages_ran_alone) + "\n";
  std::string from;
  for (const StageResult* stage : origins(record, 5))
    from += (from.empty() ? "" : " · ") + text(origin_name(*stage), 110) + " " +
            text(percent(stage->share_of_final));
  const std::string facts = origin_facts(record);
  out += "- **comes from** " +
         (from.empty() && facts.empty() ? "nowhere: the bits are the same" : from);
  if (!facts.empty()) out += (from.empty() ? "" : "; ") + text(facts);
  std::string large;
  for (const std::string& milestone : growth(record))
    large += (large.empty() ? "" : " · ") + text(milestone, longest_text);
  out += "\n- **gets large** " +
         (large.empty() ? "nowhere: no stage passes a milestone"
                        : text(growth_measure) + " " + large) +
         "\n";
  const ToleranceAnswer limit = tolerance(record);
  if (limit.state != ToleranceState::none)
    out += fmt::format("- **tolerance** {} {}\n",
                       limit.state == ToleranceState::kept       ? "✅"
                       : limit.state == ToleranceState::exceeded ? "❌"
                                                                 : "⚠️",
                       text(limit.text));
  const Remedy fix = remedy(record);
  for (const DecisionResult& decision : record.decisions)
    out += "- **decides** " + text(decision_text(decision)) + "\n";
  if (!fix.remark.empty())
    out += "- **turn it off** " +
           text(fix.option.empty() ? fix.remark : fix.option + " (" + fix.remark + ")") + "\n";
  return out;
}

std::string table(const RunRecord& record) {
  std::vector<int> ids = by_importance(record);
  if (ids.empty()) return "";
  std::string out =
      ids.size() > most_stages
          ? fmt::format("\nThe {} of {} stages that matter most:\n\n", most_stages, ids.size())
          : "\n";
  ids.resize(std::min(ids.size(), most_stages));
  out +=
      "| stage | op | contract a \\| b | verdict | of bound | introduced | accumulated | of final "
      "|\n"
      "|---|---|---|---|--:|--:|--:|--:|\n";
  const auto largest = [](const std::optional<Comparison>& c) {
    return c ? brief(c->max_abs) : "–";
  };
  for (const int id : ids) {
    const StageResult* stage = find(record, id);
    if (!stage) continue;
    out += fmt::format("| {} | {} | {} | {} {} | {} | {} | {} | {} |\n", text(name_of(*stage), 80),
                       text(ops_text(*stage), 40), text(contracts_text(*stage), 60),
                       glyph(stage->verdict), words(stage->verdict), share_of_bound(*stage),
                       largest(stage->introduced), largest(stage->accumulated),
                       text(percent(stage->share_of_final)));
  }
  return out;
}

std::string remarks(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string out = fmt::format("\n<details><summary>{} ({})</summary>\n\n", title, lines.size());
  for (std::size_t i = 0; i < std::min(lines.size(), most_lines); ++i)
    out += "- " + text(lines[i]) + "\n";
  if (lines.size() > most_lines)
    out += fmt::format("- and {} more, in the JSON report\n", lines.size() - most_lines);
  return out + "\n</details>\n";
}

/// A fence longer than any run of backticks inside, so that nothing closes it early.
std::string fenced(std::string_view command) {
  const std::string inside = shortened(printable(command), 4 * longest_text);
  std::size_t longest = 0, run = 0;
  for (const char c : inside) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return "\n" + fence + "\n" + inside + "\n" + fence + "\n";
}

}  // namespace
}  // namespace reports

std::string write_markdown(const RunRecord& record) {
  std::string out =
      reports::answers(record) + reports::table(record) + reports::fenced(record.command);
  for (const std::string& section :
       {reports::remarks("lints", record.lints), reports::remarks("notes", record.notes)})
    if (out.size() + section.size() <= reports::most_bytes) out += section;
  return out;
}

}  // namespace parity
