#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/output.hpp"
#include "reports/reports.hpp"
#include "reports/sweep.hpp"

namespace parity::cli {

/// Adds --report, repeatable, and --all-stages.
struct ReportOptions {
  std::vector<std::string> files;
  bool all_stages = false;
};
void add_report_options(CLI::App& command, ReportOptions& options);

/// The report files of one run: formats and paths are checked when it is made, before the work.
class ReportFiles {
 public:
  /// Throws Fault::bad_request for a suffix that is no format, Fault::io for a path that cannot be
  /// written.
  explicit ReportFiles(const ReportOptions& options);

  /// Writes every report, and the text: to standard output, or to standard error when a report is
  /// "-".
  void write(const RunRecord& record);

 private:
  struct File {
    Format format;
    OutputFile output;
  };
  std::vector<File> files_;
  Rows rows_;
};

/// The same of a sweep, which is written as a page or as data.
class SweepFiles {
 public:
  /// Throws Fault::bad_request for any other format, Fault::io for a path that cannot be written.
  explicit SweepFiles(const std::vector<std::string>& paths);
  /// `as_json`: the data on standard output too.
  void write(const SweepRecord& record, bool as_json);

 private:
  std::vector<std::pair<Format, OutputFile>> files_;
};

/// How this terminal wants its text: width, colour (NO_COLOR, TERM) and glyphs (the locale's
/// character set).
TextStyle style_of(int file_descriptor, Rows rows);

}  // namespace parity::cli
