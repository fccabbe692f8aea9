#include "model/ops/cast.hpp"

#include "cuda/ops.hpp"
#include "cuda/ops/cast.hpp"

// One conversion per element, in the layout that x has. Magnitudes: |y|.

namespace parity::cuda {

Value run(const Cast& op, const Job& job) {
  const Value& x = job.inputs[0];
  Fresh fresh = job.fresh(layout_of(x));
  job.check(launch_cast(job.queue(), {storage_of(x).data(), fresh.data<void>(),
                                      element_count(x.shape()), element_type(x.type().type),
                                      static_cast<CastTo>(op.to), job.magnitudes() ? 1 : 0}),
            "launching a cast");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
