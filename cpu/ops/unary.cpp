#include "model/ops/unary.hpp"

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"

// One rounded sequence per element, wherever it runs: alone or riding on a MAC.
//
//   elementwise   the sequences of model/arithmetic/sequences.hpp; on vectors those in float, one by one
//                 those in double
//   fp64          the function in double, by libm
//   magnitudes    L |x| + |f(0)|, or |f(x)| of a function that heads its stage

namespace parity::cpu {

Value run(const Unary& op, const Job& job) {
  const bool identity =
      job.magnitudes() && !op.heads_stage() && op.largest_slope() == 1 && op.at_zero() == 0;
  return identity ? job.inputs[0] : run_as_epilogue(op, job);
}

}  // namespace parity::cpu
