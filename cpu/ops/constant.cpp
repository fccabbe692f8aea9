#include "model/ops/constant.hpp"

#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"

// The parameter, as a value.

namespace parity::cpu {

Value run(const Constant&, const Job& job) {
  const Tensor& constant = *job.parameters[0];
  switch (job.output.type) {
    case Type::float32:
      return parameter_value<float>(constant, job.reading);
    case Type::float64:
      return parameter_value<double>(constant, job.reading);
    case Type::int64:
      return parameter_value<std::int64_t>(constant, job.reading);
    case Type::boolean:
      break;
  }
  return parameter_value<std::uint8_t>(constant, job.reading);
}

}  // namespace parity::cpu
