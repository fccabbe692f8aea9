#include "model/ops/conv_transpose2d.hpp"

#include "cuda/mac/run.hpp"

// The transposed convolution of the contract, gathered: the multiply-accumulate kernels (cuda/mac/)
// over one transposed Window, its pixels in classes that share their taps. This room says what the
// window is and where the weights lie; the algorithms are Conv2d's.

namespace parity::cuda {

Value run(const ConvTranspose2d& op, const Job& job) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return run_convolution(window, weight_strides(op, window), job);
}

}  // namespace parity::cuda
