#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"

namespace parity::cli {
namespace {

struct Options {
  std::string a, b;
  bool as_json = false;
};

ExitCode plan_diff(const Options& options) {
  const PlanFile a = plan_in(options.a), b = plan_in(options.b);
  const std::vector<PlanDifference> differences = plan_differences(a, b);
  const ExitCode code = differences.empty() ? ExitCode::consistent : ExitCode::diverged;
  if (options.as_json) {
    nlohmann::ordered_json document;
    document["a"] = {{"file", options.a}, {"model", a.model}, {"spec", a.spec}};
    document["b"] = {{"file", options.b}, {"model", b.model}, {"spec", b.spec}};
    document["differences"] = nlohmann::ordered_json::array();
    for (const PlanDifference& each : differences)
      document["differences"].push_back({{"where", each.where}, {"a", each.a}, {"b", each.b}});
    fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return code;
  }
  fmt::print("a  {}  {}, {} stages, asked for as {}\n", options.a, a.model, a.stages.size(),
             a.spec);
  fmt::print("b  {}  {}, {} stages, asked for as {}\n", options.b, b.model, b.stages.size(),
             b.spec);
  std::size_t widest = 0;
  for (const PlanDifference& each : differences) widest = std::max(widest, each.where.size());
  const auto said = [](const std::string& text) { return text.empty() ? "(nothing)" : text; };
  for (const PlanDifference& each : differences)
    fmt::print("{:<{}}  {}  ->  {}\n", each.where, widest, said(each.a), said(each.b));
  fmt::print("{}\n", differences.empty()
                         ? "the plans ask for the same arithmetic at every stage"
                         : fmt::format("the plans differ in {} {}", differences.size(),
                                       differences.size() == 1 ? "place" : "places"));
  return code;
}

}  // namespace

void add_plan(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "plan", "Compare two saved plans: which stages are computed by other contracts?");
  command->require_subcommand(1);
  // Before it is added: a command inherits what stands in its parent then.
  command->footer(
      "Plans come from `run --save-plan` and `diff --save-plan-a`; `--plan FILE` or the clause\n"
      "plan=FILE of a SPEC replays one. A plan is refused for another model and for other maths.\n"
      "Examples:\n"
      "  paritylab run model.onnx --on cpu:tf32@sm_80 --save-plan old.json\n"
      "  paritylab run model.onnx --on cpu:tf32@sm_90 --save-plan new.json\n"
      "  paritylab plan diff old.json new.json\n"
      "Exit codes: 0 the same arithmetic · 1 they differ · 2 usage · 3 a file is no plan");
  CLI::App* diff = command->add_subcommand("diff", "Which clauses and stages of two plans differ.");
  const auto options = std::make_shared<Options>();
  diff->add_option("A", options->a, "a plan saved with --save-plan")->required();
  diff->add_option("B", options->b, "another one")->required();
  diff->add_flag("--json", options->as_json, "as JSON");
  diff->callback(
      [&invocation, options] { invocation.job = [options] { return plan_diff(*options); }; });
}

}  // namespace parity::cli
