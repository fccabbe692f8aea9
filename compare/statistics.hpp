#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/arithmetic/rounding_noise.hpp"
#include "model/numerics.hpp"
#include "model/plan.hpp"
#include "model/tensor.hpp"

namespace parity {

/// The statistical test of one side of a stage (CONTRACTS section 7, T3): its distance from exact in
/// units of the rounding noise that its contract predicts, element by element. Under `tensor:*` the
/// rounding of the operands is known to the bit and taken out first; its variance stays the unit.
///
/// It sees faults far below the rigorous bound, which allows every rounding to be the worst; it
/// alarms on the high side only, since rounding less than predicted is no fault.
struct SideStatistics {
  std::string noise;           ///< whose noise it is held against: "chain", "tensor:k8f25/rna"
  std::int64_t elements = 0;   ///< tested: one per channel and distinct input window, with noise
  std::int64_t effective = 0;  ///< N_eff = min(channels, distinct windows) of the independent ones
  double z_rms = 0;            ///< rms of (y - exact - known shift) / predicted deviation
  double z_limit = 0;          ///< alarm above it
  std::int64_t channels = 0;   ///< that have a slope
  double slope = 0;            ///< mean over channels of <error, exact> / <exact, exact>
  double slope_error = 0;      ///< of the mean, from the scatter of the channels' slopes
  double slope_limit = 0;      ///< alarm where |slope| is above it
  /// Whether it may call a stage diverged: the contract's order is known, and N_eff is 64 or more.
  bool judges = false;
  /// Whether the noise is what was predicted or less; says so also where it does not judge.
  bool as_predicted() const { return z_rms <= z_limit; }
  bool noise_fails() const { return judges && z_rms > z_limit; }
  bool slope_fails() const { return judges && channels >= 64 && !(std::abs(slope) <= slope_limit); }
  bool fails() const { return noise_fails() || slope_fails(); }
};

/// What a stage hands on of the errors at its inputs, and what exact arithmetic makes of the same
/// inputs: f(x_b) - f(x_a) in double. What is left is rounding.
struct InheritedTest {
  std::int64_t elements = 0;
  double measured = 0;     ///< rms of b - l (for a capture: of l - a)
  double exact = 0;        ///< rms of exact(x_b) - exact(x_a)
  double unexplained = 0;  ///< rms of the difference of the two
};

/// All that a stage's sample says beyond the bounds.
struct Statistics {
  std::optional<SideStatistics> a, b;
  std::optional<InheritedTest> inherited;
};

/// What the oracle must keep for the two sides' tests and for the forecast.
NoiseWanted noise_read(const PlannedStage& a, const PlannedStage& b);

/// T3 of a side: its elements `y` at `indices` of an output of `shape`, under its contracts.
/// `stages`: how many stages share the risk of one diff, 1e-9. Nothing where the contract's noise
/// is no statistic (double, no multiply-accumulate) or no element has any.
std::optional<SideStatistics> side_statistics(const PlannedStage& planned, const Shape& shape,
                                              std::span<const std::int64_t> indices,
                                              std::span<const ExactElement> exact,
                                              std::span<const double> y, std::size_t stages);

/// The same for a program whose order of summation nobody knows, against the noise of `chain`: it
/// informs and never judges.
std::optional<SideStatistics> foreign_statistics(
    const Shape& shape, std::span<const std::int64_t> indices, std::span<const ExactElement> exact,
    std::span<const double> y, std::optional<Rounding> operands, std::size_t stages);

/// Which statistic failed, with what was seen and what was expected; for a side that fails().
std::string complaint(const SideStatistics& side);

/// One element's predicted rounding error at the output.
struct Noise {
  double variance = 0;
  double shift = 0;      ///< expected value
  double tolerance = 0;  ///< how far the expected value itself may be off
};
/// Under the stage's contracts; variance 0 where they predict none.
Noise noise_of(const PlannedStage& planned, const ExactElement& element);

}  // namespace parity
