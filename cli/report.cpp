#include "cli/command.hpp"
#include "cli/file_bytes.hpp"
#include "cli/report_files.hpp"

namespace parity::cli {
namespace {

struct Options {
  std::string record;
  ReportOptions reports;
};

ExitCode render(const Options& options) {
  const std::string text = read_text_file(options.record);
  if (record_kind(text) == RecordKind::sweep) {
    SweepFiles(options.reports.files).write(read_sweep_json(text), false);
  } else {
    ReportFiles reports(options.reports);
    reports.write(read_json(text));
  }
  return ExitCode::consistent;
}

/// The records' readers know no file's name.
ExitCode report_command(const Options& options) {
  try {
    return render(options);
  } catch (const Error& error) {
    const std::string why = error.what();
    if (error.fault() != Fault::bad_input || why.find(options.record) != std::string::npos) throw;
    throw Error(Fault::bad_input, options.record + ": " + why);
  }
}

}  // namespace

void add_report(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("report", "Render the record of an earlier run again, in any format.");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("RECORD", options->record,
                   "a .json that `diff --report` or `sweep --report` wrote")
      ->required();
  add_report_options(*command, options->reports);
  command->footer(
      "Example:\n"
      "  paritylab report nightly.json --report nightly.html --report nightly.xml\n"
      "A sweep is rendered as .html or .json.\n"
      "Exit codes: 0 rendered, whatever the record says · 2 usage · 3 no such record · 5 cannot "
      "write");
  command->callback(
      [&invocation, options] { invocation.job = [options] { return report_command(*options); }; });
}

}  // namespace parity::cli
