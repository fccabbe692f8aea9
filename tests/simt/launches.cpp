#include "tests/simt/launches.hpp"

#include <cstdio>
#include <cstring>

#include "model/arithmetic/bits.hpp"

namespace parity::simt {

Launches::~Launches() {
  for (void* const buffer : buffers_) api_.release(buffer);
}

float* Launches::room(std::int64_t count) {
  void* buffer = nullptr;
  EXPECT_EQ(api_.allocate(&buffer, static_cast<std::size_t>(count) * sizeof(float)), 0);
  buffers_.push_back(buffer);
  return static_cast<float*>(buffer);
}

void* Launches::upload_bytes(const void* from, std::size_t bytes) {
  void* buffer = nullptr;
  EXPECT_EQ(api_.allocate(&buffer, bytes), 0);
  buffers_.push_back(buffer);
  check(api_.copy_in(buffer, from, bytes, nullptr));
  return buffer;
}

float* Launches::upload(const std::vector<float>& values) {
  return static_cast<float*>(upload_bytes(values.data(), values.size() * sizeof(float)));
}

void Launches::download_bytes(void* to, const void* from, std::size_t bytes) {
  check(api_.copy_out(to, from, bytes, nullptr));
}

std::vector<float> Launches::download(const float* from, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  download_bytes(values.data(), from, values.size() * sizeof(float));
  return values;
}

void Launches::check(cuda::Status status) {
  if (status == cuda::success) status = api_.synchronise(nullptr);
  EXPECT_EQ(status, cuda::success)
      << api_.describe(status) << "; schedule " << api_.settings.schedule;
}

void for_each_schedule(const std::function<void(Launches&)>& body, int capability) {
  for (int schedule = 0; schedule < schedules; ++schedule) {
    Launches on(capability);
    on.api().settings.schedule = static_cast<std::uint64_t>(schedule);
    body(on);
  }
}

std::vector<float> to_vector(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

std::string first_difference(const std::vector<float>& expected, const std::vector<float>& got) {
  if (expected.size() != got.size())
    return std::to_string(got.size()) + " elements instead of " + std::to_string(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (canonical_bits(expected[i]) == canonical_bits(got[i])) continue;
    char text[120];
    std::snprintf(text, sizeof text, "element %zu: expected %a, got %a", i,
                  static_cast<double>(expected[i]), static_cast<double>(got[i]));
    return text;
  }
  return {};
}

}  // namespace parity::simt
