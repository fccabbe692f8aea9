#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/exit_code.hpp"

namespace parity::cli {

/// What a parsed command line asks to be done.
using Job = std::function<ExitCode()>;

/// Each adds one command, with its options, help and examples, to the program; parsing it sets the
/// job.
void add_diff(CLI::App& program, Job& job);
void add_run(CLI::App& program, Job& job);
void add_inspect(CLI::App& program, Job& job);
void add_report(CLI::App& program, Job& job);
void add_algorithms(CLI::App& program, Job& job);
void add_devices(CLI::App& program, Job& job);
void add_doctor(CLI::App& program, Job& job);
void add_mma(CLI::App& program, Job& job);

}  // namespace parity::cli
