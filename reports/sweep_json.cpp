#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "compare/record.hpp"
#include "model/arithmetic/digest.hpp"
#include "model/error.hpp"
#include "model/json_fault.hpp"
#include "reports/escape.hpp"
#include "reports/sweep.hpp"

namespace parity {
namespace reports {
namespace {

using nlohmann::ordered_json;

constexpr int sweep_schema = 1;
constexpr std::array<Verdict, 5> all_verdicts = {Verdict::same_bits, Verdict::within_bound,
                                                 Verdict::diverged, Verdict::untrusted,
                                                 Verdict::not_run};

ordered_json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

ordered_json digests(const std::vector<std::pair<std::string, Digest>>& all) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, digest] : all) object[name] = to_string(digest);
  return object;
}

ordered_json json_of(const SweepRecord& record, const SweepPoint& point) {
  ordered_json row;
  row["at"] = ordered_json::object();
  for (std::size_t k = 0; k < record.axes.size(); ++k)
    row["at"][record.axes[k].name] = record.axes[k].values[point.at[k]];
  row["exit_code"] = point.exit_code;
  if (!point.refused.empty()) {
    row["refused"] = point.refused;
    return row;
  }
  row["counts"] = ordered_json::object();
  for (const Verdict verdict : all_verdicts)
    row["counts"][std::string(name(verdict))] = point.counts[static_cast<std::size_t>(verdict)];
  row["same_bits"] = point.same_bits;
  row["beyond_tolerance"] = point.beyond_tolerance;
  row["output"] = point.output;
  row["max_abs"] = number(point.max_abs);
  row["relative"] = number(point.relative);
  row["first_different"] = point.first_different;
  row["first_diverging"] = point.first_diverging;
  row["first_untrusted"] = point.first_unjudged;
  row["untrusted_because"] = point.unjudged_reason;
  row["largest_share"] = {{"stage", point.largest_share}, {"share", number(point.share)}};
  row["unmoved"] = point.unmoved;
  row["inputs"] = digests(point.inputs);
  row["outputs"] = digests(point.outputs);
  row["times"] = {{"seconds", point.seconds}};
  return row;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Fault::bad_input, "cannot read the sweep record: " + why +
                                    ". Write it again with `paritylab sweep ... --report "
                                    "FILE.json`.");
}

std::int64_t integer_of(const ordered_json& json, const std::string& what) {
  if (!json.is_number_integer()) refuse(what + " is not an integer");
  return json.get<std::int64_t>();
}

double number_of(const ordered_json& json, const std::string& what) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (json.is_number()) return json.get<double>();
  if (json == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (json == "Infinity") return infinity;
  if (json == "-Infinity") return -infinity;
  refuse(what + " is no number");
}

std::vector<std::pair<std::string, Digest>> digests_of(const ordered_json& json) {
  std::vector<std::pair<std::string, Digest>> all;
  for (const auto& entry : json.items()) {
    const std::optional<Digest> digest = digest_named(entry.value().get<std::string>());
    if (!digest) refuse("the digest of " + printable(entry.key()) + " is not 32 hex digits");
    all.emplace_back(entry.key(), *digest);
  }
  return all;
}

SweepPoint point_of(const ordered_json& row, const std::vector<SweepAxis>& axes,
                    const std::vector<std::size_t>& at) {
  SweepPoint point;
  point.at = at;
  for (std::size_t k = 0; k < axes.size(); ++k)
    if (row.at("at").at(axes[k].name) != axes[k].values[at[k]])
      refuse("its points are not the combinations of its axes in their order");
  point.exit_code = static_cast<int>(integer_of(row.at("exit_code"), "an exit code"));
  if (row.contains("refused")) {
    row.at("refused").get_to(point.refused);
    return point;
  }
  for (const Verdict verdict : all_verdicts)
    point.counts[static_cast<std::size_t>(verdict)] =
        integer_of(row.at("counts").at(std::string(name(verdict))), "a count");
  row.at("same_bits").get_to(point.same_bits);
  row.at("beyond_tolerance").get_to(point.beyond_tolerance);
  row.at("output").get_to(point.output);
  point.max_abs = number_of(row.at("max_abs"), "max_abs");
  point.relative = number_of(row.at("relative"), "relative");
  row.at("first_different").get_to(point.first_different);
  row.at("first_diverging").get_to(point.first_diverging);
  row.at("first_untrusted").get_to(point.first_unjudged);
  // Documents of older releases lack it.
  point.unjudged_reason = row.value("untrusted_because", std::string());
  row.at("largest_share").at("stage").get_to(point.largest_share);
  point.share = number_of(row.at("largest_share").at("share"), "share");
  row.at("unmoved").get_to(point.unmoved);
  point.inputs = digests_of(row.at("inputs"));
  point.outputs = digests_of(row.at("outputs"));
  point.seconds = number_of(row.at("times").at("seconds"), "seconds");
  return point;
}

SweepRecord record_of(const ordered_json& document) {
  const std::int64_t version = integer_of(document.at("paritylab_sweep"), "the schema version");
  if (version != sweep_schema)
    throw Error(Fault::bad_input, "cannot read the sweep record: it follows schema version " +
                                      std::to_string(version) + " and this program reads version " +
                                      std::to_string(sweep_schema) +
                                      ". Use the release of paritylab that wrote it (field tool).");
  SweepRecord record;
  document.at("tool").at("version").get_to(record.tool_version);
  document.at("tool").at("commit").get_to(record.tool_commit);
  document.at("command").get_to(record.command);
  document.at("model").get_to(record.model);
  const ordered_json& points = document.at("points");
  std::size_t expected = 1;
  for (const ordered_json& each : document.at("axes")) {
    SweepAxis axis{each.at("name").get<std::string>(),
                   each.at("values").get<std::vector<std::string>>()};
    // Checked as it grows: what somebody else wrote may claim any number of combinations.
    expected *= axis.values.size();
    if (expected == 0 || expected > points.size())
      refuse("its points are not as many as its axes have combinations");
    record.axes.push_back(std::move(axis));
  }
  if (expected != points.size()) refuse("its points are not as many as its axes have combinations");
  for (const ordered_json& each : document.at("findings"))
    record.findings.push_back({each.at("warning").get<bool>(), each.at("text").get<std::string>()});
  const std::vector<std::vector<std::size_t>> all = combinations(record.axes);
  for (std::size_t i = 0; i < all.size(); ++i)
    record.points.push_back(point_of(points.at(i), record.axes, all[i]));
  record.exit_code = static_cast<int>(integer_of(document.at("exit_code"), "the exit code"));
  return record;
}

}  // namespace
}  // namespace reports

std::string write_sweep_json(const SweepRecord& record) {
  using reports::ordered_json;
  ordered_json document;
  document["paritylab_sweep"] = reports::sweep_schema;
  document["tool"] = {{"version", record.tool_version}, {"commit", record.tool_commit}};
  document["command"] = record.command;
  document["model"] = record.model;
  document["axes"] = ordered_json::array();
  for (const SweepAxis& axis : record.axes)
    document["axes"].push_back({{"name", axis.name}, {"values", axis.values}});
  document["findings"] = ordered_json::array();
  for (const SweepFinding& finding : record.findings)
    document["findings"].push_back({{"warning", finding.warning}, {"text", finding.text}});
  document["points"] = ordered_json::array();
  for (const SweepPoint& point : record.points)
    document["points"].push_back(reports::json_of(record, point));
  document["exit_code"] = record.exit_code;
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

SweepRecord read_sweep_json(std::string_view text) {
  try {
    return reports::record_of(reports::ordered_json::parse(text));
  } catch (const nlohmann::json::exception& failure) {
    reports::refuse(json_fault(failure));
  }
}

}  // namespace parity
