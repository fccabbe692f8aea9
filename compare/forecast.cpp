#include "compare/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compare/statistics.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

std::int64_t channels_of(const Shape& shape) { return shape.size() < 2 ? 1 : shape[1]; }

/// For each tap of a convolution along one axis the fraction of outputs at which it lies inside.
std::vector<double> inside(std::int64_t taps, std::int64_t stride, std::int64_t dilation,
                           std::int64_t pad, std::int64_t in, std::int64_t out) {
  std::vector<double> fractions;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    std::int64_t count = 0;
    for (std::int64_t o = 0; o < out; ++o) {
      const std::int64_t at = o * stride + tap * dilation - pad;
      count += at >= 0 && at < in;
    }
    fractions.push_back(static_cast<double>(count) / static_cast<double>(out));
  }
  return fractions;
}

bool truncates(const PlannedStage& planned) {
  return planned.contracts.front().rounding == Rounding::truncate;
}

}  // namespace

std::optional<ChannelNoise> channel_noise(const PlannedStage& a, const PlannedStage& b,
                                          const Shape& shape, std::span<const std::int64_t> indices,
                                          std::span<const ExactElement> elements) {
  const auto channels = static_cast<std::size_t>(channels_of(shape));
  const std::int64_t plane = shape.size() < 2 ? 1 : element_count(shape, 2, shape.size());
  ChannelNoise noise{std::vector<double>(channels, 0.0), std::vector<double>(channels, 0.0), 0};
  std::vector<double> weight(channels, 0.0), count(channels, 0.0);
  double shift_on_value = 0, value_square = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const ExactElement& element = elements[i];
    const auto c =
        static_cast<std::size_t>(indices[i] / plane % static_cast<std::int64_t>(channels));
    const Noise of_a = noise_of(a, element), of_b = noise_of(b, element);
    if (!std::isfinite(of_a.variance + of_b.variance) || !std::isfinite(element.mac.chain))
      continue;
    noise.local[c] += of_a.variance + of_b.variance;
    ++count[c];
    noise.gain[c] += element.gain * element.gain * element.mac.chain;
    weight[c] += element.mac.chain;
    const double shift = (truncates(b) ? of_b.shift : 0) - (truncates(a) ? of_a.shift : 0);
    shift_on_value += shift * element.value;
    value_square += element.value * element.value;
  }
  const double all = std::accumulate(weight.begin(), weight.end(), 0.0),
               seen = std::accumulate(count.begin(), count.end(), 0.0);
  if (!(all > 0)) return std::nullopt;
  // A channel that the sample missed is like the others.
  const double mean_gain = std::accumulate(noise.gain.begin(), noise.gain.end(), 0.0) / all,
               mean_local = std::accumulate(noise.local.begin(), noise.local.end(), 0.0) / seen;
  for (std::size_t c = 0; c < channels; ++c) {
    noise.gain[c] = weight[c] > 0 ? noise.gain[c] / weight[c] : mean_gain;
    noise.local[c] = count[c] > 0 ? noise.local[c] / count[c] : mean_local;
  }
  if (value_square > 0) noise.slope = shift_on_value / value_square;
  return noise;
}

double DriftForecast::Field::mean() const {
  return std::accumulate(variance.begin(), variance.end(), 0.0) /
         static_cast<double>(variance.size());
}

void DriftForecast::source(TensorId input, const Shape& shape, double rms) {
  known_[input] = {std::vector<double>(static_cast<std::size_t>(channels_of(shape)), 0.0), 0,
                   rms * rms};
}

/// W^2 * V per output channel, in the mean over space; nothing when the head is no product with
/// constant weights.
std::optional<std::vector<double>> DriftForecast::through_weights(const Stage& stage,
                                                                  const Field& x) const {
  const Step& head = stage.steps.front();
  if (head.parameters.empty() || !head.parameters[0]) return std::nullopt;
  const Tensor& weights = *head.parameters[0];
  const Shape& shape = weights.shape();
  const std::span<const float> w = weights.values<float>();
  const auto square = [&](std::size_t i) { return static_cast<double>(w[i]) * w[i]; };
  if (const auto* conv = std::get_if<Conv2d>(head.op.get())) {
    // w[oc, ic, taps]; oc runs over the groups
    const auto OC = static_cast<std::size_t>(shape[0]), IC = static_cast<std::size_t>(shape[1]);
    const std::size_t taps = w.size() / (OC * IC);
    const std::size_t per_group = OC / static_cast<std::size_t>(conv->group);
    const auto [kh, kw] = std::pair(shape.size() == 4 ? shape[2] : 1, shape.back());
    const Shape& in = stage.input_types.front().shape;
    const Shape& out = stage.output_types.front().shape;
    const SlidingWindow& window = conv->window;
    const bool flat = shape.size() != 4 || in.size() != 4 || out.size() != 4;
    const std::vector<double> rows =
        flat ? std::vector<double>(static_cast<std::size_t>(kh), 1.0)
             : inside(kh, window.stride[0], window.dilation[0], window.pad_begin[0], in[2], out[2]);
    const std::vector<double> columns = inside(kw, window.stride[1], window.dilation[1],
                                               window.pad_begin[1], in.back(), out.back());
    std::vector<double> sums(OC, 0.0);
    for (std::size_t oc = 0; oc < OC; ++oc)
      for (std::size_t ic = 0; ic < IC; ++ic)
        for (std::size_t tap = 0; tap < taps; ++tap)
          sums[oc] += rows[tap / columns.size()] * columns[tap % columns.size()] *
                      square((oc * IC + ic) * taps + tap) * x.at(oc / per_group * IC + ic);
    return sums;
  }
  if (const auto* conv = std::get_if<ConvTranspose2d>(head.op.get())) {
    // w[ic, oc, taps]; an output pixel meets one in stride x stride of the taps
    const auto IC = static_cast<std::size_t>(shape[0]), OC = static_cast<std::size_t>(shape[1]);
    const std::size_t taps = w.size() / (IC * OC);
    const auto groups = static_cast<std::size_t>(conv->group);
    const double share = 1 / static_cast<double>(conv->window.stride[0] * conv->window.stride[1]);
    std::vector<double> sums(groups * OC, 0.0);
    for (std::size_t ic = 0; ic < IC; ++ic)
      for (std::size_t oc = 0; oc < OC; ++oc)
        for (std::size_t tap = 0; tap < taps; ++tap)
          sums[ic / (IC / groups) * OC + oc] +=
              share * square((ic * OC + oc) * taps + tap) * x.at(ic);
    return sums;
  }
  const auto* product = std::get_if<MatMul>(head.op.get());
  if (product == nullptr || product->constant != MatMul::Constant::right || shape.size() != 2 ||
      product->left != MatMul::Stored::as_read)
    return std::nullopt;
  const bool turned = product->right == MatMul::Stored::transposed;
  const auto K = static_cast<std::size_t>(shape[turned ? 1 : 0]),
             N = static_cast<std::size_t>(shape[turned ? 0 : 1]);
  const double alpha = static_cast<double>(product->alpha);
  std::vector<double> sums(N, 0.0);
  for (std::size_t k = 0; k < K; ++k)
    for (std::size_t n = 0; n < N; ++n)
      sums[n] += alpha * alpha * square(turned ? n * K + k : k * N + n) *
                 (x.variance.size() == K ? x.at(k) : x.mean());
  return sums;
}

/// Additions of two values add variances, as if they were independent; Concat along the channels
/// lays them side by side.
std::optional<std::vector<double>> DriftForecast::through_selection(const Stage& stage) const {
  const Step& head = stage.steps.front();
  const auto* binary = std::get_if<Binary>(head.op.get());
  const auto* concat = std::get_if<Concat>(head.op.get());
  const bool adds = binary != nullptr && (binary->function == Binary::Function::add ||
                                          binary->function == Binary::Function::sub);
  if (!adds && (concat == nullptr || concat->axis != 1)) return std::nullopt;
  std::vector<double> result;
  for (const TensorId id : stage.inputs) {
    const Field& field = known_.at(id);
    if (concat != nullptr || result.empty())
      result.insert(result.end(), field.variance.begin(), field.variance.end());
    else if (result.size() == field.variance.size())
      for (std::size_t c = 0; c < result.size(); ++c) result[c] += field.variance[c];
    else
      for (double& value : result) value += field.mean();
  }
  return result;
}

std::optional<double> DriftForecast::pass(const Stage& stage, const ChannelNoise* noise, double rms,
                                          double active) {
  const auto channels = static_cast<std::size_t>(channels_of(stage.output_types.front().shape));
  Field made;
  made.square = rms * rms;
  double carried = 0, carried_square = 0;
  for (const TensorId id : stage.inputs) {
    const Field& field = known_.at(id);
    carried += field.mean();
    carried_square += field.square;
    made.slope += field.slope / static_cast<double>(stage.inputs.size());
  }
  std::optional<std::vector<double>> passed =
      noise != nullptr ? through_weights(stage, known_.at(stage.inputs.front()))
                       : through_selection(stage);
  // Behind a ReLU only what it lets through still errs.
  const bool clipped = std::any_of(stage.steps.begin(), stage.steps.end(), [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary != nullptr && unary->function == EpilogueKind::relu;
  });
  const double passes = clipped ? active : 1;
  if (passed && passed->size() == channels) {
    made.variance = std::move(*passed);
    for (std::size_t c = 0; c < channels; ++c)
      made.variance[c] = noise != nullptr ? noise->gain[c] * made.variance[c] + noise->local[c]
                                          : passes * made.variance[c];
    if (noise != nullptr) made.slope += noise->slope;
  } else {
    made.variance.assign(channels, carried_square > 0 ? carried / carried_square * made.square : 0);
  }
  const double predicted = std::sqrt(made.mean() + made.slope * made.slope * made.square);
  for (std::size_t k = 0; k < stage.outputs.size(); ++k) {
    Field& field = known_[stage.outputs[k]];
    field = made;
    // What is known is the first output's; another one may have other channels.
    if (k > 0)
      field.variance.assign(static_cast<std::size_t>(channels_of(stage.output_types[k].shape)),
                            made.mean());
  }
  if (!(predicted > 0) || !std::isfinite(predicted)) return std::nullopt;
  return predicted;
}

}  // namespace parity
