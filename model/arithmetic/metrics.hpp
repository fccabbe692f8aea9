#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>

#include "model/arithmetic/judgement.hpp"
#include "model/comparison.hpp"
#include "model/op.hpp"

namespace parity {

// What every backend's comparison does after its pass over the elements.

/// No element.
inline constexpr std::int64_t nowhere = std::numeric_limits<std::int64_t>::max();

/// CONTRACTS section 7: M(1 + 2^-9) + t >= 2^127 tells nothing. `mixed`: the sides have different types.
Judgement judgement_of(const Allowance& allowance, bool mixed);

/// A largest value and the lowest index that has it.
struct Largest {
  double value = -1;
  std::int64_t index = nowhere;
  void take(double other, std::int64_t at) {
    if (other > value || (other == value && at < index)) value = other, index = at;
  }
};

/// Sums of a chunk by lanes32 in double.
struct ChunkSums {
  double abs = 0, square = 0, aa = 0, bb = 0, ab = 0;
};

/// What the chunks of a comparison come to.
struct ComparisonTotals {
  std::int64_t elements = 0, informative = 0, differing = 0;
  std::int64_t nan_mismatches = 0, infinity_mismatches = 0, signed_zero_mismatches = 0;
  std::int64_t beyond = 0, uninformative_bounds = 0;
  std::int64_t first = nowhere, first_mismatch = nowhere;
  Largest worst;  ///< of |b - a|
  Largest share;
  double max_rel = 0;
  std::array<std::int64_t, ulp_bins> ulp_histogram{};
  ChunkSums sums;  ///< chunks added in index order from +0
  bool judged = false;
};

/// `pair_at` reads both sides at a logical index, `bound_at` the bound there.
Comparison finish(const ComparisonTotals& totals,
                  const std::function<ElementPair(std::int64_t)>& pair_at,
                  const std::function<double(std::int64_t)>& bound_at);

/// Sums of a chunk of a split, or all chunks added in index order.
struct ChunkSplit {
  double introduced = 0, inherited = 0, accumulated = 0;  ///< squares
  double introduced_on_accumulated = 0, inherited_on_accumulated = 0;
  double aa = 0;
  void add(const ChunkSplit& chunk);
};
Split finish(const ChunkSplit& sums);

/// The axes of an ErrorMap: which channel and which cell of space a logical element belongs to.
struct MapAxes {
  std::int64_t N, C, H, W;
  bool column_is_channel;
};
MapAxes map_axes(const Shape& shape);
/// All maxima 0.
ErrorMap empty_map(const MapAxes& axes);

}  // namespace parity
