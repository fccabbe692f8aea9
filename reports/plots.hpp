#pragma once

#include <string>

#include "compare/record.hpp"
#include "compare/sweep_record.hpp"

namespace parity::reports {

// The page's pictures. Each returns one static SVG, drawn from the record's numbers alone.

/// Introduced error against its bound, and accumulated error, over the stages on log axes; blocks
/// bracketed with their shares of the final error, the first divergence ruled.
std::string plot_errors(const RunRecord& record);

/// Amplification and share of the final error over the same stages.
std::string plot_origins(const RunRecord& record);

/// How many elements lie how many units in the last place apart; equal ones and NaN apart from the
/// rest.
std::string plot_ulp(const Comparison& comparison);

/// Where in the image the difference sits, largest of all channels; the worst region framed where a
/// diagnosis gives one of a tensor with an image.
std::string plot_heat(const ErrorMap& map, const Diagnosis* diagnosis);

/// In which channels it sits.
std::string plot_channels(const ErrorMap& map);

/// A stage's introduced error taken apart: one bar per switched clause, each beginning where the one
/// above ended, so that together they span the whole.
std::string plot_waterfall(const Attribution& attribution);

/// The final difference of every point of a sweep along one axis, one line for each setting of the
/// others; a marker tells the worst verdict of a point. Empty where no point ran.
std::string plot_sweep(const SweepRecord& record, std::size_t along);

/// The marker of a verdict, for legends and tables.
std::string verdict_icon(Verdict verdict);

}  // namespace parity::reports
