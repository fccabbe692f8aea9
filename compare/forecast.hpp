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
};
/// `indices` and `elements`: the sample, of an output of `shape`. Empty where the head is no
/// multiply-accumulate.
std::optional<ChannelNoise> channel_noise(const PlannedStage& a, const PlannedStage& b,
                                          const Shape& shape, std::span<const std::int64_t> indices,
                                          std::span<const ExactElement> elements);

/// Predicts rms(b - a) of every stage from rounding noise alone, by propagating variances to first
/// order (NUMERICS section 4.2): V_out = gain^2 (W^2 * V_in) + local, with one variance per channel,
/// the mean over space of the convolution with squared weights; the shift of a truncating side is
/// carried as a slope. It needs no run of a stage.
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
    double slope = 0;
    double square = 0;  ///< mean square of the tensor
    double mean() const;
    double at(std::size_t channel) const { return variance[variance.size() > 1 ? channel : 0]; }
  };
  std::optional<std::vector<double>> through_weights(const Stage& stage, const Field& x) const;
  std::optional<std::vector<double>> through_selection(const Stage& stage) const;

  std::map<TensorId, Field> known_;
};

}  // namespace parity
