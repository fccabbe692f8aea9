#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "model/arithmetic/rounding_noise.hpp"
#include "model/graph.hpp"
#include "model/plan.hpp"

namespace parity {

/// What a sample of a stage says per channel of its output.
struct ChannelNoise {
  std::vector<double> local;  ///< mean variance of both sides' own rounding, at the output
  std::vector<double> gain;   ///< mean square of d output / d sum, weighted by the sums' noise
  double slope = 0;           ///< of b's expected shift less a's against the value: truncation
  std::vector<double> active, mean;  ///< fraction of elements that are not zero, mean of all
};
/// `indices` and `elements`: the sample, of an output of `shape`. Empty where the head is no
/// multiply-accumulate.
std::optional<ChannelNoise> channel_noise(const PlannedStage& a, const PlannedStage& b,
                                          const Shape& shape, std::span<const std::int64_t> indices,
                                          std::span<const ExactElement> elements);

/// Predicts rms(b - a) of every stage from rounding noise alone, by propagating variances to first
/// order (NUMERICS section 4.2): V_out = gain^2 (W^2 * V_in) + local, with one variance per channel,
/// the mean over space of the convolution with squared weights. What a truncating side loses is a
/// slope against the value, and behind a normalisation also a shift per channel: of y = s z + t only
/// s z was cut. Both are carried, the shift through the signed weights. It needs no run of a stage.
class DriftForecast {
 public:
  void source(TensorId input, const Shape& shape, double rms);
  /// `noise` is null where the stage was not sampled: then the relative error is handed on. `rms`: of
  /// a's output; `active`: the fraction of it that is not zero. Nothing without an error at all.
  std::optional<double> pass(const Stage& stage, const ChannelNoise* noise, double rms,
                             double active);

 private:
  struct Field {
    std::vector<double> variance;  ///< per channel (axis 1), or one for all
    std::vector<double> shift;     ///< the same: mean error beside slope * value
    double slope = 0;
    double active = 1;  ///< the fraction of elements that are not zero
    double square = 0;  ///< mean square of the tensor
  };
  /// What a sum of products makes of the errors of its operands, per channel.
  struct Sums {
    std::vector<double> variance, shift;
  };
  std::optional<Sums> through_weights(const Stage& stage, const Field& x) const;
  std::optional<Sums> through_selection(const Stage& stage) const;

  std::map<TensorId, Field> known_;
};

}  // namespace parity
