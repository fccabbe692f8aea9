#include "compare/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "model/arithmetic/bounds.hpp"

namespace parity {
namespace {

// The limits, derived.
//
//   noise   S = sum z^2 over N independent elements is a chi-square of N degrees, whose quantile at
//           risk d lies below N + 2 sqrt(N x) + 2 x, x = ln(1/d) (Laurent and Massart, Ann. Statist.
//           28, 2000, lemma 1). Sums that carry one bit more than they keep round by ties, whose
//           variance is 1/8 of the spacing squared and not the 1/12 of many bits: so the variance
//           may be 3/2 of the predicted one and still be healthy.
//   slope   Under no fault the channels' slopes are independent and as often positive as negative.
//           For such numbers, of any distribution, |sum| / sqrt(sum of squares) exceeds x with a
//           probability below 2 exp(-x^2/2) (Efron 1969; de la Pena, Lai and Shao, Self-Normalized
//           Processes, 2009).
//   order   A program whose order is unknown may use any algorithm, Winograd's too, whose noise no
//           order of ours bounds: z informs and cannot judge. So it is with a library's own order
//           (gemm:eigen, gemm:cublas).
//   double  fp64 rounds as finely as the oracle: nothing is left to measure with.
constexpr double run_risk = 1e-9;
constexpr double tests_per_stage = 4;  // noise and slope of two sides
constexpr double ties = 1.5;
constexpr std::int64_t fewest_effective = 64;
constexpr std::int64_t fewest_for_slope = 4;

/// What a tensor core is expected to lose toward zero beside the rounding of its operands (NUMERICS
/// section 1.3): of each product half a unit of the last bit kept below the step's largest exponent,
/// of each result half a float32 spacing less half such a unit.
double expected_loss(Algorithm algorithm, const MacNoise& mac) {
  constexpr double spacing = 0x1p-23;
  const bool k4 = algorithm == Algorithm::tensor_k4f24;
  const double kept = k4 ? 0x1p-24 : 0x1p-25, steps_per_group = k4 ? 2 : 1;
  return -(kept / 2 * mac.cut_products + steps_per_group * (spacing - kept) / 2 * mac.cut_results);
}

struct MacShift {
  double variance = 0, shift = 0, tolerance = 0;
};

MacShift mac_noise(const Contract& contract, const MacNoise& mac) {
  switch (contract.algorithm) {
    case Algorithm::chain:
    case Algorithm::gemm_eigen:
      return {mac.chain, 0, 0};
    case Algorithm::gemm_cublas: {
      if (!contract.rounding) return {mac.chain, 0, 0};
      const double operands = contract.rounding == Rounding::truncate ? mac.truncated : mac.nearest;
      return {mac.activations + mac.weights + mac.chain, operands, 0};
    }
    case Algorithm::chunk256:
      return {mac.chunk256, 0, 0};
    case Algorithm::tensor_k4f24:
    case Algorithm::tensor_k8f25: {
      const double lost = expected_loss(contract.algorithm, mac);
      // What rounding these operands did is known and taken out: weights with few bits or operands
      // that round by ties would make any distribution wrong. Its variance stays as the scale.
      const double operands = contract.rounding == Rounding::truncate ? mac.truncated : mac.nearest;
      // The loss is a mean over data: what it may be off by is taken to be as large as itself.
      return {mac.activations + mac.weights + mac.chain + lost * lost, operands + lost,
              std::fabs(lost)};
    }
    default:
      return {};
  }
}

std::int64_t channel_of(std::int64_t index, const Shape& shape) {
  if (shape.size() < 2) return index;
  return index / element_count(shape, 2, shape.size()) % shape[1];
}

template <class NoiseOf>
std::optional<SideStatistics> test(const Shape& shape, std::span<const std::int64_t> indices,
                                   std::span<const ExactElement> exact, std::span<const double> y,
                                   std::size_t stages, const NoiseOf& noise) {
  struct Channel {
    std::int64_t elements = 0;
    double on_value = 0, value_square = 0, tolerance = 0;
  };
  std::set<std::pair<std::int64_t, std::uint64_t>> seen;
  std::set<std::uint64_t> windows;
  std::map<std::int64_t, Channel> channels;
  SideStatistics side;
  double squares = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const ExactElement& element = exact[i];
    if (element.gain == 0 || !std::isfinite(element.value) || !std::isfinite(y[i])) continue;
    const Noise expected = noise(element);
    if (!(expected.variance > 0) || !std::isfinite(expected.variance)) continue;
    const std::int64_t channel = channel_of(indices[i], shape);
    if (!seen.emplace(channel, element.window).second) continue;
    windows.insert(element.window);
    const double error = y[i] - element.value - expected.shift;
    squares += error * error / expected.variance;
    ++side.elements;
    Channel& c = channels[channel];
    ++c.elements;
    c.on_value += error * element.value;
    c.value_square += element.value * element.value;
    c.tolerance += expected.tolerance * std::fabs(element.value);
  }
  if (side.elements == 0) return std::nullopt;
  side.effective = std::min(static_cast<std::int64_t>(channels.size()),
                            static_cast<std::int64_t>(windows.size()));
  const double risk =
      run_risk / (static_cast<double>(std::max<std::size_t>(1, stages)) * tests_per_stage);
  const double x = std::log(1 / risk), N = static_cast<double>(side.effective);
  side.z_rms = std::sqrt(squares / static_cast<double>(side.elements));
  side.z_limit = std::sqrt(ties * (N + 2 * std::sqrt(N * x) + 2 * x) / N);
  double sum = 0, scatter = 0, tolerance = 0;
  for (const auto& [number, c] : channels) {
    if (c.elements < fewest_for_slope || !(c.value_square > 0)) continue;
    const double slope = c.on_value / c.value_square;
    sum += slope;
    scatter += slope * slope;
    tolerance += c.tolerance / c.value_square;
    ++side.channels;
  }
  if (side.channels > 0) {
    const double C = static_cast<double>(side.channels);
    side.slope = sum / C;
    side.slope_error = std::sqrt(scatter) / C;
    side.slope_limit = std::sqrt(2 * std::log(2 / risk)) * side.slope_error + tolerance / C;
  }
  side.judges = side.effective >= fewest_effective;
  return side;
}

}  // namespace

NoiseWanted noise_read(const PlannedStage& a, const PlannedStage& b) {
  NoiseWanted wanted;
  wanted.chain = true;  // the forecast's measure, whatever the contracts
  for (const PlannedStage* planned : {&a, &b}) {
    const Contract& contract = planned->contracts.front();
    wanted.chunk256 |= contract.algorithm == Algorithm::chunk256;
    wanted.operands |= contract.rounding || contract.batch_norm == BatchNormalisation::folded;
    if (contract.rounding)
      (*contract.rounding == Rounding::truncate ? wanted.truncated : wanted.nearest) = true;
  }
  return wanted;
}

Noise noise_of(const PlannedStage& planned, const ExactElement& element) {
  const Contract& contract = planned.contracts.front();
  if (contract.algorithm == Algorithm::exact)
    return {element.gain == 0 ? 0 : rounding_variance(element.value), 0, 0};
  MacShift mac = mac_noise(contract, element.mac);
  if (!(mac.variance > 0)) return {};
  double offset = element.offset, uncertain = 0;
  if (contract.batch_norm == BatchNormalisation::folded) {
    // w*s is rounded once more; the constants went through other roundings than the oracle knows.
    constexpr double float32_to_tf32 = 0x1p-13;
    mac.variance += element.mac.weights * float32_to_tf32 * float32_to_tf32;
    uncertain = offset * offset;
    offset = 0;
  }
  const double square = element.gain * element.gain;
  return {square * mac.variance + element.epilogue + uncertain, element.gain * mac.shift + offset,
          std::fabs(element.gain) * mac.tolerance};
}

std::optional<SideStatistics> side_statistics(const PlannedStage& planned, const Shape& shape,
                                              std::span<const std::int64_t> indices,
                                              std::span<const ExactElement> exact,
                                              std::span<const double> y, std::size_t stages) {
  std::optional<SideStatistics> side =
      test(shape, indices, exact, y, stages,
           [&](const ExactElement& element) { return noise_of(planned, element); });
  if (!side) return side;
  const bool own_order = planned.contracts.front().promise == Determinism::host_to_gpu ||
                         planned.contracts.front().algorithm == Algorithm::exact;
  side->judges &= own_order;
  side->noise = planned.contracts.front().text();
  return side;
}

std::optional<SideStatistics> foreign_statistics(
    const Shape& shape, std::span<const std::int64_t> indices, std::span<const ExactElement> exact,
    std::span<const double> y, std::optional<Rounding> operands, std::size_t stages) {
  Contract contract;
  contract.algorithm = operands ? Algorithm::tensor_k4f24 : Algorithm::chain;
  contract.rounding = operands;
  std::optional<SideStatistics> side =
      test(shape, indices, exact, y, stages, [&](const ExactElement& element) -> Noise {
        const MacShift mac = mac_noise(contract, element.mac);
        if (!(mac.variance > 0)) return {};
        return {element.gain * element.gain * mac.variance + element.epilogue +
                    element.offset * element.offset,
                element.gain * mac.shift, std::fabs(element.gain) * mac.tolerance};
      });
  if (!side) return side;
  side->judges = false;
  side->noise = contract.text();
  return side;
}

std::string complaint(const SideStatistics& side) {
  if (side.noise_fails())
    return fmt::format(
        "the rms of its rounding error is {:.3g} times what {} predicts, over {} independent "
        "elements at most {:.3g}",
        side.z_rms, side.noise, side.effective, side.z_limit);
  return fmt::format(
      "its error follows the value with the slope {:.2e}, over {} channels at most {:.2e}",
      side.slope, side.channels, side.slope_limit);
}

}  // namespace parity
