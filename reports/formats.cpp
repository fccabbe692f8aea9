#include <string>

#include "model/text.hpp"
#include "reports/escape.hpp"
#include "reports/reports.hpp"

namespace parity {
namespace {

/// One row per format; the first suffix is the usual one.
struct FormatRow {
  Format format;
  std::string_view name;
  std::string_view suffix;
  std::string_view other_suffix;
  std::string (*write)(const RunRecord&);
};

constexpr FormatRow formats[] = {
    {Format::html, "HTML", ".html", ".htm", write_html},
    {Format::json, "JSON", ".json", "", write_json},
    {Format::junit, "JUnit XML", ".xml", "", write_junit},
    {Format::markdown, "Markdown", ".md", ".markdown", write_markdown},
};

const FormatRow& row_of(Format format) {
  for (const FormatRow& row : formats)
    if (row.format == format) return row;
  throw Error(Fault::internal, "a report format has no row in reports/formats.cpp");
}

}  // namespace

std::string_view name(Format format) { return row_of(format).name; }

Format format_of(std::string_view path) {
  if (path == "-") return Format::json;
  std::string suffixes;
  for (const FormatRow& row : formats) {
    if (has_suffix(path, row.suffix)) return row.format;
    if (!row.other_suffix.empty() && has_suffix(path, row.other_suffix)) return row.format;
    suffixes += (suffixes.empty() ? "" : ", ") + std::string(row.suffix) + " (" +
                std::string(row.name) + ")";
  }
  throw Error(Fault::bad_request, "cannot tell the format of the report '" +
                                      reports::printable(path) + "' by its suffix. There are " +
                                      suffixes + ", and - for JSON on standard output.");
}

std::string write_report(const RunRecord& record, Format format) {
  return row_of(format).write(record);
}

}  // namespace parity
