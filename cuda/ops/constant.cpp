#include "model/ops/constant.hpp"

#include "cuda/ops.hpp"

// The parameter, as a value: the uploaded copy is shared.

namespace parity::cuda {

Value run(const Constant&, const Job& job) {
  const Value value = parameter_value(job.parameters[0], job, job.reading);
  return job.in_double() ? elements<double>(value, Layout::row_major, job.session).value : value;
}

}  // namespace parity::cuda
