#include "model/ops/conv2d.hpp"

#include "cuda/mac/run.hpp"

// The convolution of the contract, on the GPU: the multiply-accumulate kernels (cuda/mac/) over one
// Window. This room says what the window is and where the weights lie.
//
//   chain          k = (ic div 32, kh, kw, ic mod 32), one fma per term, in tiles on FP32 units
//   chunk256       the same k in chains of 256 terms, their sums added in order
//   tensor:k4f24   the same k in groups of 8, mma.sync of sm_80, 86, 87, 89
//   tensor:k8f25   the same, mma.sync of sm_90, 100, 120

namespace parity::cuda {

Value run(const Conv2d& op, const Job& job) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return run_convolution(window, weight_strides(op, window), job);
}

}  // namespace parity::cuda
