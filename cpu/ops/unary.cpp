#include "model/ops/unary.hpp"

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"

// One rounded sequence per element, wherever it runs: alone or riding on a MAC.
//
//   elementwise   relu: x > 0 ? x : (x != x ? x : +0); sigmoid: the sequence of
//                 model/arithmetic/elementary.hpp
//   fp64          relu the same; sigmoid by libm's exp in double

namespace parity::cpu {

Value run(const Unary& op, const Job& job) {
  if (job.magnitudes() && op.function == Unary::Function::relu) return job.inputs[0];
  return run_as_epilogue(op, job);
}

}  // namespace parity::cpu
