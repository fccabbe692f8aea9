#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compare/record.hpp"

namespace parity {

/// The files a record can be written as. Text for the terminal is apart: it depends on the
/// terminal.
enum class Format { html, json, junit, markdown };

/// "HTML", "JSON", "JUnit XML", "Markdown".
std::string_view name(Format format);

/// The format of a report file by its suffix, in any case: .html .htm, .json, .xml, .md. "-" means
/// JSON on standard output. Throws Fault::bad_request, with the list of suffixes, for anything
/// else.
Format format_of(std::string_view path);

/// The whole file. Equal records give equal bytes, whatever the locale, time zone or thread count.
std::string write_report(const RunRecord& record, Format format);

enum class Colour { none, ansi };
/// ascii writes no byte beyond ASCII: glyphs get a stand-in, other letters become \u{e9}.
enum class Glyphs { utf8, ascii };
/// important: every stage up to 40; of more, those that answer a question, with a count of the
/// rest.
enum class Rows { important, all };

/// How a terminal wants its text. The caller reads NO_COLOR, TERM and the window; reports read
/// nothing.
struct TextStyle {
  Colour colour = Colour::none;
  Glyphs glyphs = Glyphs::utf8;
  Rows rows = Rows::important;
  int width = 120;  ///< columns; the stage table drops columns to fit. 0: no limit.
};

/// The answers, the stage table and the stage that matters most, for people at a terminal. Ends
/// with a newline.
std::string write_text(const RunRecord& record, const TextStyle& style = {});

/// One document that follows reports/schema/run_record.schema.json: fixed key order, shortest
/// floats that read back to the same bits, NaN and infinities as strings, everything that is a time
/// under "times".
std::string write_json(const RunRecord& record);

/// The record that write_json() wrote: write_json(read_json(text)) == text. Throws
/// Fault::bad_input, naming the place ("stages[3].introduced.max_abs"), when the text is no such
/// document or of another schema version.
RunRecord read_json(std::string_view text);

/// What a JSON file that --report wrote holds: one diff, or a sweep (reports/sweep.hpp).
enum class RecordKind { run, sweep };
/// Throws Fault::bad_input, saying which files are meant, when it holds neither.
RecordKind record_kind(std::string_view json);

/// One self-contained page: no network, no file beside it, readable with scripts and style sheets
/// blocked.
std::string write_html(const RunRecord& record);

/// One suite (model and plan pair), one case per stage: diverged is a failure, untrusted an error,
/// not_run skipped with its reason.
std::string write_junit(const RunRecord& record);

/// A summary of at most 60,000 bytes for a code review or a job summary: the verdict, the answers
/// and the ten stages that matter most.
std::string write_markdown(const RunRecord& record);

}  // namespace parity
