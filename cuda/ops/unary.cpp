#include "model/ops/unary.hpp"

#include "cuda/ops.hpp"

// A function as an elementwise step (cuda/elementwise.cu): alone here, or riding on a MAC.

namespace parity::cuda {

Value run(const Unary& op, const Job& job) {
  const bool identity =
      job.magnitudes() && !op.heads_stage() && op.largest_slope() == 1 && op.at_zero() == 0;
  return identity ? job.inputs[0] : *run_as_epilogue(op, job);
}

}  // namespace parity::cuda
