#include "cli/backends.hpp"

#include "cli/file_bytes.hpp"
#include "cpu/backend.hpp"
#include "cuda/cuda.hpp"
#include "model/error.hpp"

namespace parity::cli {

Processor open_processor() {
  auto processor = std::make_shared<cpu::CpuBackend>();
  return {processor, processor};
}

std::shared_ptr<Backend> open_backend(const Spec& spec, const Processor& processor) {
  if (spec.backend == "cpu") return processor.backend;
  if (spec.backend == "cuda") return cuda::make_backend(spec.device);
  throw Error(Fault::bad_request, "the spec '" + spec.text +
                                      "' is a recording and computes nothing; only --b of `diff` "
                                      "takes one.");
}

Plan plan_for(const Spec& spec, const std::vector<Stage>& stages, const Backend& backend) {
  if (!spec.plan_file.empty()) return read_plan(read_text_file(spec.plan_file), stages, backend);
  return make_plan(stages, spec.numerics, backend, spec.text);
}

}  // namespace parity::cli
