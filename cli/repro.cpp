#include "compare/repro.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/bundle.hpp"
#include "cli/command.hpp"
#include "cli/model_source.hpp"
#include "model/text.hpp"
#include "reports/escape.hpp"
#include "reports/numbers.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;
using reports::printable;

struct Options {
  std::string bundle;
  ExecutionOptions execution;
  bool as_json = false;
};

std::string agreement(const Comparison& c, bool same, const std::string& shape) {
  if (same) return "same bits";
  std::string text =
      fmt::format("{} of {} differ", reports::grouped(c.differing), reports::grouped(c.elements));
  if (c.nan_mismatches + c.infinity_mismatches > 0)
    text += fmt::format(", {} of them NaN or infinite on one side",
                        reports::grouped(c.nan_mismatches + c.infinity_mismatches));
  else if (c.worst)
    text += fmt::format(", max {} at {}", reports::brief(c.max_abs),
                        reports::coordinates(c.worst->index, shape));
  return text;
}

/// "a   cpu:fp32 chain (AMD EPYC): reproduced bit for bit by chain".
std::string side_text(const char* label, const SideBits& side, const ReplayRecord& record,
                      bool ReplayRow::*same) {
  std::vector<std::string> by;
  for (const ReplayRow& row : record.rows)
    if (row.refused.empty() && row.*same) by.push_back(row.here.contract);
  return fmt::format(
      "{}   {} {} ({}): {}", label, printable(side.spec),
      side.recording ? "recording" : printable(side.contract), printable(side.device),
      by.empty() ? side.recording ? "a recording, whose bits no arithmetic of this machine "
                                    "makes; what its verdict was stands above"
                                  : "reproduced by no arithmetic of this machine"
                 : fmt::format("reproduced bit for bit by {}", fmt::join(by, ", ")));
}

void print_text(const Repro& repro, const ReplayRecord& record, const std::string& device) {
  const Stage stage = cut(repro.graph).front();
  const std::string shape = to_string(stage.output_types.front().shape);
  fmt::print("stage {} of {}   made by paritylab {}\n", printable(repro.stage),
             printable(repro.model), printable(repro.tool_version));
  if (!repro.verdict.empty())
    fmt::print("there   {}: {}\n", printable(repro.verdict), printable(repro.reason));
  if (!repro.looks_like.empty()) fmt::print("        looks like {}\n", printable(repro.looks_like));
  if (!repro.cause.empty()) fmt::print("        cause: {}\n", printable(repro.cause));
  fmt::print("here    {}\n", device);
  std::size_t contract = 8, beside = 6;
  for (const ReplayRow& row : record.rows) {
    contract = std::max(contract, row.here.contract.size());
    beside = std::max(beside, agreement(row.to_a, row.same_a, shape).size());
  }
  fmt::print("{:<{}}  {:<12}  {:<13}  {:<{}}  {}\n", "contract", contract, "promise",
             "bits as there", "side a", beside, "side b");
  for (const ReplayRow& row : record.rows) {
    if (!row.refused.empty()) {
      fmt::print("{:<{}}  not run: {}\n", row.here.contract, contract, row.refused);
      continue;
    }
    fmt::print("{:<{}}  {:<12}  {:<13}  {:<{}}  {}\n", row.here.contract, contract,
               name(row.here.promise), row.as_made ? "yes" : "no",
               agreement(row.to_a, row.same_a, shape), beside,
               agreement(row.to_b, row.same_b, shape));
  }
  fmt::print("{}\n", side_text("a", repro.a, record, &ReplayRow::same_a));
  fmt::print("{}\n", side_text("b", repro.b, record, &ReplayRow::same_b));
}

ordered_json side_json(const SideBits& side, bool own, bool tried) {
  return {{"spec", side.spec},           {"contract", side.contract}, {"device", side.device},
          {"recording", side.recording}, {"own_contract_run", tried}, {"reproduced", own}};
}

void print_json(const Repro& repro, const ReplayRecord& record, const std::string& device,
                ExitCode code) {
  ordered_json document;
  document["paritylab_replay"] = 1;
  document["model"] = repro.model;
  document["stage"] = repro.stage;
  document["there"] = {{"verdict", repro.verdict},
                       {"reason", repro.reason},
                       {"looks_like", repro.looks_like},
                       {"cause", repro.cause}};
  document["device"] = device;
  document["a"] = side_json(repro.a, record.own_a, record.tried_a);
  document["b"] = side_json(repro.b, record.own_b, record.tried_b);
  document["algorithms"] = ordered_json::array();
  for (const ReplayRow& row : record.rows) {
    ordered_json each = {{"spec", row.here.spec},
                         {"contract", row.here.contract},
                         {"promise", name(row.here.promise)}};
    if (row.refused.empty())
      each.update({{"as_made", row.as_made},
                   {"same_as_a", row.same_a},
                   {"same_as_b", row.same_b},
                   {"differing_from_a", row.to_a.differing},
                   {"differing_from_b", row.to_b.differing}});
    else
      each["refused"] = row.refused;
    document["algorithms"].push_back(std::move(each));
  }
  document["exit_code"] = static_cast<int>(code);
  fmt::print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

ExitCode repro_command(const Options& options) {
  const Execution execution = execution_of(options.execution);
  const Repro repro = read_bundle(options.bundle);
  const Processor processor = open_processor();
  const ReplayRecord record = replay(repro, *processor.backend, execution);
  const auto code = static_cast<ExitCode>(exit_code_of(record, repro));
  const std::string device = processor.backend->info(execution).device;
  if (options.as_json)
    print_json(repro, record, device, code);
  else
    print_text(repro, record, device);
  return code;
}

}  // namespace

void add_repro(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "repro", "Replay a bundle of one stage: which arithmetic made which side's bits?");
  const auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "a folder or .zip that `diff --repro` wrote")
      ->required();
  command->add_flag("--json", options->as_json, "as JSON");
  add_execution_options(*command, options->execution);
  command->footer(
      "A bundle holds one stage as ONNX, its input, what both sides made of it, and the digests "
      "of\n"
      "every arithmetic that the processor has. It is replayed with no GPU and no Python.\n"
      "Examples:\n"
      "  paritylab diff model.onnx --b cuda:fp32 --repro stage.zip\n"
      "  paritylab repro stage.zip\n"
      "A recording has no contract of its own; it counts as explained when an arithmetic here "
      "makes\n"
      "its bits.\n"
      "Exit codes: 0 both sides are what their own contracts compute here · 1 one is not, or a\n"
      "  contract that promises the same bits everywhere gives others · 2 usage · 3 the bundle is\n"
      "  invalid · 4 incomplete: a contract cannot be run here, or a side is a recording that no\n"
      "  arithmetic here makes · 5 environment");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return repro_command(*options); }; });
}

}  // namespace parity::cli
