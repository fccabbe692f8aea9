#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cuda/backend.hpp"

namespace parity::test {

/// The GPU that a test runs on: simulated in test_simt, the machine's own in test_cuda. The same tests are
/// compiled into both.
struct AnyGpu {
  std::shared_ptr<cuda::Api> api;
  std::unique_ptr<cuda::CudaBackend> backend;
  /// Chooses how threads take turns, where that can be chosen.
  std::function<void(int)> schedule;

  cuda::Session& session() { return const_cast<cuda::Session&>(backend->session()); }
};

/// Why this machine has none; empty when it has.
std::string why_no_gpu();
/// `capability` (90: sm_90) is what a simulated one has; a real one has its own.
AnyGpu any_gpu(int capability = 90);
/// How many schedules there are to try; 1 where there is no choice.
int schedule_count();
/// The capabilities that any_gpu() can give.
std::vector<int> capabilities();

}  // namespace parity::test
