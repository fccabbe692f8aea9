#include "model/ops/constant.hpp"

#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"

// The parameter, as a value.

namespace parity::cpu {

Value run(const Constant&, const Job& job) {
  return job.in_double() ? parameter_value<double>(*job.parameters[0], job.reading)
                         : parameter_value<float>(*job.parameters[0], job.reading);
}

}  // namespace parity::cpu
