#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cuda/cuda.hpp"

namespace parity::cli {
namespace {

ExitCode devices() {
  const Machine here = machine();
  fmt::print("{:<8} {:<8} {}, {} threads{}{}\n", "cpu", "usable", here.processor, here.threads,
             here.features.empty() ? "" : ", ", fmt::join(here.features, " "));
  const cuda::Availability gpus = cuda::availability();
  for (const cuda::Device& device : gpus.devices)
    fmt::print("{:<8} {:<8} {}{}{}\n", fmt::format("cuda:{}", device.number),
               device.why.empty() ? "usable" : "refused", device.name,
               device.why.empty() ? "" : ": ", device.why);
  if (!gpus.why.empty()) fmt::print("{:<8} {:<8} {}\n", "cuda", "absent", gpus.why);
  return ExitCode::consistent;
}

}  // namespace

void add_devices(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("devices", "List where a side can run here, and why not elsewhere.");
  command->footer(
      "A line is: device, usable|refused|absent, what it is or why not.\n"
      "Exit codes: 0 always; a missing GPU is a fact, not a failure.");
  command->callback([&invocation] { invocation.job = devices; });
}

}  // namespace parity::cli
