// The program: words in, exit code out. Every command is a file of its own beside this one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
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
    "  paritylab narrow model.onnx --b cpu:tf32@sm_90                     which stages make the "
    "difference?\n"
    "  paritylab determinism model.onnx --on cpu:fp32                     does any bit change from "
    "run to run?\n"
    "  paritylab sweep model.onnx --b cpu:tf32@sm_90 --axis seq=1,10,500  from which size on does "
    "it "
    "differ?\n"
    "  paritylab bench model.onnx --on cpu:fp32 --budget 20Hz             is it fast enough?\n"
    "  paritylab inspect model.onnx                                       what is in it, and can "
    "it be run?\n"
    "  paritylab doctor                                                   what do results depend "
    "on here?\n"
    "MODEL is an .onnx file or sample:NAME[/CASE], as in sample:second/A.\n"
    "Exit codes: 0 consistent · 1 diverged or beyond the tolerance · 2 usage · 3 model or input "
    "invalid ·\n"
    "  4 incomplete · 5 device, memory or environment. `paritylab COMMAND --help` has the rest.\n"
    "Without a GPU, cpu:tf32@ARCH predicts the bits of its tensor cores; `paritylab devices` says "
    "what is here.";

int complain(ExitCode code, const std::string& sentence) {
  fmt::print(stderr, "paritylab: {}\n", sentence);
  return static_cast<int>(code);
}

std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// "…, which is no …": with the nearest name that there is.
std::string unknown(const std::string& word, const std::string& what,
                    const std::vector<std::string>& known) {
  const std::string hint = did_you_mean(word, known);
  return "'" + word + "' is no " + what + (hint.empty() ? "." : hint);
}

/// The sentence for a command line that the parser refuses, with the nearest command or option.
std::string usage_sentence(const CLI::App& program, const std::string& first_word,
                           const CLI::ParseError& error) {
  const std::vector<CLI::App*> parsed = program.get_subcommands();
  std::string sentence = error.what();
  std::string help = "paritylab";
  if (parsed.empty()) {
    if (!first_word.empty() && first_word[0] != '-')
      sentence = unknown(first_word, "command", command_names(program));
  } else {
    help += " " + parsed.front()->get_name();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
      for (const std::string& word : program.remaining(true)) {
        sentence = unknown(word, "option of " + help, option_names(*parsed.front()));
        break;
      }
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr)
    // "Could not convert: --tolerance = abc"; every option that is converted takes a number.
    if (const std::size_t at = sentence.find("--"), equals = sentence.find(" = ", at);
        at != std::string::npos && equals != std::string::npos)
      sentence = sentence.substr(at, equals - at) + " takes a number, not '" +
                 sentence.substr(equals + 3) + "'";
  while (!sentence.empty() && sentence.back() == '\n') sentence.pop_back();
  if (!sentence.empty() && sentence.back() != '.' && sentence.back() != '?') sentence += ".";
  return "the command line cannot be read: " + sentence + " `" + help +
         " --help` shows what there is.";
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
  add_determinism(program, invocation);
  add_narrow(program, invocation);
  add_sweep(program, invocation);
  add_bench(program, invocation);
  add_plan(program, invocation);
  add_inspect(program, invocation);
  add_repro(program, invocation);
  add_report(program, invocation);
  add_algorithms(program, invocation);
  add_devices(program, invocation);
  add_doctor(program, invocation);
  add_selftest(program, invocation);
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
    return complain(ExitCode::usage, usage_sentence(program, words[1], error));
  }
  return static_cast<int>(invocation.job());
}

/// Whether all that was printed has arrived. Both streams buffer, so only a flush tells.
bool standard_output_arrived() {
  std::cout.flush();
  const bool flushed = std::fflush(stdout) == 0;
  return flushed && std::ferror(stdout) == 0 && std::cout.good();
}

int complain_of_lost_output() {
  return complain(ExitCode::device,
                  "standard output took not all that was written to it, so the answer is "
                  "incomplete: its device is full or closed. Free space there, or write "
                  "elsewhere.");
}

}  // namespace

}  // namespace parity::cli

int main(int count, char** words) {
  using namespace parity;
  using cli::ExitCode;
  try {
    const int code = cli::run({words, static_cast<std::size_t>(count)});
    return cli::standard_output_arrived() ? code : cli::complain_of_lost_output();
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
    // fmt throws what the stream refused.
    if (!cli::standard_output_arrived()) return cli::complain_of_lost_output();
    return cli::complain(ExitCode::device,
                         fmt::format("a defect of paritylab: {}. Please report the command "
                                     "line.",
                                     error.what()));
  }
}
