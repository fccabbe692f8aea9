#pragma once

#include <cstdint>

#include "model/numerics.hpp"

namespace parity::cpu {

/// y[j] = rows[0][j] * weights[0], then y[j] = fma(rows[t][j], weights[t], y[j]) for t = 1, …,
/// taps - 1 in order, each rounded once. Vectorised; the same bits at every width.
void weighted_sum(const float* const* rows, const float* weights, std::int64_t taps, float* y,
                  std::int64_t count, InstructionSet instruction_set);
void weighted_sum(const double* const* rows, const double* weights, std::int64_t taps, double* y,
                  std::int64_t count, InstructionSet instruction_set);

}  // namespace parity::cpu
