#include "model/ops/movement.hpp"

#include "cpu/places.hpp"

// Shares the storage where nothing moves: identity always, the reshaping ones on row-major values, a
// transpose that only renames the layout (NHWC to NCHW). Any other transpose is one tabled copy
// (cpu/places.cpp) from the layout that x has.

namespace parity::cpu {

Value run(const Movement& op, const Job& job) {
  const Value& x = job.inputs[0];
  if (op.function == Movement::Function::identity) return x;
  if (op.function == Movement::Function::transpose)
    return placed(op.transposed(x.shape()), x, job.output, 0, job);
  return {job.output, with_layout(x, Layout::row_major, job.execution, &job.memory).storage()};
}

}  // namespace parity::cpu
