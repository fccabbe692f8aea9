#include "cpu/mac/run.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "cpu/mac/exact_sum.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/bounds.hpp"

namespace parity::cpu {
namespace {

template <class T>
Epilogue<T> with_bias(const Tensor* bias, const Epilogue<T>& epilogue, Reading reading) {
  if (bias == nullptr) return epilogue;
  EpilogueStep<T> add{EpilogueStep<T>::Kind::add, {}, {}};
  for (const float b : bias->values<float>())
    add.a.push_back(reading == Reading::magnitudes ? std::abs(b) : b);
  Epilogue<T> all{std::move(add)};
  all.insert(all.end(), epilogue.begin(), epilogue.end());
  return all;
}

Weights<float> weights_of(const float* data, const WeightStrides& strides) {
  return {data, strides.g, strides.tap, strides.ic, strides.oc};
}

/// `count` <= 32 elements as the exact stage reads them: float32, rounded where the tensor is wider.
const float* as_read(const float* x, std::int64_t, std::array<float, 32>&) { return x; }
const float* as_read(const double* x, std::int64_t count, std::array<float, 32>& rounded) {
  if (count ==
      32)  // a known number of elements becomes wide stores, which wide loads do not wait for
    for (std::size_t i = 0; i < 32; ++i) rounded[i] = static_cast<float>(x[i]);
  else
    for (std::int64_t i = 0; i < count; ++i)
      rounded[static_cast<std::size_t>(i)] = static_cast<float>(x[i]);
  return rounded.data();
}

/// Where tap (kh, kw) of output pixel (oh, ow) reads: an input pixel, maybe outside the image; none
/// where a transposed window has no such tap.
struct Place {
  std::int64_t ih, iw;
};
std::optional<Place> place_of(const Window& window, std::int64_t oh, std::int64_t ow,
                              std::int64_t kh, std::int64_t kw) {
  if (window.direction == Window::Direction::forward)
    return Place{oh * window.sh + kh * window.dh - window.ph,
                 ow * window.sw + kw * window.dw - window.pw};
  const std::int64_t up = oh + window.ph - kh * window.dh, left = ow + window.pw - kw * window.dw;
  if (up % window.sh != 0 || left % window.sw != 0) return std::nullopt;
  return Place{up / window.sh, left / window.sw};
}
/// x[n, ih, iw, g*IC], channels-last; null outside the image.
template <class T>
const T* at(const Window& window, const T* x, std::int64_t n, Place place, std::int64_t g) {
  const bool inside =
      place.ih >= 0 && place.ih < window.IH && place.iw >= 0 && place.iw < window.IW;
  if (!inside) return nullptr;
  return x + ((n * window.IH + place.ih) * window.IW + place.iw) * window.G * window.IC +
         g * window.IC;
}

/// Asks for what an output reads of x before it is wanted: a sample jumps about the image, and every
/// tap would wait for memory.
template <class T>
void prefetch_window(const Window& window, const T* x, std::int64_t n, std::int64_t oh,
                     std::int64_t ow, std::int64_t g) {
  constexpr std::int64_t line = 64 / sizeof(T);
  for (std::int64_t kh = 0; kh < window.KH; ++kh)
    for (std::int64_t kw = 0; kw < window.KW; ++kw) {
      const std::optional<Place> place = place_of(window, oh, ow, kh, kw);
      const T* const from = place ? at(window, x, n, *place, g) : nullptr;
      for (std::int64_t ic = 0; from != nullptr && ic < window.IC; ic += line)
        __builtin_prefetch(from + ic);
    }
}

/// The weights of channel g*OC + oc in the order of its sum, (ic div 32, kh, kw, ic mod 32): outputs
/// of one channel follow each other in a sample.
void take_weights(const Window& window, const float* w, const WeightStrides& strides,
                  std::int64_t channel, std::vector<float>& row) {
  const float* const from = w + channel / window.OC * strides.g + channel % window.OC * strides.oc;
  row.clear();
  for (std::int64_t block = 0; block < window.IC; block += 32)
    for (std::int64_t tap = 0; tap < window.KH * window.KW; ++tap)
      for (std::int64_t ic = block; ic < std::min(window.IC, block + 32); ++ic)
        row.push_back(from[tap * strides.tap + ic * strides.ic]);
}

/// Feeds one output's terms, without its bias, of group g; w: `take_weights` of its channel.
template <class T>
void add_window(const Window& window, const T* x, const float* w, std::int64_t n, std::int64_t oh,
                std::int64_t ow, std::int64_t g, ExactSum& sum) {
  std::array<float, 32> rounded;
  for (std::int64_t block = 0; block < window.IC; block += 32) {
    const std::int64_t channels = std::min<std::int64_t>(32, window.IC - block);
    for (std::int64_t kh = 0; kh < window.KH; ++kh) {
      for (std::int64_t kw = 0; kw < window.KW; ++kw, w += channels) {
        const std::optional<Place> place = place_of(window, oh, ow, kh, kw);
        if (!place) continue;
        const T* const from = at(window, x, n, *place, g);
        const float* const xk =
            from != nullptr ? as_read(from + block, channels, rounded) : nullptr;
        sum.add(xk, w, channels);
      }
    }
  }
}

template <class T>
std::vector<ExactElement> exact_elements_of(const Window& window, const T* x, const float* w,
                                            const WeightStrides& strides, const Tensor* bias,
                                            std::span<const std::int64_t> indices,
                                            NoiseWanted wanted, const Execution& execution) {
  std::vector<ExactElement> result(indices.size());
  const std::int64_t channels = window.G * window.OC, plane = window.OH * window.OW;
  struct Output {
    std::int64_t n, channel, oh, ow;
  };
  const auto output = [&](std::int64_t i) {
    const std::int64_t index = indices[static_cast<std::size_t>(i)];
    return Output{index / (channels * plane), index / plane % channels, index % plane / window.OW,
                  index % window.OW};
  };
  parallel_for(static_cast<std::int64_t>(indices.size()), 16, execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 std::vector<float> row;
                 std::int64_t row_of = -1;
                 for (std::int64_t i = first; i < last; ++i) {
                   const auto [n, channel, oh, ow] = output(i);
                   if (channel != row_of) take_weights(window, w, strides, row_of = channel, row);
                   if (i + 1 < last) {
                     const Output next = output(i + 1);
                     prefetch_window(window, x, next.n, next.oh, next.ow, next.channel / window.OC);
                   }
                   ExactSum sum(wanted, execution.instruction_set);
                   add_window(window, x, row.data(), n, oh, ow, channel / window.OC, sum);
                   ExactElement y = sum.element();
                   if (bias != nullptr) {
                     y.value += static_cast<double>(
                         bias->values<float>()[static_cast<std::size_t>(channel)]);
                     y.epilogue = rounding_variance(y.value);
                   }
                   result[static_cast<std::size_t>(i)] = y;
                 }
               });
  return result;
}

}  // namespace

std::string packing(const Contract& contract) {
  // chunk256 reads the weights that chain packs.
  const Algorithm algorithm =
      contract.algorithm == Algorithm::chunk256 ? Algorithm::chain : contract.algorithm;
  std::string text(name(algorithm));
  if (contract.rounding) text.append("/").append(name(*contract.rounding));
  return text;
}

std::unique_ptr<const Packed> pack(const Contract& contract, const Window& window,
                                   const Weights<float>& w) {
  switch (contract.algorithm) {
    case Algorithm::chain:
    case Algorithm::chunk256:
      return pack_chain(window, w);
    case Algorithm::tensor_k4f24:
    case Algorithm::tensor_k8f25:
      return pack_tensor(window, w, contract.algorithm, *contract.rounding);
    case Algorithm::gemm_eigen:
      return pack_eigen(window, w);
    case Algorithm::fp64:
    case Algorithm::exact:
      return pack_fp64(window, w);
    case Algorithm::gemm_cublas:
    case Algorithm::lanes32:
    case Algorithm::elementwise:
    case Algorithm::move:
      break;
  }
  throw Error(Fault::internal, "a MAC was planned as " + contract.text());
}

std::unique_ptr<const Packed> pack(const Contract& contract, const Window& window,
                                   const Weights<double>& w) {
  if (!in_double(contract))
    throw Error(Fault::internal, "weights in double were planned as " + contract.text());
  return pack_fp64(window, w);
}

void run_packed(const Contract& contract, const Window& window, const float* x, const Packed& w,
                const Epilogue<float>& epilogue, float* y, const Execution& execution) {
  if (contract.algorithm == Algorithm::chain)
    run_chain(window, x, w, epilogue, y, execution);
  else if (contract.algorithm == Algorithm::chunk256)
    run_chunk256(window, x, w, epilogue, y, execution);
  else if (contract.algorithm == Algorithm::gemm_eigen)
    run_eigen(window, x, w, epilogue, y, execution);
  else
    run_tensor(window, x, w, epilogue, y, execution);
}

void run_packed(const Contract&, const Window& window, const double* x, const Packed& w,
                const Epilogue<double>& epilogue, double* y, const Execution& execution) {
  run_fp64(window, x, w, epilogue, y, execution);
}

Value run_mac(const Window& window, const Value& x, const std::shared_ptr<const Tensor>& weights,
              const WeightStrides& strides, const Tensor* bias, const Job& job) {
  Fresh fresh(job.output, Layout::channels_last, &job.memory);
  const float* const w = weights->values<float>().data();
  if (job.magnitudes()) {
    // Packed for this run alone: magnitudes are wanted once per stage, and twice the weights would
    // be kept.
    std::vector<float> absolute(weights->values<float>().begin(), weights->values<float>().end());
    for (float& value : absolute) value = magnitude_operand(value);
    const Elements<float> in =
        elements<float>(x, Layout::channels_last, job.execution, &job.memory);
    run_chain(window, in.data, *pack_chain(window, weights_of(absolute.data(), strides)),
              with_bias(bias, job.epilogue32, job.reading), fresh.data<float>(), job.execution);
    return std::move(fresh).value();
  }
  const Packed& packed = job.packs.get(weights, packing(job.contract), [&] {
    return pack(job.contract, window, weights_of(w, strides));
  });
  if (job.in_double()) {
    const Elements<double> in =
        elements<double>(x, Layout::channels_last, job.execution, &job.memory);
    run_fp64(window, in.data, packed, with_bias(bias, job.epilogue64, job.reading),
             fresh.data<double>(), job.execution);
    return std::move(fresh).value();
  }
  const Elements<float> in = elements<float>(x, Layout::channels_last, job.execution, &job.memory);
  const Epilogue<float> epilogue = with_bias(bias, job.epilogue32, job.reading);
  run_packed(job.contract, window, in.data, packed, epilogue, fresh.data<float>(), job.execution);
  return std::move(fresh).value();
}

std::vector<ExactElement> exact_elements(const Window& window, const WeightStrides& strides,
                                         const Job& job, std::span<const std::int64_t> indices,
                                         NoiseWanted wanted) {
  // A tensor in double is rounded where it is read: a sample reads little of it.
  const auto of = [&]<class T>(const Elements<T>& x) {
    return exact_elements_of(window, x.data, job.parameters[0]->values<float>().data(), strides,
                             job.parameters[1].get(), indices, wanted, job.execution);
  };
  const Value& x = job.inputs[0];
  if (x.type().type == Type::float64)
    return of(elements<double>(x, Layout::channels_last, job.execution, &job.memory));
  return of(elements<float>(x, Layout::channels_last, job.execution, &job.memory));
}

}  // namespace parity::cpu
