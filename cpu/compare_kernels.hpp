#pragma once

#include <cstdint>

#include "model/arithmetic/metrics.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// ulp_histogram is counted in this many tables side by side, so that equal bins do not wait for
/// each other.
inline constexpr int histogram_tables = 4;

/// One chunk of a comparison. Sums of lanes32 in double; counts are of this chunk.
struct ChunkComparison {
  double sum_abs = 0, sum_square = 0, sum_aa = 0, sum_bb = 0, sum_ab = 0;
  double max_abs = 0;
  std::int64_t informative = 0, differing = 0;
  std::int64_t nan_mismatches = 0, infinity_mismatches = 0, signed_zero_mismatches = 0;
  std::int64_t beyond = 0, uninformative_bounds = 0;
  /// Largest |d| / bound in this chunk when it reaches `share_to_beat`; else -1.
  double share = -1;
  std::int64_t share_at = 0;  ///< its lowest index in the chunk
};

/// What a thread has seen so far; lets a chunk skip divisions that cannot matter.
struct RunningComparison {
  double max_rel = 0;
  double share_to_beat = 0;
  std::int64_t histogram[histogram_tables][ulp_bins] = {};
};

/// The inner loops, one set per instruction set, all with the same results. n <= metric_chunk.
struct CompareKernels {
  ChunkComparison (*compare32)(const float* a, const float* b, const float* magnitude,
                               std::int64_t n, const Judgement& judgement,
                               RunningComparison& running);
  ChunkComparison (*compare64)(const double* a, const double* b, const double* magnitude,
                               std::int64_t n, const Judgement& judgement,
                               RunningComparison& running);
  ChunkSplit (*split32)(const float* a, const float* local, const float* b, std::int64_t n);
  ChunkSplit (*split64)(const double* a, const double* local, const double* b, std::int64_t n);
  /// |b - a| as float: 0 where equal or both NaN, infinity where one is not
  /// finite.
  void (*distance32)(const float* a, const float* b, float* out, std::int64_t n);
  void (*distance64)(const double* a, const double* b, float* out, std::int64_t n);
  /// Adds digest_term(bits, first_index + i * step) of n consecutive elements to the two sums.
  void (*digest32)(const std::uint32_t* bits, std::int64_t n, std::uint64_t first_index,
                   std::uint64_t step, std::uint64_t* sums);
  void (*digest64)(const std::uint64_t* bits, std::int64_t n, std::uint64_t first_index,
                   std::uint64_t step, std::uint64_t* sums);
  /// Elementwise max into `into`, and the largest of `values`.
  float (*max_into)(const float* values, float* into, std::int64_t n);
};
const CompareKernels& compare_kernels(InstructionSet set);

}  // namespace parity::cpu
