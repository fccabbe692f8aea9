#include "model/ops/softmax.hpp"

#include "cuda/ops.hpp"
#include "cuda/ops/softmax.hpp"

// One launch, a warp per row.
//
//   lanes32      the sum of the exponentials
//   magnitudes   the bound's own form

namespace parity::cuda {

Value run(const Softmax& op, const Job& job) {
  const SoftmaxExtents e = extents(op, job.output.shape);
  const Elements<float> x = elements<float>(job.inputs[0], Layout::row_major, job.session);
  Fresh fresh = job.fresh(Layout::row_major);
  job.check(launch_softmax(job.queue(), {x.data, fresh.data<float>(), e.outer, e.n, e.inner,
                                         op.function == Softmax::Function::log_softmax,
                                         job.magnitudes(), softmax_magnitude_term(e.n)}),
            "launching a softmax");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
