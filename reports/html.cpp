#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/page/frame.hpp"
#include "reports/plots.hpp"
#include "reports/reports.hpp"
#include "reports/summary.hpp"

namespace parity {
namespace reports {
namespace {

// The page must say everything where scripts and style sheets are blocked (continuous integration
// servers show artifacts so): its structure is semantic HTML, tables carry border and padding as
// attributes, and pictures carry their colours as attributes.

constexpr std::string_view table_attributes = "border=\"1\" cellpadding=\"4\" cellspacing=\"0\"";
constexpr int longest_table_name = 64;
constexpr std::size_t stages_told_whole = 200;
constexpr Verdict all_verdicts[] = {Verdict::same_bits, Verdict::within_bound, Verdict::diverged,
                                    Verdict::untrusted, Verdict::not_run};

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::size_t place(const RunRecord& record, const StageResult& stage) {
  return static_cast<std::size_t>(&stage - record.stages.data()) + 1;
}

/// A stage's name as a link to all its numbers.
std::string link(const RunRecord& record, int id) {
  const StageResult* stage = find(record, id);
  if (!stage) return markup(name_of(record, id));
  return fmt::format("<a href=\"#d{}\">{}</a>", place(record, *stage),
                     markup(shortened(printable(name_of(*stage)), longest_table_name)));
}

/// Rows of name and value; a row without a value is left out.
class Pairs {
 public:
  /// Escapes the value.
  void add(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, markup(value));
  }
  void code(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, "<code>" + markup(value) + "</code>");
  }
  void raw(std::string_view name, std::string_view html) {
    rows_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", markup(name), html);
  }
  std::string table() const {
    return rows_.empty()
               ? ""
               : fmt::format("<table class=\"pairs\" {}>\n{}</table>\n", table_attributes, rows_);
  }

 private:
  std::string rows_;
};

std::string list(const std::vector<std::string>& items, std::string_view element) {
  if (items.empty()) return "";
  std::string out = fmt::format("<{}>", element);
  for (const std::string& item : items) out += "<li>" + item + "</li>";
  return out + fmt::format("</{}>\n", element);
}

// ---- The first screen: the verdict, the three answers, the facts.

std::string banner(const RunRecord& record) {
  const Headline answer = headline(record);
  std::string inputs;
  for (const auto& [name, what] : record.inputs)
    inputs += " · input " + markup(name) + ": " + markup(what);
  std::string out = fmt::format(
      "<header>\n<p class=\"kicker\">ParityLab · <strong>{}</strong>{} · <strong>a</strong> {} · "
      "<strong>b</strong> {}</p>\n"
      "<div class=\"banner {}\">\n<h1 id=\"verdict-sentence\">{} {}: {}.</h1>\n<p>{}.</p>\n",
      markup(record.model), inputs, markup(record.a.spec), markup(record.b.spec),
      css_class(answer.conclusion), mark(answer.conclusion), markup(capitalised(answer.word)),
      markup(answer.detail), markup(evidence(record)));
  const ToleranceAnswer limit = tolerance(record);
  if (limit.state == ToleranceState::exceeded)
    out += fmt::format("<p class=\"limit\">✗ {}.</p>\n", markup(capitalised(limit.text)));
  return out + "</div>\n</header>\n";
}

std::string answer_bug(const RunRecord& record) {
  const Conclusion conclusion = headline(record).conclusion;
  const char* sentence =
      conclusion == Conclusion::diverged     ? "<strong>Yes.</strong> A stage that is fed the same "
                                               "input on both sides leaves its derived bound."
      : conclusion == Conclusion::incomplete ? "<strong>Not known.</strong> Some stages could not "
                                               "be judged, and that never counts as agreement."
      : conclusion == Conclusion::identical
          ? "<strong>No.</strong> There is no difference to explain."
          : "<strong>No.</strong> Each stage, fed the same input on both sides, stays within the "
            "bound that its arithmetic allows.";
  std::string out = fmt::format(
      "<section>\n<h2>1. Is it a bug?</h2>\n<p>{}</p>\n<ul class=\"counts\">", sentence);
  for (const Verdict verdict : all_verdicts) {
    const std::int64_t count = record.answers.counts[static_cast<int>(verdict)];
    if (count > 0)
      out += fmt::format("<li>{}{} {}</li>", verdict_icon(verdict), count, words(verdict));
  }
  return out + "</ul>\n</section>\n";
}

std::string answer_origin(const RunRecord& record) {
  std::vector<std::string> items;
  for (const StageResult* stage : origins(record, 5))
    items.push_back((stage->introduced ? "" : "somewhere up to ") + link(record, stage->id) +
                    (stage->introduced ? " " : " (not judged) ") +
                    markup(percent(stage->share_of_final)));
  std::string out = "<section>\n<h2>2. Where does it come from?</h2>\n";
  if (!stages_follow(record))
    return out + "<p>" + markup(capitalised(std::string(stages_ran_alone))) + ".</p>\n</section>\n";
  const std::string facts = origin_facts(record);
  if (items.empty() && facts.empty())
    out += "<p>Nowhere: both sides have the same bits wherever both are known.</p>\n";
  if (!items.empty()) out += "<p>Largest shares of the final error:</p>\n" + list(items, "ol");
  if (const std::string why = causes_text(record); !why.empty())
    out += "<p>Cause: " + markup(printable(why)) + ".</p>\n";
  if (!facts.empty()) out += "<p class=\"dim\">" + markup(capitalised(facts)) + ".</p>\n";
  return out + "</section>\n";
}

std::string answer_growth(const RunRecord& record) {
  std::vector<std::string> items;
  for (const std::string& milestone : growth(record)) items.push_back(markup(milestone));
  std::string out = "<section>\n<h2>3. Where does it get large?</h2>\n";
  if (!stages_follow(record))
    return out + "<p>" + markup(capitalised(std::string(stages_ran_alone))) + ".</p>\n</section>\n";
  out += items.empty() ? "<p>Nowhere: the accumulated error passes no milestone.</p>\n"
                       : "<p>" + markup(growth_measure) + "</p>\n" + list(items, "ul");
  const ToleranceAnswer limit = tolerance(record);
  if (limit.state != ToleranceState::none)
    out += fmt::format("<p>{} {}.</p>\n",
                       limit.state == ToleranceState::kept       ? "✓"
                       : limit.state == ToleranceState::exceeded ? "✗"
                                                                 : "?",
                       markup(capitalised(limit.text)));
  return out + "</section>\n";
}

std::string facts(const RunRecord& record) {
  struct Row {
    std::string name, a, b;
  };
  std::vector<Row> rows = {{"spec", record.a.spec, record.b.spec},
                           {"backend", record.a.backend, record.b.backend},
                           {"device", record.a.device, record.b.device},
                           {"numerics", record.a.numerics, record.b.numerics},
                           {"commonest contract", record.a.contract, record.b.contract},
                           {"promise", record.a.promise, record.b.promise}};
  // A backend may list among its facts what already has a row.
  const auto told = [](std::string_view name, std::string_view value, const SideRecord& side) {
    return name == "device" && value == side.device;
  };
  for (const auto& [name, value] : record.a.facts)
    if (!told(name, value, record.a)) rows.push_back({name, value, ""});
  for (const auto& [name, value] : record.b.facts) {
    if (told(name, value, record.b)) continue;
    const auto same = std::find_if(rows.begin() + 6, rows.end(),
                                   [&, &key = name](const Row& row) { return row.name == key; });
    if (same == rows.end())
      rows.push_back({name, "", value});
    else
      same->b = value;
  }
  std::string out = fmt::format(
      "<h2 id=\"facts\">The two sides</h2>\n<table class=\"facts\" {}>\n<thead><tr><th "
      "scope=\"col\"></th><th scope=\"col\">a</th>"
      "<th scope=\"col\"></th><th scope=\"col\">b</th></tr></thead>\n<tbody>\n",
      table_attributes);
  for (const Row& row : rows) {
    if (row.a.empty() && row.b.empty()) continue;
    const bool differs = row.a != row.b;
    out += fmt::format(
        "<tr{}><th scope=\"row\">{}</th><td>{}</td><td class=\"ne\">{}</td><td>{}</td></tr>\n",
        differs ? " class=\"differs\"" : "", markup(row.name), row.a.empty() ? "–" : markup(row.a),
        differs ? "≠" : "", row.b.empty() ? "–" : markup(row.b));
  }
  return out + "</tbody>\n</table>\n";
}

// ---- The pictures over the stages.

std::string legend(const RunRecord& record) {
  std::string out = "<ul class=\"legend\">";
  for (const Verdict verdict : all_verdicts)
    if (record.answers.counts[static_cast<int>(verdict)] > 0)
      out += fmt::format("<li>{}{}</li>", verdict_icon(verdict), words(verdict));
  return out + "</ul>\n";
}

std::string pictures(const RunRecord& record) {
  if (record.stages.empty()) return "";
  return "<h2 id=\"errors\">Every stage against its bound</h2>\n" + legend(record) +
         "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"plot of errors\">\n" +
         plot_errors(record) +
         "</div>\n<h2 id=\"origins\">Where the final error is made</h2>\n"
         "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"plot of origins\">\n" +
         plot_origins(record) + "</div>\n";
}

// ---- One stage in full.

std::string pair_text(const ElementPair& pair, const std::string& shape) {
  return fmt::format("{}<br>a <code>{}</code> <code>{}</code><br>b <code>{}</code> <code>{}</code>",
                     markup(coordinates(pair.index, shape)), a_value(pair), a_bits(pair),
                     b_value(pair), b_bits(pair));
}

/// Both comparisons of a stage side by side.
std::string comparisons(const RunRecord& record, const StageResult& stage) {
  if (!stage.introduced && !stage.accumulated) return "";
  std::string out = fmt::format(
      "<div class=\"scroll\">\n<table class=\"sides\" {}>\n<thead><tr><th scope=\"col\"></th><th "
      "scope=\"col\">introduced<br>{}, same input</th>"
      "<th scope=\"col\">accumulated<br>b − a, own past</th></tr></thead>\n<tbody>\n",
      table_attributes, symbols_of(record).introduced);
  const auto row = [&](std::string_view name, auto text_of) {
    const auto cell = [&](const std::optional<Comparison>& c) {
      return c ? text_of(*c) : std::string("–");
    };
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n", name,
                       cell(stage.introduced), cell(stage.accumulated));
  };
  using C = Comparison;
  row("max |Δ|", [](const C& c) { return brief(c.max_abs); });
  row("mean |Δ|", [](const C& c) { return brief(c.mean_abs); });
  row("RMS of Δ", [](const C& c) { return brief(c.rms); });
  row("RMS of a", [](const C& c) { return brief(c.rms_a); });
  // Relative to a zero it would be a number that means nothing.
  row("max |Δ| over the RMS of a",
      [](const C& c) { return c.rms_a > 0 ? brief(c.max_abs / c.rms_a) : std::string("–"); });
  row("1 − cosine", [](const C& c) { return brief(1 - c.cosine); });
  row("elements with other bits",
      [](const C& c) { return grouped(c.differing) + " of " + grouped(c.elements); });
  row("informative elements", [](const C& c) { return grouped(c.informative); });
  row("NaN · infinity · sign of zero on one side", [](const C& c) {
    return grouped(c.nan_mismatches) + " · " + grouped(c.infinity_mismatches) + " · " +
           grouped(c.signed_zero_mismatches);
  });
  row("worst element", [&](const C& c) {
    return c.worst && c.differing > 0 ? pair_text(*c.worst, stage.shape) : "–";
  });
  row("first with other bits", [&](const C& c) {
    return c.first && c.differing > 0 ? pair_text(*c.first, stage.shape) : "–";
  });
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string oracle_text(const OracleTest& test, const std::string& shape) {
  return fmt::format(
      "{} of its bound at {}: {} for {}; |y − exact| at most {}; {} of {} {} elements beyond",
      brief(test.worst_share), coordinates(test.worst_index, shape), brief(test.worst_value, 8),
      brief(test.worst_exact, 8), brief(test.max_abs), grouped(test.beyond),
      test.all ? "all" : "a sample of", grouped(test.elements));
}

std::string twin_text(const TwinTest& test, const std::string& shape) {
  if (test.differing == 0) return "the same bits";
  std::string text = grouped(test.differing) + " elements with other bits";
  if (test.first)
    text += fmt::format(", first at {}: twin {} ({}), side {} ({})",
                        coordinates(test.first->index, shape), a_value(*test.first),
                        a_bits(*test.first), b_value(*test.first), b_bits(*test.first));
  return text;
}

std::string stage_pairs(const RunRecord& record, const StageResult& stage) {
  Pairs pairs;
  const Symbols symbols = symbols_of(record);
  std::string verdict = fmt::format("{} {}", glyph(stage.verdict), words(stage.verdict));
  if (!stage.reason.empty()) verdict += ": " + markup(stage.reason);
  if (stage.blame != Blame::nobody) verdict += " (blamed: " + markup(name(stage.blame)) + ")";
  pairs.raw("verdict", verdict);
  std::string looks;
  for (const Diagnosis& diagnosis : stage.diagnoses)
    looks += fmt::format("{}<strong>{}</strong>{}", looks.empty() ? "" : "<br>or like ",
                         markup(diagnosis_name(diagnosis)), markup(": " + diagnosis.evidence));
  if (!looks.empty()) {
    const std::string box = box_text(stage.diagnoses.front());
    pairs.raw("looks like", looks);
    if (!box.empty())
      pairs.raw("worst in", fmt::format("<code>{}</code>{}", markup(box),
                                        stage.map ? ", framed in the heat map" : ""));
  }
  if (stage.runs > 1)
    pairs.add("repeated", fmt::format("{} runs of each side on one input: a gave {} and b {} "
                                      "different outputs",
                                      stage.runs, stage.distinct_a, stage.distinct_b));
  pairs.add("computes", ops_text(stage) + (stage.shape.empty() ? "" : " → " + stage.shape));
  pairs.add("contract a | b", contracts_text(stage));
  const bool judged = largest_share_of_bound(stage).has_value();
  if (judged && stage.introduced && stage.introduced->judged) {
    const Comparison& c = *stage.introduced;
    std::string text = brief(c.worst_share) + " of it";
    if (c.worst_judged)
      text += fmt::format(", bound {} at {}", brief(c.worst_bound),
                          coordinates(c.worst_judged->index, stage.shape));
    text += fmt::format("; {} elements beyond", grouped(c.beyond));
    if (c.uninformative_bounds > 0)
      text +=
          fmt::format("; {} with a magnitude too large to judge", grouped(c.uninformative_bounds));
    pairs.add(fmt::format("bound of {}", symbols.introduced), text);
    pairs.add("coefficients of M",
              "a " + brief(stage.bound_coefficient_a) + ", b " + brief(stage.bound_coefficient_b));
  }
  if (judged && stage.exact_a)
    pairs.add("a against exact", oracle_text(*stage.exact_a, stage.shape));
  if (judged && stage.exact_b)
    pairs.add("b against exact", oracle_text(*stage.exact_b, stage.shape));
  if (const std::string drift = forecast_text(stage); !drift.empty()) pairs.add("forecast", drift);
  if (stage.attribution) {
    pairs.add(fmt::format("causes of {}", symbols.introduced), shares_text(*stage.attribution));
    pairs.add("emulation", certificate_text(*stage.attribution));
  }
  if (stage.statistics) {
    const Statistics& statistics = *stage.statistics;
    if (statistics.a) pairs.add("statistics of a", noise_text(*statistics.a));
    if (statistics.b) pairs.add("statistics of b", noise_text(*statistics.b));
    if (statistics.inherited)
      pairs.add(fmt::format("inherited {}", symbols.inherited),
                inherited_text(*statistics.inherited));
  }
  if (stage.twin_a) pairs.add("a against its CPU twin", twin_text(*stage.twin_a, stage.shape));
  if (stage.twin_b) pairs.add("b against its CPU twin", twin_text(*stage.twin_b, stage.shape));
  if (stage.split)
    pairs.add("norms", fmt::format("introduced {}, inherited {}, accumulated {}, a {}",
                                   brief(stage.split->introduced), brief(stage.split->inherited),
                                   brief(stage.split->accumulated), brief(stage.split->norm_a)));
  if (stage.conversion != 0)
    pairs.add("rounding a's input to float", brief(stage.conversion) + " of the RMS of a");
  if (has_amplification(stage)) pairs.add("amplification", amplification_text(stage));
  if (stage.share_of_final != 0)
    pairs.add("share of the final error", percent(stage.share_of_final));
  std::string nodes;
  for (const std::string& node : stage.nodes)
    nodes += (nodes.empty() ? "" : "<br>") + ("<code>" + markup(node) + "</code>");
  if (!nodes.empty()) pairs.raw("ONNX nodes", nodes);
  pairs.code("ONNX tensor", stage.tensor);
  std::string producers;
  for (const int id : stage.producers)
    producers += (producers.empty() ? "" : ", ") + link(record, id);
  if (!producers.empty()) pairs.raw("reads from", producers);
  if (stage.introduced || stage.accumulated) {
    pairs.code("digest a", to_string(stage.digest_a));
    pairs.code("digest b", to_string(stage.digest_b));
  }
  return pairs.table();
}

std::string bin_name(std::size_t bin) {
  if (bin == 0) return "equal";
  if (bin == ulp_bins - 1) return "NaN on either side";
  if (bin == 1) return "1";
  return grouped(std::int64_t{1} << (bin - 1)) + " to " + grouped((std::int64_t{1} << bin) - 1);
}

std::string ulp_section(const StageResult& stage) {
  const std::optional<Comparison>& c = stage.introduced ? stage.introduced : stage.accumulated;
  if (!c) return "";
  std::string rows;
  for (std::size_t bin = 0; bin < ulp_bins; ++bin)
    if (c->ulp_histogram[bin] > 0)
      rows += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td></tr>", bin_name(bin),
                          grouped(c->ulp_histogram[bin]));
  if (rows.empty()) return "";
  return fmt::format(
      "<section>\n<h3>Distance in ULP, {}</h3>\n{}<details><summary>as a "
      "table</summary><div>\n<table {}>"
      "<thead><tr><th scope=\"col\">ULP</th><th scope=\"col\" "
      "class=\"n\">elements</th></tr></thead>"
      "<tbody>{}</tbody></table></div></details>\n</section>\n",
      stage.introduced ? "introduced" : "accumulated", plot_ulp(*c), table_attributes, rows);
}

/// Indices of the largest values, NaN and infinities before them, at most `most`.
std::vector<std::size_t> largest(const std::vector<float>& values, std::size_t most) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) order.push_back(i);
  const auto key = [&](std::size_t i) { return std::isnan(values[i]) ? HUGE_VALF : values[i]; };
  const std::size_t kept = std::min(most, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
      [&](std::size_t x, std::size_t y) { return key(x) != key(y) ? key(x) > key(y) : x < y; });
  order.resize(kept);
  return order;
}

std::string heat_section(const StageResult& stage) {
  const ErrorMap& map = *stage.map;
  const Diagnosis* diagnosis = stage.diagnoses.empty() ? nullptr : stage.diagnoses.data();
  std::string out;
  if (!map.heat.empty()) {
    std::string rows;
    for (const std::size_t i : largest(map.heat, 10)) {
      const auto r = static_cast<std::int64_t>(i) / map.columns,
                 c = static_cast<std::int64_t>(i) % map.columns;
      rows += fmt::format(
          "<tr><td class=\"n\">{} to {}</td><td class=\"n\">{} to {}</td><td "
          "class=\"n\">{}</td></tr>",
          r * map.height / map.rows, (r + 1) * map.height / map.rows - 1,
          c * map.width / map.columns, (c + 1) * map.width / map.columns - 1, brief(map.heat[i]));
    }
    out += fmt::format(
        "<section>\n<h3>Where in the image, introduced, largest of all "
        "channels</h3>\n{}<details><summary>the "
        "ten largest cells</summary><div>\n"
        "<table {}><thead><tr><th scope=\"col\" class=\"n\">rows</th><th scope=\"col\" "
        "class=\"n\">columns</th>"
        "<th scope=\"col\" class=\"n\">max "
        "|Δ|</th></tr></thead><tbody>{}</tbody></table></div></details>\n</section>\n",
        plot_heat(map, diagnosis), table_attributes, rows);
  }
  return out;
}

std::string channel_section(const ErrorMap& map) {
  std::string out;
  if (!map.channel_max.empty()) {
    const auto bars = static_cast<std::int64_t>(map.channel_max.size());
    const std::int64_t per_bar = std::max<std::int64_t>(1, (map.channels + bars - 1) / bars);
    std::string rows;
    for (const std::size_t i : largest(map.channel_max, 20)) {
      const std::int64_t first = static_cast<std::int64_t>(i) * per_bar;
      rows += fmt::format("<tr><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                          per_bar == 1 ? std::to_string(first)
                                       : fmt::format("{} to {}", first, first + per_bar - 1),
                          brief(map.channel_max[i]));
    }
    out += fmt::format(
        "<section>\n<h3>In which channels, introduced</h3>\n{}<details><summary>the twenty "
        "largest</summary><div>\n<table {}>"
        "<thead><tr><th scope=\"col\" class=\"n\">channel</th><th scope=\"col\" class=\"n\">max "
        "|Δ|</th></tr></thead>"
        "<tbody>{}</tbody></table></div></details>\n</section>\n",
        plot_channels(map), table_attributes, rows);
  }
  return out;
}

/// Distances and channels on the left, the image on the right.
std::string stage_pictures(const StageResult& stage) {
  return "<div>\n" + ulp_section(stage) + (stage.map ? channel_section(*stage.map) : "") +
         "</div>\n" + (stage.map ? heat_section(stage) : "");
}

std::string focus(const RunRecord& record) {
  const StageResult* stage = stage_in_focus(record);
  if (!stage) return "";
  std::string out = fmt::format(
      "<h2 id=\"focus\">{}: {}</h2>\n<p class=\"dim\">Stage {} of {}, {}.</p>\n<div "
      "class=\"columns\">\n<section>\n{}</section>\n<section>\n{}</section>\n",
      "A closer look", markup(shortened(printable(titled(*stage)), 160)), place(record, *stage),
      record.stages.size(), focus_reason(record), stage_pairs(record, *stage),
      comparisons(record, *stage));
  return out + stage_pictures(*stage) + "</div>\n";
}

/// One waterfall per attributed stage, largest share of the final error first.
std::string causes(const RunRecord& record) {
  const std::string text = causes_text(record);
  if (text.empty()) return "";
  std::string out = "<h2 id=\"causes\">By cause</h2>\n<p>" + markup(printable(text)) +
                    ".</p>\n<div class=\"columns\">\n";
  for (const int id : by_importance(record)) {
    const StageResult* stage = find(record, id);
    if (!stage || !stage->attribution) continue;
    const std::string certificate = certificate_text(*stage->attribution);
    out += fmt::format(
        "<section>\n<h3>{}, {} of the final error</h3>\n{}{}</section>\n", link(record, id),
        percent(stage->share_of_final), plot_waterfall(*stage->attribution),
        certificate.empty() ? certificate
                            : "<p class=\"dim\">" + markup(printable(certificate)) + ".</p>\n");
  }
  return out + "</div>\n";
}

// ---- All stages.

std::string number_cell(double value, std::string_view text) {
  return fmt::format("<td class=\"n\" data-v=\"{}\">{}</td>", shortest(value), text);
}

std::string stage_row(const RunRecord& record, const StageResult& stage) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::size_t number = place(record, stage);
  const auto largest_of = [](const std::optional<Comparison>& c) {
    return c ? number_cell(c->max_abs, brief(c->max_abs)) : number_cell(nan, "–");
  };
  std::string out =
      fmt::format("<tr id=\"s{0}\" data-verdict=\"{1}\"><td class=\"n\" data-v=\"{0}\">{0}</td>",
                  number, name(stage.verdict));
  out += fmt::format(
      "<td>{}</td><td class=\"w\">{}</td><td class=\"w\">{}</td><td>{}</td><td class=\"w\">{} "
      "{}</td>",
      link(record, stage.id), markup(shortened(printable(ops_text(stage)), 40)),
      markup(shortened(printable(stage.shape), 32)), markup(contracts_text(stage)),
      glyph(stage.verdict), words(stage.verdict));
  out += number_cell(largest_share_of_bound(stage).value_or(nan), share_of_bound(stage));
  out += largest_of(stage.introduced) + largest_of(stage.accumulated);
  out += stage.accumulated
             ? number_cell(stage.accumulated_relative, brief(stage.accumulated_relative))
             : number_cell(nan, "–");
  out += stage.introduced ? number_cell(static_cast<double>(stage.introduced->differing),
                                        grouped(stage.introduced->differing))
                          : number_cell(nan, "–");
  out +=
      number_cell(has_amplification(stage) ? stage.amplification : nan, amplification_text(stage));
  out += number_cell(stage.share_of_final, markup(percent(stage.share_of_final)));
  return out + "</tr>\n";
}

std::string stage_table(const RunRecord& record) {
  std::string out =
      "<h2 id=\"stages\">All stages</h2>\n<div class=\"tools\" id=\"tools\" hidden>\n"
      "<label>Filter <input id=\"needle\" type=\"search\" placeholder=\"name, op, shape, "
      "contract\"></label>\n"
      "<label>Verdict <select id=\"verdict\"><option value=\"\">all</option>";
  for (const Verdict verdict : all_verdicts)
    if (record.answers.counts[static_cast<int>(verdict)] > 0)
      out += fmt::format("<option value=\"{}\">{}</option>", name(verdict), words(verdict));
  out +=
      "</select></label>\n<span id=\"shown\" class=\"dim\" aria-live=\"polite\"></span>\n</div>\n"
      "<div class=\"framed\" tabindex=\"0\" role=\"region\" aria-label=\"table of all stages\">\n";
  out += fmt::format("<table id=\"stage-table\" {}>\n<thead><tr>", table_attributes);
  const std::pair<const char*, bool> heads[] = {{"#", true},
                                                {"stage", false},
                                                {"ops", false},
                                                {"shape", false},
                                                {"contract a | b", false},
                                                {"verdict", false},
                                                {"of bound", true},
                                                {"max introduced", true},
                                                {"max accumulated", true},
                                                {"÷ RMS a", true},
                                                {"other bits", true},
                                                {"amplifi\u00adcation", true},
                                                {"share of final", true}};
  for (const auto& [head, numeric] : heads)
    out += fmt::format("<th scope=\"col\"{}>{}</th>", numeric ? " class=\"n\"" : "", head);
  out += "</tr></thead>\n<tbody>\n";
  for (const StageResult& stage : record.stages) out += stage_row(record, stage);
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string block_table(const RunRecord& record) {
  if (record.blocks.size() < 2) return "";
  std::string out = fmt::format(
      "<h3>Blocks</h3>\n<div class=\"scroll\">\n<table {}>\n<thead><tr><th "
      "scope=\"col\">block</th><th scope=\"col\" "
      "class=\"n\">stages</th>"
      "<th scope=\"col\" class=\"n\">share of final</th><th scope=\"col\" class=\"n\">max |b − a| "
      "at its end</th>"
      "<th scope=\"col\" class=\"n\">diverged</th></tr></thead>\n<tbody>\n",
      table_attributes);
  for (const BlockResult& block : record.blocks)
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        block.name.empty() ? "–" : markup(shortened(printable(block.name), longest_table_name)),
        std::count_if(
            record.stages.begin(), record.stages.end(),
            [&](const StageResult& s) { return block.first <= s.id && s.id <= block.last; }),
        markup(percent(block.share_of_final)), max_at_end(block, 3), block.diverged);
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string output_table(const RunRecord& record) {
  if (record.outputs.empty()) return "";
  std::string out = fmt::format(
      "<h3>Outputs of the model</h3>\n<div class=\"scroll\">\n<table {}>\n<thead><tr><th "
      "scope=\"col\">output</th><th "
      "scope=\"col\">shape</th><th scope=\"col\">made by</th>"
      "<th scope=\"col\" class=\"n\">max |b − a|</th><th scope=\"col\" class=\"n\">RMS of b − "
      "a</th><th scope=\"col\">worst element</th></tr></thead>\n<tbody>\n",
      table_attributes);
  for (const OutputResult& output : record.outputs) {
    const std::optional<Comparison>& c = output.accumulated;
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}{}</td><td "
        "class=\"n\">{}</td><td>{}</td></tr>\n",
        markup(output.name), markup(output.shape),
        output.stage < 0 ? "passed through" : link(record, output.stage),
        c ? brief(c->max_abs) : "not compared",
        output.beyond_tolerance ? " ✗ beyond --tolerance" : "", c ? brief(c->rms) : "–",
        c && c->worst && c->differing > 0 ? pair_text(*c->worst, output.shape) : "–");
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

/// What --decision asked: which decisions flip, and by how much they are safe.
std::string decision_list(const RunRecord& record) {
  if (record.decisions.empty()) return "";
  std::string out = "<h3>Decisions taken by the outputs</h3>\n<ul>\n";
  for (const DecisionResult& decision : record.decisions) {
    out += "<li>" + markup(decision_text(decision));
    const std::vector<std::string> points = decision_points(decision);
    if (!points.empty()) out += "\n<ul>\n";
    for (const std::string& point : points) out += "<li>" + markup(point) + "</li>\n";
    out += points.empty() ? "</li>\n" : "</ul>\n</li>\n";
  }
  return out + "</ul>\n";
}

/// Every stage's numbers behind its name; the pictures of those that have a map.
std::string stage_details(const RunRecord& record) {
  std::string out = "<h2 id=\"details\">Each stage in full</h2>\n";
  const std::vector<int> ranked = by_importance(record);
  std::vector<int> told(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                             ranked.size(), stages_told_whole)));
  std::sort(told.begin(), told.end());
  if (told.size() < record.stages.size())
    out += fmt::format(
        "<p class=\"dim\">The {} of {} stages that matter most; the JSON report holds all.</p>\n",
        told.size(), record.stages.size());
  const StageResult* focused = stage_in_focus(record);
  for (const StageResult& stage : record.stages) {
    if (!std::binary_search(told.begin(), told.end(), stage.id)) {
      out += fmt::format(
          "<p class=\"dim\" id=\"d{0}\">{1}: <a href=\"#s{0}\">row {0} of the table</a></p>\n",
          place(record, stage), markup(shortened(printable(name_of(stage)), longest_table_name)));
      continue;
    }
    out += fmt::format(
        "<details><summary>{} {} <span class=\"dim\">{}</span></summary><div id=\"d{}\">\n",
        verdict_icon(stage.verdict), markup(shortened(printable(name_of(stage)), 160)),
        words(stage.verdict), place(record, stage));
    const bool quiet = stage.verdict == Verdict::same_bits && stage.accumulated &&
                       stage.accumulated->differing == 0;
    out += stage_pairs(record, stage) + (quiet ? "" : comparisons(record, stage));
    if (stage.map && &stage != focused)
      out += "<div class=\"columns\">\n" + stage_pictures(stage) + "</div>\n";
    out += "</div></details>\n";
  }
  return out;
}

// ---- To run it again, and what all this rests on.

std::string commands(const RunRecord& record) {
  std::string out = "<h2 id=\"again\">Run it again</h2>\n<pre><code>" + markup(record.command) +
                    "</code></pre>\n";
  const Remedy fix = remedy(record);
  if (!fix.remark.empty())
    out += fix.option.empty() ? "<p>Turn it off: " + markup(fix.remark) + ".</p>\n"
                              : fmt::format("<p>Turn it off: <code>{}</code> ({}).</p>\n",
                                            markup(fix.option), markup(fix.remark));
  return out;
}

std::string method(const RunRecord& record) {
  const Symbols symbols = symbols_of(record);
  std::vector<std::string> items = {
      fmt::format(
          "<strong>Introduced</strong> ({}; l: {}): both sides are given the same input, {}; this "
          "decides blame. <strong>Accumulated</strong> (b − a): each side on its own past; this is "
          "what a user of the model sees. <strong>Inherited</strong> is the rest, {}.",
          symbols.introduced, markup(std::string(symbols.fed)), markup(std::string(symbols.whose)),
          symbols.inherited),
      "<strong>Bounds are derived, not chosen.</strong> A stage's bound is a coefficient that "
      "follows from its arithmetic (number format, terms, order of "
      "operations) times the stage's magnitude M, evaluated on absolute values, element by "
      "element; the bounds of a and b add up. Such bounds hold for the worst case, so healthy "
      "stages use a small part of them, and a fault smaller than that stays below 1: the share is "
      "printed, not only the verdict. <strong>Of bound</strong> is the largest of a stage's: the "
      "introduced error of both bounds together, a or b's distance from the exact value of its "
      "own.",
      "<strong>Equal contracts demand equal bits.</strong> Where both sides promise the same order "
      "of operations, any differing bit diverges.",
      "<strong>A side that fails its own test is blamed:</strong> against the CPU twin of its "
      "contract bit for bit, then against an exact evaluation under its own bound, on all elements "
      "or a seeded sample.",
      "<strong>No success without power.</strong> A stage is untrusted when no element is finite "
      "and not zero on both sides, or when its output is a bit-exact copy of an input that it "
      "should change. Untrusted and not run never count as agreement.",
      "NaN elements are left out of differences and counted; relative error divides by max(|a|, "
      "2^-126). A tolerance never changes a stage's verdict.",
      "Heat maps show the largest |Δ| of each cell, at most 128 × 128 cells, on a log scale that "
      "ends three decades below the largest; exact zeros stay empty. The ULP histogram's bars "
      "double in width."};
  std::string skipped;
  for (const StageResult& stage : record.stages)
    if (stage.verdict == Verdict::not_run || stage.verdict == Verdict::untrusted)
      skipped += fmt::format("<li>{} {}: {}</li>", link(record, stage.id), words(stage.verdict),
                             markup(stage.reason));
  std::string out =
      "<h2 id=\"method\">Method and limits</h2>\n<div class=\"method\">\n" + list(items, "ul");
  if (!skipped.empty()) out += "<h3>What could not be judged</h3>\n<ul>" + skipped + "</ul>\n";
  const auto told = [&](const char* title, const std::vector<std::string>& lines) {
    std::vector<std::string> escaped;
    for (const std::string& line : lines) escaped.push_back(markup(line));
    if (!escaped.empty()) out += fmt::format("<h3>{}</h3>\n{}", title, list(escaped, "ul"));
  };
  told("Lints of the model", record.lints);
  told("Notes", record.notes);
  Pairs pairs;
  pairs.add("model", record.model);
  pairs.code("model digest", record.model_digest);
  pairs.add("exporter", record.producer);
  if (record.opset > 0) pairs.add("opset", std::to_string(record.opset));
  for (const auto& [name, what] : record.inputs) pairs.add("input " + name, what);
  pairs.add("paritylab", record.tool_version +
                             (record.tool_commit.empty() ? "" : " (" + record.tool_commit + ")"));
  pairs.add("exit code", std::to_string(record.exit_code));
  pairs.add("started", record.started);
  if (record.seconds > 0) pairs.add("took", brief(record.seconds) + " s");
  if (record.peak_bytes > 0) pairs.add("peak memory", grouped(record.peak_bytes) + " bytes");
  return out + "<h3>This run</h3>\n" + pairs.table() + "</div>\n";
}

std::string page(const RunRecord& record) {
  const Headline answer = headline(record);
  std::string out =
      page_begin(fmt::format("{} {}: {}, {} and {}", mark(answer.conclusion), answer.word,
                             record.model, record.a.spec, record.b.spec));
  out += banner(record);
  out += "<main>\n<div class=\"answers\">\n" + answer_bug(record) + answer_origin(record) +
         answer_growth(record) + "</div>\n";
  out += facts(record);
  out += pictures(record);
  out += focus(record);
  out += causes(record);
  out += stage_table(record) + block_table(record) + output_table(record) + decision_list(record);
  out += commands(record);
  out += stage_details(record);
  out += method(record);
  return out + "</main>\n" + page_end();
}

}  // namespace
}  // namespace reports

std::string write_html(const RunRecord& record) { return reports::page(record); }

}  // namespace parity
