#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "cli/command.hpp"
#include "cli/mma.hpp"
#include "model/error.hpp"

namespace parity::cli {
namespace {

struct Options {
  std::string arch, round, file;
};

ExitCode mma_command(const Options& options) {
  const std::optional<Arch> arch = arch_named(options.arch);
  if (!arch || *arch == Arch::none)
    throw Error(Fault::bad_request, "--arch " + options.arch + " is no arch; the archs are " +
                                        tensor_core_archs() + ".");
  std::optional<Rounding> rounding;
  if (!options.round.empty()) {
    rounding = rounding_named(options.round);
    if (!rounding)
      throw Error(
          Fault::bad_request,
          "--round " + options.round + " is no operand rounding; there is rna, truncate and rn.");
  }
  // Nothing is printed until every row was good: half a table is a wrong answer.
  std::ostringstream table;
  if (options.file == "-") {
    run_mma(std::cin, table, *arch, rounding);
  } else {
    std::error_code ignored;
    std::ifstream file(options.file, std::ios::binary);
    if (!file || std::filesystem::is_directory(options.file, ignored))
      throw Error(Fault::bad_input, "the vectors '" + options.file + "' cannot be read: " +
                                        (file ? "it is a folder" : std::strerror(errno)) + ".");
    run_mma(file, table, *arch, rounding);
  }
  std::cout << table.view() << std::flush;
  return ExitCode::consistent;
}

}  // namespace

void add_mma(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "mma",
      "Run the model of a TF32 tensor core on vectors, to lay it beside a device's answers.");
  const auto options = std::make_shared<Options>();
  command->add_option("--arch", options->arch, tensor_core_archs())->required()->type_name("ARCH");
  command
      ->add_option("--round", options->round,
                   "round a and b to TF32 first: rna, truncate or rn; raw bits without it")
      ->type_name("MODE");
  command->add_option("FILE", options->file, "comma-separated vectors, - for standard input")
      ->required();
  command->footer(
      "Columns c, a0, a1, ..., b0, b1, ... hold float32 bits in hex; lines that start with # and "
      "other\n"
      "columns pass through. A last column d is added: c + a0*b0 + a1*b1 + ..., as the tensor core "
      "adds.\n"
      "Example:\n"
      "  paritylab mma --arch sm_90 vectors.csv > with_d.csv\n"
      "Exit codes: 0 every row was computed · 2 usage · 3 no such file, or a malformed table");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return mma_command(*options); }; });
}

}  // namespace parity::cli
