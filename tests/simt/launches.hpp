#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/tensor.hpp"
#include "tests/simt/simulated_api.hpp"

namespace parity::simt {

/// Launches on a simulated device with buffers that live as long as this object.
class Launches {
 public:
  explicit Launches(int capability = 90) : api_(capability) {}
  ~Launches();

  cuda::Queue queue() { return {&api_, nullptr}; }
  SimulatedApi& api() { return api_; }
  /// Uninitialised, that is NaN.
  float* room(std::int64_t count);
  float* upload(const std::vector<float>& values);
  std::vector<float> download(const float* from, std::int64_t count);
  /// Raw bytes of any type.
  void* upload_bytes(const void* from, std::size_t bytes);
  void download_bytes(void* to, const void* from, std::size_t bytes);
  /// Waits; a failure of the test when the status or the wait reports an error.
  void check(cuda::Status status);

 private:
  SimulatedApi api_;
  std::vector<void*> buffers_;
};

/// Runs `body` under every schedule that kernels are tested with (Settings::schedule).
void for_each_schedule(const std::function<void(Launches&)>& body, int capability = 90);
inline constexpr int schedules = 8;

std::vector<float> to_vector(const Tensor& tensor);
/// Where bits differ first, every NaN read as one; empty when nowhere.
std::string first_difference(const std::vector<float>& expected, const std::vector<float>& got);

}  // namespace parity::simt
