#pragma once

#include <cstdint>

#include "model/numerics.hpp"

namespace parity::cpu {

/// Where a transposed matrix is wanted: `cache` when it is read at once, `memory` when it is larger
/// than the caches, so that its lines need not be read before they are written.
enum class Into { cache, memory };

/// Transposes rows x columns: to[c * to_stride + r] = from[r * from_stride + c], in registers.
/// Moves bits only.
void transpose(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride,
               std::int64_t rows, std::int64_t columns, Into into, InstructionSet set);
void transpose(const double* from, std::int64_t from_stride, double* to, std::int64_t to_stride,
               std::int64_t rows, std::int64_t columns, Into into, InstructionSet set);

}  // namespace parity::cpu
