#include "model/ops/unary.hpp"

#include "cuda/ops.hpp"

// relu and sigmoid as an elementwise step (cuda/elementwise.cu): alone here, or riding on a MAC.

namespace parity::cuda {

Value run(const Unary& op, const Job& job) {
  if (job.magnitudes() && op.function == Unary::Function::relu) return job.inputs[0];
  return *run_as_epilogue(op, job);
}

}  // namespace parity::cuda
