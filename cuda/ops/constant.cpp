#include "model/ops/constant.hpp"

#include "cuda/ops.hpp"

// The parameter, as a value: the uploaded copy is shared.

namespace parity::cuda {

Value run(const Constant&, const Job& job) {
  const float* const data = parameter_data(job.parameters[0], job);
  const TensorType type{Type::float32, job.output.shape};
  const Value value{type, std::make_shared<const CudaStorage>(job.packs.memory_of(data),
                                                              &job.session, Layout::row_major)};
  return job.in_double() ? elements<double>(value, Layout::row_major, job.session).value : value;
}

}  // namespace parity::cuda
