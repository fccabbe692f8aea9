#include "model/ops/conv_transpose2d.hpp"

#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"

// The transposed convolution of the contract, gathered: the multiply-accumulate engine (cpu/mac/)
// over one transposed Window. This room says what the window is and where the weights lie; the
// algorithms are Conv2d's.

namespace parity::cpu {

Value run(const ConvTranspose2d& op, const Job& job) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return run_mac(window, job.inputs[0], job.parameters[0], weight_strides(op, window),
                 job.parameters[1].get(), job);
}

std::vector<ExactElement> exact_at(const ConvTranspose2d& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted) {
  const Window window = window_of(op, job.inputs[0].type(), job.parameters[0]->type());
  return exact_elements(window, weight_strides(op, window), job, indices, wanted);
}

}  // namespace parity::cpu
