#pragma once

#include <string>

#include "compare/sweep_record.hpp"

namespace parity {

/// The findings, then one row per point, for people at a terminal. Ends with a newline.
std::string write_sweep_text(const SweepRecord& record);

/// Everything in fixed key order; NaN and infinities as strings, seconds under "times".
std::string write_sweep_json(const SweepRecord& record);

/// One self-contained page: findings, a picture along each axis of several values, the table.
std::string write_sweep_html(const SweepRecord& record);

}  // namespace parity
