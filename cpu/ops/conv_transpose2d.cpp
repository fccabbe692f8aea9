#include "model/ops/conv_transpose2d.hpp"

#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"

// The transposed convolution of the contract, gathered: the multiply-accumulate engine (cpu/mac/)
// over one transposed Window. This room says what the window is and where the weights lie; the
// algorithms are Conv2d's.

namespace parity::cpu {
namespace {

Window window_of(const ConvTranspose2d& op, const TensorType& x, const TensorType& w) {
  const ConvTransposeExtents e = extents(op, x, w);
  Window window;
  window.direction = Window::Direction::transposed;
  window.N = e.N;
  window.G = e.G;
  window.IC = e.IC / e.G;
  window.IH = e.IH;
  window.IW = e.IW;
  window.OC = e.OC / e.G;
  window.OH = e.OH;
  window.OW = e.OW;
  window.KH = e.KH;
  window.KW = e.KW;
  window.sh = op.window.stride[0];
  window.sw = op.window.stride[1];
  window.ph = op.window.pad_begin[0];
  window.pw = op.window.pad_begin[1];
  window.dh = op.window.dilation[0];
  window.dw = op.window.dilation[1];
  return window;
}

/// w[ic, oc, kh, kw], row-major; ic runs over the groups.
WeightStrides strides_of(const Window& window) {
  const std::int64_t taps = window.KH * window.KW;
  return {window.IC * window.OC * taps, 1, window.OC * taps, taps};
}

}  // namespace

Value run(const ConvTranspose2d& op, const Job& job) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return run_mac(window, job.inputs[0], job.parameters[0], strides_of(window),
                 job.parameters[1].get(), job);
}

std::vector<double> exact_at(const ConvTranspose2d& op, const Job& job,
                             std::span<const std::int64_t> indices) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  const Elements<float> x = elements<float>(job.inputs[0], Layout::channels_last, job.execution);
  return exact_elements(window, x.data, job.parameters[0]->values<float>().data(),
                        strides_of(window), job.parameters[1].get(), indices, job.execution);
}

}  // namespace parity::cpu
