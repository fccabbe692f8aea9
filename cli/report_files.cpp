#include "cli/report_files.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "model/error.hpp"

namespace parity::cli {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// The locale's character set, as the C library would pick the variable. Unset means a bare
/// container, whose terminal is somebody's UTF-8 one.
bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value(variable(name));
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return true;
}

}  // namespace

void add_report_options(CLI::App& command, ReportOptions& options) {
  command
      .add_option(
          "--report", options.files,
          "write a report, its format by the suffix: .html .json .xml (JUnit) .md; - is JSON on "
          "standard output; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_flag("--all-stages", options.all_stages, "print every stage, however many there are");
}

ReportFiles::ReportFiles(const ReportOptions& options)
    : rows_(options.all_stages ? Rows::all : Rows::important) {
  std::vector<Format> formats;
  for (const std::string& path : options.files) formats.push_back(format_of(path));
  for (std::size_t i = 0; i < formats.size(); ++i) {
    for (const File& other : files_)
      if (other.output.path() == options.files[i])
        throw Error(Fault::bad_request,
                    "--report " + options.files[i] + " is given twice; keep one.");
    files_.push_back({formats[i], OutputFile(options.files[i])});
  }
}

void ReportFiles::write(const RunRecord& record) {
  bool data_on_stdout = false;
  for (File& file : files_) {
    data_on_stdout = data_on_stdout || file.output.is_standard_output();
    file.output.write(write_report(record, file.format));
  }
  const int descriptor = data_on_stdout ? STDERR_FILENO : STDOUT_FILENO;
  const std::string text = write_text(record, style_of(descriptor, rows_));
  std::FILE* const stream = data_on_stdout ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

SweepFiles::SweepFiles(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const Format format = format_of(path);
    if (format != Format::html && format != Format::json)
      throw Error(Fault::bad_request,
                  "--report " + path + ": a sweep is written as .html or .json.");
    files_.emplace_back(format, OutputFile(path));
  }
}

void SweepFiles::write(const SweepRecord& record, bool as_json) {
  bool data_on_stdout = as_json;
  for (auto& [format, file] : files_) {
    data_on_stdout = data_on_stdout || file.is_standard_output();
    file.write(format == Format::html ? write_sweep_html(record) : write_sweep_json(record));
  }
  if (as_json) fmt::print("{}", write_sweep_json(record));
  fmt::print(data_on_stdout ? stderr : stdout, "{}", write_sweep_text(record));
}

TextStyle style_of(int file_descriptor, Rows rows) {
  TextStyle style;
  style.rows = rows;
  style.glyphs = speaks_utf8() ? Glyphs::utf8 : Glyphs::ascii;
  if (::isatty(file_descriptor) == 0) return style;
  const std::string_view terminal = variable("TERM");
  const bool plain = terminal.empty() || terminal == "dumb" || !variable("NO_COLOR").empty();
  style.colour = plain ? Colour::none : Colour::ansi;
  winsize window = {};
  if (::ioctl(file_descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
    style.width = window.ws_col;
  return style;
}

}  // namespace parity::cli
