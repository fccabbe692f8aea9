// The program: words in, exit code out. Every command is a file of its own beside this one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <new>
#include <span>

#include "cli/command.hpp"
#include "cli/version.hpp"
#include "model/nearest.hpp"

namespace parity::cli {
namespace {

constexpr const char* footer =
    "Examples:\n"
    "  paritylab diff model.onnx --b cpu:tf32@sm_90 --report model.html   will TF32 hurt, and "
    "where first?\n"
    "  paritylab diff model.onnx --input frame.npz --b capture:other.npz  where does the other "
    "runtime leave?\n"
    "  paritylab inspect model.onnx                                       what is in it, and can "
    "it be run?\n"
    "  paritylab doctor                                                   what do results depend "
    "on here?\n"
    "MODEL is an .onnx file or sample:NAME[/CASE], as in sample:second/A.\n"
    "Exit codes: 0 consistent · 1 diverged or beyond the tolerance · 2 usage · 3 model or input "
    "invalid ·\n"
    "  4 incomplete · 5 device, memory or environment. `paritylab COMMAND --help` has the rest.\n"
    "No CUDA backend is in this version; cpu:tf32@ARCH predicts the bits of its tensor cores.";

int complain(ExitCode code, const std::string& sentence) {
  fmt::print(stderr, "paritylab: {}\n", sentence);
  return static_cast<int>(code);
}

/// The sentence for a command line that the parser refuses, with the nearest option or command.
std::string usage_sentence(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App* at = &program;
  for (const CLI::App* command : program.get_subcommands()) at = command;
  std::string sentence = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> known;
    if (at == &program)
      for (const CLI::App* command : program.get_subcommands(nullptr))
        known.push_back(command->get_name());
    for (const CLI::Option* option : at->get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    const std::vector<std::string> extra = program.remaining(true);
    if (!extra.empty()) {
      const std::string hint = did_you_mean(extra[0], known);
      sentence = "'" + extra[0] + "' is no " +
                 (at == &program ? "command" : "option of this command") +
                 (hint.empty() ? "." : hint);
    }
  }
  while (!sentence.empty() && sentence.back() == '\n') sentence.pop_back();
  const std::string name = at == &program ? "" : " " + at->get_name();
  return "the command line cannot be read: " + sentence +
         (sentence.empty() || sentence.back() == '.' || sentence.back() == '?' ? "" : ".") +
         " `paritylab" + name + " --help` shows what there is.";
}

int run(std::span<const char* const> words) {
  CLI::App program("Finds the first stage where two backends of one neural network stop agreeing.",
                   "paritylab");
  program.set_version_flag("--version", version_text());
  program.require_subcommand(1);
  program.footer(footer);
  Invocation invocation;
  invocation.command_line = "paritylab";
  for (const char* word : words.subspan(std::min<std::size_t>(words.size(), 1)))
    invocation.command_line += " " + shell_quoted(word);
  add_diff(program, invocation);
  add_run(program, invocation);
  add_inspect(program, invocation);
  add_report(program, invocation);
  add_algorithms(program, invocation);
  add_devices(program, invocation);
  add_doctor(program, invocation);
  add_mma(program, invocation);
  if (words.size() <= 1) {
    fmt::print(stderr, "{}", program.help());
    return static_cast<int>(ExitCode::usage);
  }
  try {
    program.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::Success& success) {  // --help, --version
    return program.exit(success);
  } catch (const CLI::ParseError& error) {
    return complain(ExitCode::usage, usage_sentence(program, error));
  }
  return static_cast<int>(invocation.job());
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace parity::cli

int main(int count, char** words) {
  using namespace parity;
  using cli::ExitCode;
  try {
    return cli::run({words, static_cast<std::size_t>(count)});
  } catch (const Error& error) {
    const bool defect = error.fault() == Fault::internal;
    return cli::complain(
        cli::exit_code(error.fault()),
        defect ? fmt::format("a defect of paritylab at {}:{}: {}. Please report the command line.",
                             error.where().file, error.where().line, error.what())
               : error.what());
  } catch (const std::bad_alloc&) {
    return cli::complain(
        ExitCode::device,
        "the machine refused memory. `paritylab inspect MODEL` predicts what a run needs; "
        "--until runs a part.");
  } catch (const std::exception& error) {
    return cli::complain(ExitCode::device,
                         fmt::format("a defect of paritylab: {}. Please report the command "
                                     "line.",
                                     error.what()));
  }
}
