#include "compare/selftest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <vector>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/model_source.hpp"
#include "cli/progress.hpp"
#include "model/error.hpp"
#include "model/samples/topologies.hpp"

namespace parity::cli {
namespace {

struct Options {
  bool full = false;
  std::int64_t faults = 0, clean = 0;
  std::uint64_t seed = 1;
  ExecutionOptions execution;
};
constexpr std::int64_t quick_faults = 300, quick_clean = 300, full_faults = 5000,
                       full_clean = 10000;
constexpr int quick_samples = 1, full_samples = 12;
constexpr std::size_t rows_shown = 24;

std::string share(std::int64_t part, std::int64_t whole) {
  return fmt::format(
      "{} of {} ({:.2f} %)", part, whole,
      whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0);
}

void print_faults(const SelftestResult& result) {
  const FaultCount& all = result.total;
  fmt::print(
      "faults       {} seated: {} visible, {} within what correct arithmetic may do, {} "
      "changed no bit\n",
      all.seated, all.visible, all.invisible, all.silent);
  fmt::print("stage        {} named at the exact stage and nowhere else; {:.1f} % demanded\n",
             share(all.stage_right, all.visible), 100 * stages_demanded);
  fmt::print("fault        {} called by the right name first; {:.0f} % demanded\n",
             share(all.label_right, all.visible), 100 * labels_demanded);
  fmt::print("             {} more called another fault that gives the same bits\n",
             all.label_equal);
  fmt::print(
      "             {} by the right name in recordings, which can be neither run nor "
      "reproduced to the bit\n",
      share(result.recorded.label_right, result.recorded.visible));
  fmt::print("\n{:<24} {:>4} {:>7} {:>8} {:>7} {:>7}\n", "fault", "zoo", "seated", "visible",
             "stage", "name");
  for (const FaultCount& each : result.faults) {
    const int zoo = zoo_number(each.bug);
    fmt::print("{:<24} {:>4} {:>7} {:>8} {:>7} {:>7}\n", name(each.bug),
               zoo > 0 ? std::to_string(zoo) : "-", each.seated, each.visible, each.stage_right,
               each.label_right);
  }
  if (!result.confusions.empty()) fmt::print("\ncalled otherwise\n");
  for (std::size_t i = 0; i < std::min(rows_shown, result.confusions.size()); ++i) {
    const Confusion& each = result.confusions[i];
    fmt::print("{:>4} x {} called {}, as {}\n", each.count, each.expected, each.given,
               each.example);
  }
  if (!result.missed.empty()) fmt::print("\nstage not named, or not alone\n");
  for (std::size_t i = 0; i < std::min(rows_shown, result.missed.size()); ++i)
    fmt::print("       {}\n", result.missed[i]);
}

void print_clean(const SelftestResult& result) {
  fmt::print(
      "\nclean        {} false alarms in {} runs of {} stages; 0 demanded. {} stages were "
      "untrusted: too little in them to judge\n",
      result.false_alarms.size(), result.clean_runs, result.clean_stages, result.untrusted_stages);
  for (std::size_t i = 0; i < std::min(rows_shown, result.false_alarms.size()); ++i)
    fmt::print("       {}\n", result.false_alarms[i]);
}

void print_probes(const SelftestResult& result) {
  fmt::print(
      "probes       {} mismatches in {} stages on exact integers, under two contracts; one "
      "element moved by\n             one ULP there: {} named; all demanded\n",
      result.probe_alarms.size(), result.probed_stages,
      share(result.probe_found, result.probe_faults));
  for (std::size_t i = 0; i < std::min(rows_shown, result.probe_alarms.size()); ++i)
    fmt::print("       {}\n", result.probe_alarms[i]);
}

void print_thresholds(const SelftestResult& result) {
  if (result.thresholds.empty()) return;
  fmt::print(
      "\nA smaller fault hides in the bounds. Found in every network tried, from\n"
      "{:<18} {:<27} {:>14} {:>16}\n",
      "op", "a | b", "one channel by", "one element by");
  for (const Threshold& each : result.thresholds)
    fmt::print("{:<18} {:<27} {:>14} {:>12} ULP\n", each.op, each.pair,
               each.scale > 0 ? fmt::format("{:.2g}", each.scale) : "never",
               each.ulp > 0 ? fmt::format("{:.0f}", each.ulp) : "never");
}

ExitCode selftest_command(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  if (options.faults < 0 || options.clean < 0)
    throw Error(Fault::bad_request,
                "--faults and --clean count cases, so they cannot be negative.");
  SelftestRequest request;
  request.workbench = [] {
    const Processor processor = open_processor();
    return Workbench{processor.backend, processor.oracle};
  };
  request.faults = options.faults > 0 ? options.faults : options.full ? full_faults : quick_faults;
  request.clean = options.clean > 0 ? options.clean : options.full ? full_clean : quick_clean;
  request.threshold_samples = options.full ? full_samples : quick_samples;
  request.seed = options.seed;
  request.threads = execution_of(options.execution).threads;
  SelftestResult result;
  {
    ProgressLine line;
    request.progress = [&](std::int64_t done, std::int64_t all) {
      line.show({"selftest", static_cast<int>(done), static_cast<int>(all), done, all});
    };
    result = selftest(request);
  }
  print_faults(result);
  print_clean(result);
  print_probes(result);
  print_thresholds(result);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  fmt::print("\n{} (seed {}, {:.0f} s on {} threads)\n",
             result.passed() ? "passed" : "FAILED: a demand above is not met", result.seed,
             seconds.count(), request.threads);
  return result.passed() ? ExitCode::consistent : ExitCode::diverged;
}

}  // namespace

void add_selftest(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "selftest",
      "Inject faults into small networks: each must be found, and named; clean runs must "
      "stay silent.");
  const auto options = std::make_shared<Options>();
  command->add_flag("--full", options->full, "5,000 faults and 10,000 clean runs: minutes");
  command->add_option("--faults", options->faults, "visible faults to find")->type_name("N");
  command->add_option("--clean", options->clean, "clean runs to stay silent on")->type_name("N");
  command->add_option("--seed", options->seed, "everything follows from it")
      ->type_name("S")
      ->capture_default_str();
  add_execution_options(*command, options->execution);
  std::vector<std::string_view> kinds;
  for (const Topology topology : all_topologies()) kinds.push_back(name(topology));
  command->footer(
      "Each fault (a transposed kernel, another eps, one flipped bit...) sits in one stage of one "
      "small network:\n" +
      fmt::format("{}.\n", fmt::join(kinds, ", ")) +
      "`diff` must name that stage and no other, and the diagnosis must call the fault by its "
      "name.\n"
      "How it is counted: a fault is visible when no correct arithmetic could have made it. Under "
      "one contract\non both sides that is any changed bit; under two contracts, an element "
      "outside "
      "the bound of its contract\naround the exact value. Faults that stay within it cannot be "
      "told "
      "from rounding; they are counted apart,\nand the last table says from which size on a fault "
      "shows.\n"
      "Examples:\n"
      "  paritylab selftest                        seconds: is this build fit for use?\n"
      "  paritylab selftest --full --seed 7        the figures of the README, from another seed\n"
      "Exit codes: 0 every demand met · 1 one is not · 2 usage");
  command->callback([&invocation, options] {
    invocation.job = [options] { return selftest_command(*options); };
  });
}

}  // namespace parity::cli
