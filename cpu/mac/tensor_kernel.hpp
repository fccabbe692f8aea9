#pragma once

#include <cstdint>
#include <optional>

#include "model/numerics.hpp"

namespace parity::cpu {

/// Output channels of a panel of the tensor-core model, a multiple of every vector width.
inline constexpr std::int64_t tensor_panel = 64;

/// The powers of two within which floating-point arithmetic repeats the integer model exactly. All
/// numbers of a pixel are divided by one power of two first, so that the window may sit anywhere; e
/// below are exponents after that.
///
/// With weights in [-43, 0] and activations in [-33, top], top = 22 - ceil(log2 k), for k products:
///  - a nonzero product has an exponent in [-76, top] and at most 22 significant bits: the float
///  product is exact;
///  - a step's result is zero or at least 2^(-76 - F) >= 2^-101; so is every accumulator, by
///  induction;
///  - |accumulator| < k * 2^(top + 2) <= 2^24, and truncation and RZ only shrink it, so emax <= 24;
///  - scaling by 2^(F - emax) is therefore an addition of D = F - emax in [0, 126] to the exponent
///  field: right for
///    products and accumulators, and it turns the zero product into 2^(D - 127) < 1, which
///    truncates to zero.
/// The model is the same at every scale as long as no result is subnormal, none overflows and the
/// exponent floor does not act: true accumulators lie in [2^-126, 2^125) when the power of two lies
/// in [-25, 100].
namespace tensor_window {
inline constexpr int lowest_weight = -43;
inline constexpr int lowest_activation = -33;
inline constexpr int highest_sum = 22;  ///< top + ceil(log2 k)
inline constexpr int lowest_accumulator = -101;
inline constexpr int highest_accumulator = 24;
inline constexpr int lowest_shift = -25, highest_shift = 100;
inline constexpr int weight_reference = 80;  ///< largest |exponent| of a panel's largest weight
}  // namespace tensor_window

/// One pixel's operands in MAC order, groups of 8 terms.
struct TensorPixel {
  float* a;                ///< TF32, divided by the pixel's power of two
  std::uint8_t* exponent;  ///< e + 127 of each a, 0 for a zero
  std::uint8_t* nonzero;   ///< per group: bit k says that a[k] is not zero
  std::uint8_t* outside;   ///< per group: 1 when an operand lies outside the window
};

/// A stretch of one panel's weights: rows of tensor_panel elements.
struct TensorRows {
  const float* b;               ///< TF32
  const std::uint8_t* deficit;  ///< -e relative to the panel's largest weight, 255 for a zero;
                                ///< interleaved, see `place`
};

/// Where column j's byte stands in its row: columns j, j + 16, j + 32 and j + 48 are neighbours, so
/// that one 32-bit lane holds the exponents of the four vectors a kernel works on.
constexpr std::int64_t place(std::int64_t column) { return column % 16 * 4 + column / 16; }

/// The vectorised model at one width.
struct TensorKernel {
  /// Rounds `count` values to TF32 and fills up with zeros to a multiple of 8. Returns the largest
  /// exponent field among the finite ones.
  std::uint32_t (*gather)(const float* from, std::int64_t count, Rounding rounding, float* to);

  /// Fills in the rest of a pixel of `groups` groups whose `a` was gathered: the exponent field
  /// `reference` becomes the byte 0, fields below `lowest` and those of infinity and NaN lie
  /// outside, a is multiplied by `scale`. Returns whether any group is outside.
  bool (*encode)(const TensorPixel& pixel, std::int64_t groups, std::int32_t reference,
                 std::int32_t lowest, float scale);

  /// All steps of `groups` groups that lie inside the window, for the first 16 * quarters columns.
  void (*accumulate)(const TensorPixel& pixel, const TensorRows& rows, std::int64_t groups,
                     int quarters, float* acc);
};

/// The kernel of a resolved width; nothing for scalar, which has only the integer model.
std::optional<TensorKernel> tensor_kernel(Algorithm algorithm, InstructionSet set);

}  // namespace parity::cpu
