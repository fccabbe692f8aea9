#include <fmt/format.h>

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/version.hpp"
#include "cuda/cuda.hpp"

namespace parity::cli {
namespace {

constexpr double gibibyte = 1 << 30;

void line(std::string_view state, std::string_view what, std::string_view value) {
  fmt::print("{:<6} {:<12} {}\n", state, what, value);
}

ExitCode doctor() {
  int wrong = 0;
  const auto complain = [&](std::string_view what, const std::string& value) {
    ++wrong;
    line("wrong", what, value);
  };
  line("", "program", version_text());
  const Machine here = machine();
  line("", "processor",
       fmt::format("{}, {}", here.processor,
                   here.features.empty() ? "no vector features that paritylab uses"
                                         : fmt::format("{}", fmt::join(here.features, " "))));
  line("", "threads", std::to_string(here.threads));
  line("", "memory",
       fmt::format("{:.1f} GiB, {:.1f} GiB available",
                   static_cast<double>(here.memory_bytes) / gibibyte,
                   static_cast<double>(here.available_bytes) / gibibyte));
  for (const SelfTest& test : arithmetic_self_tests()) {
    if (test.holds)
      line("ok", "arithmetic", test.what);
    else
      complain("arithmetic", test.what + ": no. " + test.otherwise);
  }
  for (const std::string& library : loaded_libraries()) line("", "library", library);

  const std::vector<VendorVariable> variables = vendor_variables();
  if (variables.empty())
    line("ok", "environment", "no variable is set that a vendor's library obeys");
  for (const VendorVariable& variable : variables)
    line("note", "environment",
         variable.name + "=" + variable.value + ": " + variable.effect + ".");

  const CudaInstallation cuda = cuda_installation();
  line("", "cuda", "driver: " + (cuda.driver.empty() ? std::string("none") : cuda.driver));
  for (const std::string& compiler : cuda.compilers) line("", "cuda", "compiler " + compiler);
  for (const std::string& runtime : cuda.runtimes) line("", "cuda", "library " + runtime);
  if (!cuda.mixed.empty()) complain("cuda", cuda.mixed + ".");
  if (!cuda.ambiguous.empty()) line("note", "cuda", cuda.ambiguous + ".");
  const cuda::Availability gpus = cuda::availability();
  if (!gpus.build.empty()) line("", "cuda", "this program: " + gpus.build);
  if (!gpus.why.empty()) line("note", "cuda", gpus.why + ".");
  for (const cuda::Device& device : gpus.devices)
    line(device.why.empty() ? "ok" : "note", "cuda",
         fmt::format("device {} {}{}{}", device.number, device.name, device.why.empty() ? "" : ": ",
                     device.why));

  fmt::print("{}\n", wrong == 0   ? std::string("nothing is wrong")
                     : wrong == 1 ? std::string("1 thing is wrong")
                                  : fmt::format("{} things are wrong", wrong));
  return wrong == 0 ? ExitCode::consistent : ExitCode::device;
}

}  // namespace

void add_doctor(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "doctor", "Print what the results depend on here, and say what is wrong with it.");
  command->footer("Exit codes: 0 nothing is wrong · 5 something is; its line starts with 'wrong'.");
  command->callback([&invocation] { invocation.job = doctor; });
}

}  // namespace parity::cli
