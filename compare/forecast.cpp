#include "compare/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compare/statistics.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
double at(const std::vector<double>& values, std::size_t channel) {
  return values[values.size() > 1 ? channel : 0];
}

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

/// What the steps behind a product make of its sum z: s z + t, per channel, as far as they are
/// BatchNorms and biases.
struct Affine {
  std::vector<double> scale, shift;
};
Affine affine_behind(const Stage& stage, std::size_t channels) {
  Affine affine{std::vector<double>(channels, 1.0), std::vector<double>(channels, 0.0)};
  const auto moved = [&](const Tensor* by) {
    if (by == nullptr || by->type().type != Type::float32 ||
        by->size() != static_cast<std::int64_t>(channels))
      return;
    const std::span<const float> values = by->values<float>();
    for (std::size_t c = 0; c < channels; ++c) affine.shift[c] += static_cast<double>(values[c]);
  };
  const Step& head = stage.steps.front();
  if (stage.macs > 0 && head.parameters.size() > 1) moved(head.parameters[1].get());
  for (std::size_t i = 1; i < stage.steps.size(); ++i) {
    const Step& step = stage.steps[i];
    if (const auto* norm = std::get_if<BatchNorm>(step.op.get())) {
      const ScaleShift constants = scale_shift(*norm, step.parameters);
      if (constants.s64.size() != channels) continue;
      for (std::size_t c = 0; c < channels; ++c) {
        affine.scale[c] *= constants.s64[c];
        affine.shift[c] = affine.shift[c] * constants.s64[c] + constants.t64[c];
      }
    } else if (const auto* binary = std::get_if<Binary>(step.op.get());
               binary != nullptr && binary->function == Binary::Function::add &&
               !step.parameters.empty()) {
      moved(step.parameters[0].get());
    }
  }
  return affine;
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
  const std::vector<double> none(channels, 0.0);
  ChannelNoise noise{none, none, 0, none, none};
  std::vector<double> weight(channels, 0.0), count(channels, 0.0);
  double shift_on_value = 0, value_square = 0;
  const Affine affine = affine_behind(a.stage, channels);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const ExactElement& element = elements[i];
    const auto c =
        static_cast<std::size_t>(indices[i] / plane % static_cast<std::int64_t>(channels));
    const Noise of_a = noise_of(a, element), of_b = noise_of(b, element);
    if (!std::isfinite(of_a.variance + of_b.variance) || !std::isfinite(element.mac.chain))
      continue;
    noise.local[c] += of_a.variance + of_b.variance;
    noise.active[c] += element.value != 0;
    noise.mean[c] += element.value;
    ++count[c];
    noise.gain[c] += element.gain * element.gain * element.mac.chain;
    weight[c] += element.mac.chain;
    const double shift = (truncates(b) ? of_b.shift : 0) - (truncates(a) ? of_a.shift : 0);
    if (element.gain == 0) continue;
    const double cut = element.value - affine.shift[c];
    shift_on_value += shift * cut;
    value_square += cut * cut;
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
    noise.active[c] = count[c] > 0 ? noise.active[c] / count[c] : 1;
    noise.mean[c] = count[c] > 0 ? noise.mean[c] / count[c] : 0;
  }
  if (value_square > 0) noise.slope = shift_on_value / value_square;
  return noise;
}

void DriftForecast::source(TensorId input, const Shape& shape, double rms) {
  const std::vector<double> none(static_cast<std::size_t>(channels_of(shape)), 0.0);
  known_[input] = {none, none, 0, 1, rms * rms};
}

/// W^2 * V and W * B per output channel, in the mean over space; nothing when the head is no product
/// with constant weights. A shift that only the elements that are not zero have varies from place to
/// place: B^2 (1 - p) / p, p of them being not zero, joins the variance.
std::optional<DriftForecast::Sums> DriftForecast::through_weights(const Stage& stage,
                                                                  const Field& x) const {
  const Step& head = stage.steps.front();
  if (head.parameters.empty() || !head.parameters[0]) return std::nullopt;
  const Tensor& weights = *head.parameters[0];
  const Shape& shape = weights.shape();
  const std::span<const float> w = weights.values<float>();
  const double spread = x.active > 0 ? (1 - x.active) / x.active : 0;
  const auto add = [&](Sums& sums, std::size_t to, double share, double weight, double variance,
                       double shift) {
    sums.variance[to] += share * weight * weight * (variance + spread * shift * shift);
    sums.shift[to] += share * weight * shift;
  };
  const auto zeros = [](std::size_t count) {
    return Sums{std::vector<double>(count, 0.0), std::vector<double>(count, 0.0)};
  };
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
    Sums sums = zeros(OC);
    for (std::size_t oc = 0; oc < OC; ++oc)
      for (std::size_t ic = 0; ic < IC; ++ic) {
        const std::size_t c = oc / per_group * IC + ic;
        for (std::size_t tap = 0; tap < taps; ++tap)
          add(sums, oc, rows[tap / columns.size()] * columns[tap % columns.size()],
              static_cast<double>(w[(oc * IC + ic) * taps + tap]), at(x.variance, c),
              at(x.shift, c));
      }
    return sums;
  }
  if (const auto* conv = std::get_if<ConvTranspose2d>(head.op.get())) {
    // w[ic, oc, taps]; an output pixel meets one in stride x stride of the taps
    const auto IC = static_cast<std::size_t>(shape[0]), OC = static_cast<std::size_t>(shape[1]);
    const std::size_t taps = w.size() / (IC * OC);
    const auto groups = static_cast<std::size_t>(conv->group);
    const double share = 1 / static_cast<double>(conv->window.stride[0] * conv->window.stride[1]);
    Sums sums = zeros(groups * OC);
    for (std::size_t ic = 0; ic < IC; ++ic)
      for (std::size_t oc = 0; oc < OC; ++oc)
        for (std::size_t tap = 0; tap < taps; ++tap)
          add(sums, ic / (IC / groups) * OC + oc, share,
              static_cast<double>(w[(ic * OC + oc) * taps + tap]), at(x.variance, ic),
              at(x.shift, ic));
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
  const bool by_feature = x.variance.size() == K;
  const double variance = mean_of(x.variance), shift = mean_of(x.shift);
  Sums sums = zeros(N);
  for (std::size_t k = 0; k < K; ++k)
    for (std::size_t n = 0; n < N; ++n)
      add(sums, n, 1, alpha * static_cast<double>(w[turned ? n * K + k : k * N + n]),
          by_feature ? x.variance[k] : variance, by_feature ? x.shift[k] : shift);
  return sums;
}

/// Additions of two values add variances, as if they were independent, and shifts, a subtraction
/// takes the second shift away; Concat along the channels lays them side by side.
std::optional<DriftForecast::Sums> DriftForecast::through_selection(const Stage& stage) const {
  const Step& head = stage.steps.front();
  const auto* binary = std::get_if<Binary>(head.op.get());
  const auto* concat = std::get_if<Concat>(head.op.get());
  const bool adds = binary != nullptr && (binary->function == Binary::Function::add ||
                                          binary->function == Binary::Function::sub);
  if (!adds && (concat == nullptr || concat->axis != 1)) return std::nullopt;
  const bool taken_away = adds && binary->function == Binary::Function::sub;
  const auto join = [&](std::vector<double>& result, const std::vector<double>& part, double sign) {
    if (concat != nullptr || result.empty())
      result.insert(result.end(), part.begin(), part.end());
    else if (result.size() == part.size())
      for (std::size_t c = 0; c < result.size(); ++c) result[c] += sign * part[c];
    else
      for (double& value : result) value += sign * mean_of(part);
  };
  Sums sums;
  for (const TensorId id : stage.inputs) {
    join(sums.shift, known_.at(id).shift, taken_away && !sums.shift.empty() ? -1 : 1);
    join(sums.variance, known_.at(id).variance, 1);
  }
  return sums;
}

std::optional<double> DriftForecast::pass(const Stage& stage, const ChannelNoise* noise, double rms,
                                          double active) {
  const auto channels = static_cast<std::size_t>(channels_of(stage.output_types.front().shape));
  Field made;
  made.square = rms * rms;
  double carried = 0, carried_square = 0, carried_shift = 0;
  for (const TensorId id : stage.inputs) {
    const Field& field = known_.at(id);
    carried += mean_of(field.variance);
    carried_shift += mean_of(field.shift);
    carried_square += field.square;
    made.slope += field.slope / static_cast<double>(stage.inputs.size());
  }
  const std::optional<Sums> passed = noise != nullptr
                                         ? through_weights(stage, known_.at(stage.inputs.front()))
                                         : through_selection(stage);
  // Behind a ReLU only what it lets through still errs.
  const bool clipped = std::any_of(stage.steps.begin(), stage.steps.end(), [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary != nullptr && unary->function == EpilogueKind::relu;
  });
  const double passes = clipped ? active : 1;
  made.active = passes;
  double square = 0;  // mean of (slope * value + shift)^2
  if (passed && passed->variance.size() == channels) {
    made.variance = passed->variance;
    made.shift = passed->shift;
    const Affine affine = noise != nullptr ? affine_behind(stage, channels) : Affine{};
    for (std::size_t c = 0; c < channels; ++c) {
      if (noise == nullptr) {
        made.variance[c] *= passes;
        made.shift[c] *= passes;
        square += passes > 0 ? made.shift[c] * made.shift[c] / passes : 0;
        continue;
      }
      made.variance[c] = noise->gain[c] * made.variance[c] + noise->local[c];
      // y = s z + t where z was cut, so t was not.
      const double p = clipped ? noise->active[c] : 1;
      const double beside =
          affine.scale[c] * made.shift[c] - (made.slope + noise->slope) * affine.shift[c];
      made.shift[c] = beside * p;
      square += beside * beside * p + 2 * (made.slope + noise->slope) * beside * noise->mean[c];
    }
    square /= static_cast<double>(channels);
    if (noise != nullptr) made.slope += noise->slope;
  } else {
    made.variance.assign(channels, carried_square > 0 ? carried / carried_square * made.square : 0);
    const double growth = carried_square > 0 ? std::sqrt(made.square / carried_square) : 0;
    made.shift.assign(channels, carried_shift * growth);
    square = made.shift[0] * made.shift[0];
  }
  square = std::max(0.0, square + made.slope * made.slope * made.square);
  const double predicted = std::sqrt(mean_of(made.variance) + square);
  for (std::size_t k = 0; k < stage.outputs.size(); ++k) {
    Field& field = known_[stage.outputs[k]];
    field = made;
    // What is known is the first output's; another one may have other channels.
    if (k == 0) continue;
    const auto others = static_cast<std::size_t>(channels_of(stage.output_types[k].shape));
    field.variance.assign(others, mean_of(made.variance));
    field.shift.assign(others, mean_of(made.shift));
  }
  if (!(predicted > 0) || !std::isfinite(predicted)) return std::nullopt;
  return predicted;
}

}  // namespace parity
