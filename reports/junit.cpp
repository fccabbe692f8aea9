#include <fmt/format.h>

#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/reports.hpp"
#include "reports/summary.hpp"

namespace parity {
namespace reports {
namespace {

std::string attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, markup(value));
}

std::string property(std::string_view name, std::string_view value) {
  return "      <property" + attribute("name", name) + attribute("value", value) + "/>\n";
}

/// What a reader of a build log needs, one fact per line.
std::string body(const StageResult& stage) {
  std::string text =
      markup(ops_text(stage) + " " + stage.shape + ", contract " + contracts_text(stage)) + "\n";
  if (stage.introduced) {
    const std::string worst = worst_text(*stage.introduced, stage.shape);
    if (!worst.empty()) text += markup("introduced " + worst) + "\n";
  }
  if (largest_share_of_bound(stage)) text += markup("of bound " + share_of_bound(stage)) + "\n";
  if (stage.accumulated) {
    const std::string worst = worst_text(*stage.accumulated, stage.shape);
    if (!worst.empty()) text += markup("accumulated " + worst) + "\n";
  }
  for (const std::string& node : stage.nodes) text += markup("ONNX node " + node) + "\n";
  return text;
}

std::string test_case(const StageResult& stage, const std::string& suite) {
  std::string out =
      "    <testcase" + attribute("classname", suite) + attribute("name", titled(stage)) +
      attribute("time", fmt::format("{:.6f}", stage.seconds_a + stage.seconds_b +
                                                  stage.seconds_local + stage.seconds_magnitude)) +
      ">\n";
  out += "    <properties>\n" + property("verdict", name(stage.verdict)) +
         property("share_of_bound", share_of_bound(stage)) +
         property("contract_a", stage.contract_a) + property("contract_b", stage.contract_b);
  if (stage.introduced) out += property("max_introduced", shortest(stage.introduced->max_abs));
  if (stage.accumulated) out += property("max_accumulated", shortest(stage.accumulated->max_abs));
  out += property("share_of_final", shortest(stage.share_of_final)) + "    </properties>\n";
  const char* element = stage.verdict == Verdict::diverged    ? "failure"
                        : stage.verdict == Verdict::untrusted ? "error"
                        : stage.verdict == Verdict::not_run   ? "skipped"
                                                              : nullptr;
  if (element) {
    out += fmt::format("      <{}", element) +
           attribute("message", stage.reason.empty() ? words(stage.verdict) : stage.reason);
    if (stage.verdict == Verdict::not_run)
      out += "/>\n";
    else
      out += attribute("type", name(stage.verdict)) + ">" + body(stage) +
             fmt::format("</{}>\n", element);
  }
  return out + "    </testcase>\n";
}

}  // namespace
}  // namespace reports

std::string write_junit(const RunRecord& record) {
  using reports::attribute;
  const std::string suite = record.model + ": " + record.a.spec + " and " + record.b.spec;
  const auto count = [&](Verdict verdict) {
    return record.answers.counts[static_cast<int>(verdict)];
  };
  // A tolerance is no stage's verdict and yet a demand: it gets a case of its own, so that no job
  // goes green past it.
  const reports::ToleranceAnswer limit = reports::tolerance(record);
  const bool demanded = limit.state != reports::ToleranceState::none;
  const bool missed = limit.state == reports::ToleranceState::exceeded;
  const bool unknown = limit.state == reports::ToleranceState::unknown;
  const std::string counts = fmt::format(
      " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
      record.stages.size() + (demanded ? 1 : 0), count(Verdict::diverged) + (missed ? 1 : 0),
      count(Verdict::untrusted) + (unknown ? 1 : 0), count(Verdict::not_run));
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"paritylab\"" + counts + ">\n";
  out += "  <testsuite" + attribute("name", suite) + counts +
         attribute("time", fmt::format("{:.6f}", record.seconds));
  if (!record.started.empty()) out += attribute("timestamp", record.started);
  out += ">\n    <properties>\n" + reports::property("command", record.command) +
         reports::property("model_digest", record.model_digest) +
         reports::property("paritylab", record.tool_version + " " + record.tool_commit) +
         reports::property("exit_code", std::to_string(record.exit_code)) + "    </properties>\n";
  for (const StageResult& stage : record.stages) out += reports::test_case(stage, suite);
  if (demanded) {
    out +=
        "    <testcase" + attribute("classname", suite) + attribute("name", "--tolerance") + ">\n";
    if (missed || unknown)
      out += fmt::format("      <{}", missed ? "failure" : "error") +
             attribute("message", limit.text) + "/>\n";
    out += "    </testcase>\n";
  }
  return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace parity
