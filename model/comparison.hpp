#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace parity {

/// 128 bits over a tensor's elements, free of layout and of order (CONTRACTS section 6).
struct Digest {
  std::uint64_t lane[2] = {0, 0};
  friend bool operator==(const Digest&, const Digest&) = default;
};
std::string to_string(const Digest& digest);  ///< 32 lower-case hex digits

/// One element of a pair of tensors, values widened to double, bits as stored.
struct ElementPair {
  std::int64_t index = 0;  ///< logical, row-major in ONNX order
  double a = 0, b = 0;
  std::uint64_t a_bits = 0, b_bits = 0;  ///< of the 32- or 64-bit element, NaN canonical
};

/// Bins of a ULP distance: bin k counts distances of k significant bits (0: equal, 1: one ULP, 2:
/// 2-3, 3: 4-7, …, 32), the last one elements with a NaN on either side.
inline constexpr std::size_t ulp_bins = 34;

/// What one pass over two tensors of the same shape finds. Differences are b - a, in FP32 for
/// float32 pairs and in double otherwise; elements with a NaN on either side are excluded and
/// counted.
struct Comparison {
  std::int64_t elements = 0;
  std::int64_t informative = 0;  ///< finite and not zero on both sides
  std::int64_t differing = 0;    ///< bits differ, every NaN read as one
  std::int64_t nan_mismatches = 0, infinity_mismatches = 0, signed_zero_mismatches = 0;
  double max_abs = 0;
  double mean_abs = 0;
  double max_rel = 0;  ///< |b - a| / max(|a|, 2^-126)
  double rms = 0;      ///< of the difference
  double rms_a = 0, rms_b = 0;
  double cosine = 1;                 ///< 1 when both are all zero
  std::optional<ElementPair> first;  ///< first in index order whose bits differ
  std::optional<ElementPair>
      worst;  ///< largest |b - a|, lowest index wins; a NaN/Inf mismatch first
  std::array<std::int64_t, ulp_bins> ulp_histogram{};

  bool judged = false;  ///< an allowance was given
  double worst_share =
      0;  ///< largest |b - a| / bound; infinity when the bound is 0 and they differ
  std::int64_t beyond = 0;  ///< elements past their bound
  std::int64_t uninformative_bounds =
      0;  ///< elements whose magnitude overflows: they judge nothing
  std::optional<ElementPair> worst_judged;
  double worst_bound = 0;  ///< the bound at worst_judged
};

/// How a stage's accumulated error b - a splits into introduced l - a and inherited b - l, by
/// energy.
struct Split {
  double introduced = 0, inherited = 0, accumulated = 0;  ///< L2 norms
  double introduced_on_accumulated = 0;  ///< <l - a, b - a>; with the next, <b - a, b - a>
  double inherited_on_accumulated = 0;   ///< <b - l, b - a>
  double norm_a = 0;                     ///< ||a||2
};

/// The error of b against a, and what it is made of.
struct Accumulation {
  Comparison comparison;
  Split split;
};

/// Where a difference sits: block maxima over space (all channels) and maxima per channel.
struct ErrorMap {
  std::int64_t rows = 0, columns = 0;  ///< of the heat map, each at most 128
  std::int64_t height = 0, width = 0;  ///< of the tensor's space
  std::vector<float> heat;             ///< rows x columns, max |b - a| of each cell, row-major
  std::int64_t channels = 0;           ///< of the tensor
  std::vector<float> channel_max;      ///< at most 512, block maxima when there are more channels
};

}  // namespace parity
