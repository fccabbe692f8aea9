#include "model/ops/conv2d.hpp"

#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"

// The convolution of the contract, on the processor. Every algorithm is the multiply-accumulate
// engine's (cpu/mac/) over one Window; this room says what the window is and where the weights lie.
//
//   chain, fp64    k = (ic div 32, kh, kw, ic mod 32), one fma per term
//   chunk256       the same k in chains of 256 terms, their sums added in order; chain's speed
//   tensor:k4f24   the same k in groups of 8, two tensor-core steps of 4 each; about a sixth of
//                  chain's speed
//   tensor:k8f25   the same, one step of 8
//   gemm:eigen     im2col and Eigen's product, Eigen's order

namespace parity::cpu {

Value run(const Conv2d& op, const Job& job) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return run_mac(window, job.inputs[0], job.parameters[0], weight_strides(op, window),
                 job.parameters[1].get(), job);
}

std::vector<ExactElement> exact_at(const Conv2d& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return exact_elements(window, weight_strides(op, window), job, indices, wanted);
}

}  // namespace parity::cpu
