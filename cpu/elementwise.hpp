#pragma once

#include "cpu/ops.hpp"

namespace parity::cpu {

/// Runs one epilogue step over a whole value, keeping its layout: how an elementwise room runs when
/// its op was not fused. The step's channels are axis 1 of the value. T = double when the job is in
/// double.
template <class T>
Value run_step(const EpilogueStep<T>& step, const Job& job);

extern template Value run_step<float>(const EpilogueStep<float>&, const Job&);
extern template Value run_step<double>(const EpilogueStep<double>&, const Job&);

/// The room of any op that is one epilogue step.
template <class AnyOp>
Value run_as_epilogue(const AnyOp& op, const Job& job) {
  const Shape& shape = job.output.shape;
  const std::int64_t channels = shape.size() >= 2 ? shape[1] : 1;
  if (job.in_double())
    return run_step(*as_epilogue<double>(op, job.parameters, channels, job.reading), job);
  return run_step(*as_epilogue<float>(op, job.parameters, channels, job.reading), job);
}

}  // namespace parity::cpu
