#pragma once

#include "cpu/ops.hpp"

namespace parity::cpu {

/// Runs epilogue steps over a whole value, keeping its layout: how an elementwise room runs when its op
/// was not fused. The steps' channels are axis 1 of the value. T = double when the job is in double.
template <class T>
Value run_epilogue(const Epilogue<T>& steps, const Job& job);

extern template Value run_epilogue<float>(const Epilogue<float>&, const Job&);
extern template Value run_epilogue<double>(const Epilogue<double>&, const Job&);

/// The room of any op that is one epilogue step; |y| of one that makes its magnitude from values.
template <class AnyOp>
Value run_as_epilogue(const AnyOp& op, const Job& job) {
  const Shape& shape = job.output.shape;
  const std::int64_t channels = shape.size() >= 2 ? shape[1] : 1;
  if (job.in_double())
    return run_epilogue<double>(
        {*as_epilogue<double>(op, job.parameters, channels, job.reading, job.contract)}, job);
  Epilogue<float> steps{
      *as_epilogue<float>(op, job.parameters, channels, job.reading, job.contract)};
  if constexpr (requires { op.bounds_itself(); })
    if (job.magnitudes() && op.bounds_itself()) steps.push_back({EpilogueKind::abs, {}, {}});
  return run_epilogue(steps, job);
}

}  // namespace parity::cpu
