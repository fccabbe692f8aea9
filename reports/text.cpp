#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/reports.hpp"
#include "reports/summary.hpp"

namespace parity {
namespace reports {
namespace {

constexpr std::size_t rows_shown_whole = 40;
constexpr std::size_t rows_by_importance = 16;
constexpr int longest_name = 36;
constexpr std::string_view indent = "             ";  // under the labels

/// Escape sequences are added last, around finished cells, so that widths are those of the text.
enum class Ink { plain, bold, dim, red, green, blue, yellow };
std::string ink(const std::string& text, Ink colour, const TextStyle& style) {
  if (style.colour == Colour::none || colour == Ink::plain || text.empty()) return text;
  constexpr const char* codes[] = {"0", "1", "2", "31", "32", "36", "33"};
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<int>(colour)], text);
}

Ink ink_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::same_bits:
      return Ink::blue;
    case Verdict::within_bound:
      return Ink::green;
    case Verdict::diverged:
      return Ink::red;
    default:
      return Ink::yellow;
  }
}

Ink ink_of(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::identical:
      return Ink::blue;
    case Conclusion::explained:
      return Ink::green;
    case Conclusion::diverged:
      return Ink::red;
    case Conclusion::incomplete:
      return Ink::yellow;
  }
  return Ink::plain;
}

std::string padded(const std::string& text, int width) {
  return text + std::string(static_cast<std::size_t>(std::max(0, width - columns(text))), ' ');
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(between)) + part;
  return text;
}

std::string side_text(const char* side, const SideRecord& record) {
  std::string text = std::string(side) + " " + record.spec;
  if (!record.contract.empty()) text += " " + record.contract;
  if (!record.device.empty()) text += " (" + record.device + ")";
  return text;
}

/// One line where it fits, else one each for the model, a and b.
std::string subject(const RunRecord& record, const TextStyle& style) {
  std::string model = record.model;
  for (const auto& [name, what] : record.inputs) model += "   input " + name + ": " + what;
  const std::string parts[] = {printable(model), printable(side_text("a", record.a)),
                               printable(side_text("b", record.b))};
  const std::string line = parts[0] + "   " + parts[1] + "   " + parts[2];
  if (style.width == 0 || columns(line) <= style.width) return ink(line, Ink::bold, style) + "\n";
  std::string out;
  for (const std::string& part : parts) out += ink(part, Ink::bold, style) + "\n";
  return out;
}

std::string labelled(std::string_view label, const std::string& text, const TextStyle& style) {
  return ink(padded(std::string(label), static_cast<int>(indent.size())), Ink::bold, style) + text +
         "\n";
}

/// Of each decision; the other reports have more.
constexpr std::size_t points_shown = 3;

std::string answers(const RunRecord& record, const TextStyle& style) {
  const Headline answer = headline(record);
  const char* mark = answer.conclusion == Conclusion::diverged     ? "✗ "
                     : answer.conclusion == Conclusion::incomplete ? "? "
                                                                   : "✓ ";
  std::string out = ink(mark + answer.word, ink_of(answer.conclusion), style) + ": " +
                    printable(answer.detail) + "\n";
  if (const std::string more = evidence(record); !more.empty())
    out += std::string(indent) + printable(more) + "\n";

  std::vector<std::string> parts;
  for (const StageResult* stage : origins(record, 5))
    parts.push_back(origin_name(*stage) + " " + percent(stage->share_of_final));
  const std::string facts = origin_facts(record);
  if (!stages_follow(record))
    return out + labelled("comes from", std::string(stages_ran_alone), style);
  if (parts.empty() && facts.empty())
    parts = {"nowhere: b and a have the same bits wherever both are known"};
  if (!parts.empty()) out += labelled("comes from", printable(joined(parts, " · ")), style);
  if (!facts.empty()) out += labelled(parts.empty() ? "comes from" : "", printable(facts), style);

  if (const std::string causes = causes_text(record); !causes.empty())
    out += std::string(indent) + printable("cause: " + causes) + "\n";

  const std::vector<std::string> milestones = growth(record);
  std::string large = milestones.empty()
                          ? "nowhere: no stage passes a milestone"
                          : std::string(growth_measure) + " " + joined(milestones, " · ");
  out += labelled("gets large", printable(large), style);
  const ToleranceAnswer limit = tolerance(record);
  if (limit.state != ToleranceState::none) {
    const bool kept = limit.state == ToleranceState::kept;
    const std::string text = printable((kept                                      ? "✓ "
                                        : limit.state == ToleranceState::exceeded ? "✗ "
                                                                                  : "? ") +
                                       limit.text);
    out += std::string(indent) + ink(text, kept ? Ink::green : Ink::red, style) + "\n";
  }
  bool first_decision = true;
  for (const DecisionResult& decision : record.decisions) {
    out += labelled(first_decision ? "decides" : "", printable(decision_text(decision)), style);
    first_decision = false;
    std::vector<std::string> points = decision_points(decision);
    points.resize(std::min(points.size(), points_shown));
    for (const std::string& point : points)
      out += std::string(indent) + "  " + printable(point) + "\n";
  }
  if (const Remedy fix = remedy(record); !fix.remark.empty())
    out += labelled(
        "turn it off",
        printable(fix.option.empty() ? fix.remark : fix.option + "   (" + fix.remark + ")"), style);
  return out;
}

enum class Align { left, right };
struct Column {
  std::string title;
  Align align = Align::right;
  int keep = 0;  ///< columns with the smallest number go first when the window is narrow
  std::vector<std::string> cells;
  int width() const {
    int most = columns(title);
    for (const std::string& cell : cells) most = std::max(most, columns(cell));
    return most;
  }
};

std::string cell(const Column& column, const std::string& text) {
  const int width = column.width();
  return column.align == Align::left
             ? padded(text, width)
             : std::string(static_cast<std::size_t>(std::max(0, width - columns(text))), ' ') +
                   text;
}

/// The stages to print, in the record's order.
std::vector<const StageResult*> rows(const RunRecord& record, const TextStyle& style) {
  std::set<int> wanted;
  const bool all = style.rows == Rows::all || record.stages.size() <= rows_shown_whole;
  if (!all) {
    const std::vector<int> ranked = by_importance(record);
    wanted.insert(ranked.begin(), ranked.begin() + rows_by_importance);
    for (const Milestone& milestone : record.answers.milestones) wanted.insert(milestone.stage);
    wanted.insert({record.answers.first_diverging, record.answers.first_diverging - 1,
                   record.answers.first_different, record.answers.largest_introduced,
                   record.answers.worst_share_stage, record.answers.first_beyond_tolerance,
                   record.stages.front().id, record.stages.back().id});
  }
  std::vector<const StageResult*> result;
  for (const StageResult& stage : record.stages)
    if (all || wanted.count(stage.id) > 0) result.push_back(&stage);
  return result;
}

/// Two tensor cores with an elementary function behind each still fit.
constexpr int longest_contracts = 96;

std::vector<Column> table_columns(const std::vector<const StageResult*>& stages,
                                  std::string_view ellipsis) {
  std::vector<Column> table = {
      {"stage", Align::left, 9, {}},       {"op", Align::left, 2, {}},
      {"shape", Align::left, 1, {}},       {"contract a | b", Align::left, 3, {}},
      {"verdict", Align::left, 9, {}},     {"of bound", Align::right, 8, {}},
      {"introduced", Align::right, 7, {}}, {"accumulated", Align::right, 6, {}},
      {"amplified", Align::right, 4, {}},  {"of final", Align::right, 5, {}}};
  const auto largest = [](const std::optional<Comparison>& c) {
    return c ? brief(c->max_abs, 2) : "–";
  };
  for (const StageResult* stage : stages) {
    const std::string row[] = {
        shortened(printable(name_of(*stage)), longest_name, ellipsis),
        shortened(printable(ops_text(*stage)), 24, ellipsis),
        shortened(printable(stage->shape), 20, ellipsis),
        shortened(printable(contracts_text(*stage)), longest_contracts, ellipsis),
        std::string(glyph(stage->verdict)) + " " + std::string(words(stage->verdict)),
        share_of_bound(*stage),
        largest(stage->introduced),
        largest(stage->accumulated),
        amplification_text(*stage, 2),
        percent(stage->share_of_final)};
    for (std::size_t i = 0; i < table.size(); ++i) table[i].cells.push_back(row[i]);
  }
  return table;
}

void fit(std::vector<Column>& table, int width) {
  constexpr int gutter = 2, gap = 2;
  while (width > 0) {
    int total = gutter - gap;
    for (const Column& column : table) total += column.width() + gap;
    const auto least =
        std::min_element(table.begin(), table.end(),
                         [](const Column& x, const Column& y) { return x.keep < y.keep; });
    if (total <= width || least->keep >= 8) return;
    table.erase(least);
  }
}

std::string stage_table(const RunRecord& record, const TextStyle& style) {
  const std::string_view ellipsis = style.glyphs == Glyphs::utf8 ? "…" : "...";
  const std::vector<const StageResult*> shown = rows(record, style);
  if (shown.empty()) return "";
  std::vector<Column> table = table_columns(shown, ellipsis);
  fit(table, style.width);

  std::string head = "  ";
  for (const Column& column : table) head += cell(column, column.title) + "  ";
  head.erase(head.find_last_not_of(' ') + 1);
  std::string out = "\n" + ink(head, Ink::bold, style) + "\n";
  const auto block_of = [&](const StageResult& stage) {
    for (const BlockResult& block : record.blocks)
      if (block.first <= stage.id && stage.id <= block.last) return &block;
    return static_cast<const BlockResult*>(nullptr);
  };
  const BlockResult* open = nullptr;
  std::ptrdiff_t next = 0;  // where the record would go on if nothing were left out
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const StageResult& stage = *shown[i];
    const std::ptrdiff_t at = &stage - record.stages.data();
    if (at > next)
      out += ink(fmt::format("⋮ {} more, none of them in an answer", at - next), Ink::dim, style) +
             "\n";
    next = at + 1;
    const BlockResult* block = block_of(stage);
    if (block && block != open && !block->name.empty()) {
      std::string sums = shortened(printable(block->name), longest_name, ellipsis);
      if (stages_follow(record))
        sums += fmt::format("   {} of the final error, max |b − a| {} at its end",
                            percent(block->share_of_final), max_at_end(*block, 2));
      if (block->diverged > 0)
        sums += fmt::format("{}{} diverged", stages_follow(record) ? ", " : "   ", block->diverged);
      out += ink("┌ " + sums, Ink::dim, style) + "\n";
    }
    open = block;
    const bool inside = block && !block->name.empty();
    const bool last = !inside || i + 1 == shown.size() || block_of(*shown[i + 1]) != block;
    std::string line = ink(inside ? (last ? "└ " : "│ ") : "  ", Ink::dim, style);
    for (const Column& column : table) {
      const std::string text = cell(column, column.cells[i]);
      line += (column.title == "verdict" ? ink(text, ink_of(stage.verdict), style) : text) + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  if (const std::ptrdiff_t rest = static_cast<std::ptrdiff_t>(record.stages.size()) - next;
      rest > 0)
    out += ink(fmt::format("⋮ {} more, none of them in an answer", rest), Ink::dim, style) + "\n";
  return out;
}

/// The stage that the first question anybody asks next is about.
std::string focus(const RunRecord& record, const TextStyle& style) {
  const StageResult* stage = stage_in_focus(record);
  if (!stage) return "";
  std::string out = "\n" + ink(printable(name_of(*stage)), Ink::bold, style) + "   " +
                    focus_reason(record) + "   " + printable(ops_text(*stage)) + " " +
                    printable(stage->shape) + "\n";
  const auto line = [&](std::string_view label, const std::string& text) {
    if (!text.empty()) out += labelled(label, printable(text), style);
  };
  line("verdict",
       std::string(words(stage->verdict)) + (stage->reason.empty() ? "" : ": " + stage->reason));
  for (const Diagnosis& diagnosis : stage->diagnoses)
    line(&diagnosis == stage->diagnoses.data() ? "looks like" : "or like",
         diagnosis_name(diagnosis) + ": " + diagnosis.evidence);
  if (!stage->diagnoses.empty())
    if (const std::string box = box_text(stage->diagnoses.front()); !box.empty())
      line("worst in", box);
  if (stage->runs > 1)
    line("repeated", fmt::format("{} runs of each side on one input: a gave {} and b {} different "
                                 "outputs",
                                 stage->runs, stage->distinct_a, stage->distinct_b));
  line("contract", contracts_text(*stage));
  line("nodes", joined(stage->nodes, "  "));
  if (stage->introduced) {
    const Comparison& c = *stage->introduced;
    line("introduced", worst_text(c, stage->shape));
    if (c.judged && c.worst_judged && largest_share_of_bound(*stage))
      line("", fmt::format("worst against both bounds together: {} of them, {} at {}",
                           brief(c.worst_share), brief(c.worst_bound),
                           coordinates(c.worst_judged->index, stage->shape)));
    line("", fmt::format("{} of {} elements have other bits, {} informative; NaN {}, infinity {}, "
                         "sign of zero {}",
                         grouped(c.differing), grouped(c.elements), grouped(c.informative),
                         grouped(c.nan_mismatches), grouped(c.infinity_mismatches),
                         grouped(c.signed_zero_mismatches)));
  }
  if (stage->accumulated) line("accumulated", worst_text(*stage->accumulated, stage->shape));
  const auto oracle = [&](const char* side, const std::optional<OracleTest>& test) {
    if (!test || !largest_share_of_bound(*stage)) return;
    line("", fmt::format(
                 "{} against exact: {} of its bound at {}, |y − exact| at most {} ({} {} elements)",
                 side, brief(test->worst_share), coordinates(test->worst_index, stage->shape),
                 brief(test->max_abs), test->all ? "all" : "a sample of", grouped(test->elements)));
  };
  oracle("a", stage->exact_a);
  oracle("b", stage->exact_b);
  line("forecast", forecast_text(*stage));
  if (stage->attribution) {
    line("causes", shares_text(*stage->attribution));
    line("", certificate_text(*stage->attribution));
  }
  if (stage->statistics) {
    if (stage->statistics->a) line("", "a: " + noise_text(*stage->statistics->a));
    if (stage->statistics->b) line("", "b: " + noise_text(*stage->statistics->b));
    if (stage->statistics->inherited)
      line("inherited", inherited_text(*stage->statistics->inherited));
  }
  return out;
}

std::string remarks(const RunRecord& record, const TextStyle& style) {
  std::string out;
  for (const std::string& note : record.notes)
    out += labelled(out.empty() ? "notes" : "", printable(note), style);
  bool first = true;
  for (const std::string& lint : record.lints) {
    out += labelled(first ? "lints" : "", printable(lint), style);
    first = false;
  }
  return out.empty() ? out : "\n" + out;
}

/// ASCII stand-ins of the same width for what this file prints; whatever else remains is spelled
/// out.
std::string ascii(const std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> stand_ins[] = {
      {"✓", "+"}, {"✗", "X"}, {"–", "-"}, {"−", "-"}, {"×", "x"},
      {"·", "*"}, {"┌", "|"}, {"│", "|"}, {"└", "|"}, {"⋮", ":"}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      out += text[i++];
      continue;
    }
    const auto found = std::find_if(
        std::begin(stand_ins), std::end(stand_ins),
        [&](const auto& pair) { return text.compare(i, pair.first.size(), pair.first) == 0; });
    if (found != std::end(stand_ins)) {
      out += found->second;
      i += found->first.size();
      continue;
    }
    // The text is valid UTF-8 here: the lead byte tells the length.
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    std::uint32_t point = lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k)
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    out += fmt::format("\\u{{{:x}}}", point);
    i += length;
  }
  return out;
}

}  // namespace
}  // namespace reports

std::string write_text(const RunRecord& record, const TextStyle& style) {
  std::string out = reports::subject(record, style);
  out += reports::answers(record, style);
  out += reports::stage_table(record, style);
  out += reports::focus(record, style);
  out += reports::remarks(record, style);
  return style.glyphs == Glyphs::ascii ? reports::ascii(out) : out;
}

}  // namespace parity
