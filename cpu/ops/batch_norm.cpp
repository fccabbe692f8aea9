#include "model/ops/batch_norm.hpp"

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"

// y = fma(x, s, t) with the two constants of scale_shift().
//
//   elementwise   s and t rounded to float once
//   fp64          s and t in double
//   magnitudes    fma(|x|, |s|, |t|)

namespace parity::cpu {

Value run(const BatchNorm& op, const Job& job) { return run_as_epilogue(op, job); }

}  // namespace parity::cpu
