#pragma once

#include <span>
#include <string>
#include <vector>

#include "compare/record.hpp"
#include "compare/sweep_record.hpp"
#include "model/tensor.hpp"

namespace parity {

/// The point that one diff is, without its place on the axes. `inputs` in the order of their names.
SweepPoint point_of(const RunRecord& record, std::span<const std::string> input_names,
                    std::span<const Tensor> inputs);

/// Fills findings and the exit code (5, 3, 1, 4 before 0) from the points:
///   - along each axis, with the others held: from which value on the outputs differ, and from which
///     a stage diverges, and which stage does it;
///   - outputs that keep their bits although an input changed, and outputs that are an input.
void conclude(SweepRecord& record);

}  // namespace parity
