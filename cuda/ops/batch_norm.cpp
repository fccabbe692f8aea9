#include "model/ops/batch_norm.hpp"

#include "cuda/ops.hpp"

// y = fma(x, s, t) with the two constants of scale_shift(), as an elementwise step
// (cuda/elementwise.cu): alone here, or riding on a MAC.

namespace parity::cuda {

Value run(const BatchNorm& op, const Job& job) { return *run_as_epilogue(op, job); }

}  // namespace parity::cuda
