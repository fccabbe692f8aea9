#pragma once

#include <array>
#include <cstdint>

#include "model/arithmetic/rounding_noise.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// Terms come in groups of 8, as a tensor core takes them; a lane sums what its place in every group
/// gives, so that all instruction sets make the same bits.
inline constexpr int exact_group = 8;

/// What a sum holds between its terms.
struct alignas(64) ExactSumState {
  using Lanes = std::array<double, exact_group>;
  Lanes chain = {}, chunk256 = {}, activations = {}, weights = {}, nearest = {}, truncated = {};
  Lanes cut_products = {};
  Lanes rounded = {};  ///< how many products are not zero
  double sum = 0, part = 0, joins = 0, cut_results = 0;
  std::uint64_t window = 0;
  std::int64_t terms = 0, chunks = 0;
};
using AddTerms = void (*)(ExactSumState& state, NoiseWanted wanted, const float* x, const float* w,
                          std::int64_t count);

/// A sum of products in double, in the order in which it is fed (MAC order), that keeps what
/// MacNoise needs.
class ExactSum {
 public:
  ExactSum(NoiseWanted wanted, InstructionSet set);

  /// `count` terms x[i] * w[i] of one tap, of which the first starts a group of 8; x null: a tap
  /// outside the image, whose terms count and are zero.
  void add(const float* x, const float* w, std::int64_t count);

  /// The sum as it stands, before any later step.
  ExactElement element() const;

 private:
  NoiseWanted wanted_;
  AddTerms add_terms_;
  ExactSumState state_;
};

}  // namespace parity::cpu
