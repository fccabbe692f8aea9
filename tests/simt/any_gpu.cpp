#include "tests/simt/any_gpu.hpp"

#include "tests/simt/launches.hpp"

namespace parity::test {

std::string why_no_gpu() { return {}; }

AnyGpu any_gpu(int capability) {
  auto api = std::make_shared<simt::SimulatedApi>(capability);
  auto backend = std::make_unique<cuda::CudaBackend>(api, 0);
  return {api, std::move(backend), [api = api.get()](int number) {
            api->settings.schedule = static_cast<std::uint64_t>(number);
          }};
}

int schedule_count() { return simt::schedules; }

std::vector<int> capabilities() { return {80, 90}; }

}  // namespace parity::test
