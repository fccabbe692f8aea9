#pragma once

#include <cstdint>

#include "cuda/api.hpp"
#include "model/arithmetic/judgement.hpp"

namespace parity::cuda {

// One pass over values on the device: digest, comparison, split, error map, single elements.

/// A value as a comparison reads it. Logical index of x[n, c, p]: (n*C + c)*P + p; a channels-last one lies
/// at (n*P + p)*C + c.
struct CompareOperand {
  const void* data;
  bool wide;  ///< float64, else float32
  bool channels_last;
  std::int64_t C, P;
};

/// One chunk of a comparison: sums of lanes32 in double, counts, and indices of this chunk's elements
/// (nowhere_in_chunk where there is none).
struct DeviceChunk {
  double sum_abs, sum_square, sum_aa, sum_bb, sum_ab;
  double max_abs, max_rel, share;
  std::int32_t max_abs_at, share_at, first, first_mismatch;
  std::int32_t informative, differing, nan_mismatches, infinity_mismatches, signed_zero_mismatches;
  std::int32_t beyond, uninformative_bounds;
};
inline constexpr std::int32_t nowhere_in_chunk = 0x7fffffff;
inline constexpr int ulp_bin_count = 34;

struct CompareArgument {
  CompareOperand a, b, magnitude;  ///< magnitude.data null: nothing is judged
  std::int64_t count;
  Judgement judgement;
  bool in_double;  ///< some operand is float64
  DeviceChunk* chunks;
  std::uint64_t* histogram;  ///< ulp_bin_count, zero before
};
Status launch_compare(const Queue& queue, const CompareArgument& argument);

/// Squares and products of a chunk's errors, by lanes32 in double.
struct DeviceSplit {
  double introduced, inherited, accumulated, introduced_on_accumulated, inherited_on_accumulated,
      aa;
};
struct SplitArgument {
  CompareOperand a, local, b;
  std::int64_t count;
  DeviceSplit* chunks;
};
Status launch_split(const Queue& queue, const SplitArgument& argument);

/// Maxima of |b - a| per cell and per bar, as bits of float32, all zero before.
struct MapArgument {
  CompareOperand a, b;
  std::int64_t count;
  std::int64_t C, H, W, rows, columns, bars;
  bool column_is_channel, in_double;
  std::uint32_t* heat;
  std::uint32_t* channel_max;
};
Status launch_map(const Queue& queue, const MapArgument& argument);

/// Adds every element's digest terms to its item's two sums.
struct DigestArgument {
  const void* data;
  int word_bytes;  ///< 8, 4 or 1
  bool floating;   ///< NaNs are read as one
  bool channels_last;
  std::int64_t items, per_item, C, P;  ///< C and P of an item
  std::uint64_t* sums;                 ///< 2 * items, zero before
};
Status launch_digest(const Queue& queue, const DigestArgument& argument);

/// to[i] = the element at logical indices[i], widened.
struct GatherArgument {
  CompareOperand from;
  const std::int64_t* indices;
  std::int64_t count;
  double* to;
};
Status launch_gather(const Queue& queue, const GatherArgument& argument);

}  // namespace parity::cuda
