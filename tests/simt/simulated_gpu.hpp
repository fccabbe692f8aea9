#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/backend.hpp"
#include "tests/simt/simulated_api.hpp"

namespace parity::simt {

/// The CUDA backend on a simulated GPU: the third backend of the tests, whose twin is the CPU.
struct Gpu {
  explicit Gpu(int capability = 90, std::size_t memory_bytes = std::size_t{1} << 30)
      : api(std::make_shared<SimulatedApi>(capability, memory_bytes)), backend(api, 0) {}

  std::shared_ptr<SimulatedApi> api;
  cuda::CudaBackend backend;
};

}  // namespace parity::simt
