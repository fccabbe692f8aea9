#pragma once

#include <string>
#include <string_view>

#include "compare/sweep_record.hpp"

namespace parity {

/// The findings, then one row per point, for people at a terminal. Ends with a newline.
std::string write_sweep_text(const SweepRecord& record);

/// Everything in fixed key order; NaN and infinities as strings, seconds under "times".
std::string write_sweep_json(const SweepRecord& record);

/// The record that write_sweep_json() wrote, but for `input_shapes`, which only the findings need:
/// write_sweep_json(read_sweep_json(text)) == text. Throws Fault::bad_input when the text is no such
/// document or of another schema version.
SweepRecord read_sweep_json(std::string_view text);

/// One self-contained page: findings, a picture along each axis of several values, the table.
std::string write_sweep_html(const SweepRecord& record);

}  // namespace parity
