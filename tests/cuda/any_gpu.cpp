#include "tests/simt/any_gpu.hpp"

#include "cuda/facts.hpp"
#include "cuda/runtime.hpp"

namespace parity::test {

std::string why_no_gpu() { return cuda::availability_of(*cuda::cuda_runtime()).why; }

AnyGpu any_gpu(int) {
  const std::shared_ptr<cuda::Api> api = cuda::cuda_runtime();
  return {api, std::make_unique<cuda::CudaBackend>(api, 0), [](int) {}};
}

int schedule_count() { return 1; }

std::vector<int> capabilities() {
  if (!why_no_gpu().empty()) return {};
  return {any_gpu().session().capability()};
}

}  // namespace parity::test
