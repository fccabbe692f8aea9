#pragma once

#include <cstdint>

namespace parity {

// C++17, so that device code names it too.

/// Logical indices per chunk of the metrics' sums (CONTRACTS section 6).
inline constexpr std::int64_t metric_chunk = 4096;

/// What a chunk is judged by: |d| <= coefficient * M + underflow, unless M >= limit.
struct Judgement {
  double coefficient = 0, underflow = 0;
  double limit = 0;  ///< magnitudes from here on judge nothing
  /// One side is float32: ULP are counted between the float32 numbers nearest to both.
  bool ulp_of_float32 = false;
};

}  // namespace parity
