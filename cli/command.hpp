#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/exit_code.hpp"

namespace parity::cli {

/// A command line on its way from the parser to the work.
struct Invocation {
  std::string command_line;       ///< every word quoted as a shell needs it: to run it again
  std::function<ExitCode()> job;  ///< what the parsed command asks for
};

/// Each adds one command, with its options, help and examples, to the program; parsing it sets the
/// job.
void add_diff(CLI::App& program, Invocation& invocation);
void add_run(CLI::App& program, Invocation& invocation);
void add_determinism(CLI::App& program, Invocation& invocation);
void add_narrow(CLI::App& program, Invocation& invocation);
void add_bench(CLI::App& program, Invocation& invocation);
void add_sweep(CLI::App& program, Invocation& invocation);
void add_plan(CLI::App& program, Invocation& invocation);
void add_inspect(CLI::App& program, Invocation& invocation);
void add_repro(CLI::App& program, Invocation& invocation);
void add_report(CLI::App& program, Invocation& invocation);
void add_algorithms(CLI::App& program, Invocation& invocation);
void add_devices(CLI::App& program, Invocation& invocation);
void add_doctor(CLI::App& program, Invocation& invocation);
void add_selftest(CLI::App& program, Invocation& invocation);
void add_mma(CLI::App& program, Invocation& invocation);

/// The word as a shell reads it back: in single quotes when it holds anything unusual.
std::string shell_quoted(const std::string& word);

}  // namespace parity::cli
