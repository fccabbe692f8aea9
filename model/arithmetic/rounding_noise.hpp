#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/arithmetic/bits.hpp"

namespace parity {

/// The power of two of x, 2^floor(log2 |x|), with x's sign; 0 for zero and for subnormals.
inline double binade(double x) { return double_of(bits_of(x) & 0xfff0000000000000ULL); }

/// Variance of one rounding of x to nearest float32: spacing^2 / 12, the spacing that of x's own
/// binade. Over a log-uniform significand this is kappa u^2 x^2 with kappa = 0.1803 (NUMERICS
/// section 4.2); taking the binade asks nothing of the data.
inline double rounding_variance(double x) {
  constexpr double spacing = 0x1p-23, smallest = 0x1p-149;
  const double q = spacing * binade(x);
  return (q * q + smallest * smallest) / 12;
}

/// What the roundings of one multiply-accumulate are expected to do to its sum, for each way of
/// adding the lab has a contract for.
struct MacNoise {
  double chain = 0;        ///< variance under `chain`: one rounding per product that is not zero
  double chunk256 = 0;     ///< the same in chunks of 256 terms, and one rounding per chunk
  double activations = 0;  ///< variance of rounding the activations to TF32, to nearest
  double weights = 0;      ///< variance of rounding the weights to TF32, to nearest
  double nearest = 0;      ///< what rounding both to TF32 by rna does to the sum, exactly
  double truncated = 0;    ///< the same by truncation
  /// A tensor core adds groups of 8 products, each term cut to the largest one's binade m (of the
  /// sum so far and the products): sum over groups of m * (positive - negative products), and of
  /// the result's binade with its sign.
  double cut_products = 0, cut_results = 0;
};

/// What is kept beside an exact sum; members of MacNoise that are not wanted stay zero.
struct NoiseWanted {
  bool chain = false;  ///< comes with each of the others
  bool chunk256 = false;
  bool operands = false;  ///< activations, weights, and what is cut
  bool nearest = false, truncated = false;

  static constexpr NoiseWanted everything() { return {true, true, true, true, true}; }
  bool any() const { return chain || chunk256 || operands || nearest || truncated; }
};

/// One element of a stage's output, exact, and what a statistical test must know of how a side may
/// have rounded on its way.
struct ExactElement {
  double value = 0;
  /// d value / d sum of the multiply-accumulate: 0 behind a ReLU that clips, and where the stage's
  /// head is no multiply-accumulate or a later step is not known to the oracle's statistics.
  double gain = 0;
  MacNoise mac;         ///< at the sum; gain brings it to the output
  double epilogue = 0;  ///< variance at the output of the roundings after the sum, in float32
  double offset = 0;    ///< shift at the output from constants that were rounded to float32
  /// Equal for elements that read the same activations (and, but for 2^-64, only for them); 0 where
  /// no noise is wanted.
  std::uint64_t window = 0;
};

/// The exact values alone.
inline std::vector<double> values_of(std::span<const ExactElement> elements) {
  std::vector<double> values;
  values.reserve(elements.size());
  for (const ExactElement& element : elements) values.push_back(element.value);
  return values;
}

}  // namespace parity
