#include "model/ops/conv_transpose2d.hpp"

#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"

// The transposed convolution of the contract, gathered: the multiply-accumulate engine (cpu/mac/)
// over one transposed Window. This room says what the window is and where the weights lie; the
// algorithms are Conv2d's.

namespace parity::cpu {
namespace {

Window window_of(const ConvTranspose2d& op, const Job& job) {
  return window_of(extents(op, job.inputs[0].type(), job.parameters[0]->type()), op.window,
                   Window::Direction::transposed);
}

/// w[ic, oc, kh, kw], row-major; ic runs over the groups.
WeightStrides strides_of(const Window& window) {
  const std::int64_t taps = window.KH * window.KW;
  return {window.IC * window.OC * taps, 1, window.OC * taps, taps};
}

}  // namespace

Value run(const ConvTranspose2d& op, const Job& job) {
  const Window window = window_of(op, job);
  return run_mac(window, job.inputs[0], job.parameters[0], strides_of(window),
                 job.parameters[1].get(), job);
}

std::vector<ExactElement> exact_at(const ConvTranspose2d& op, const Job& job,
                                   std::span<const std::int64_t> indices) {
  const Window window = window_of(op, job);
  return exact_elements(window, strides_of(window), job, indices);
}

}  // namespace parity::cpu
