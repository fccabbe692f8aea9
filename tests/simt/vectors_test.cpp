#include "tests/model/vectors.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/tf32.hpp"
#include "tests/model/locked_functions.hpp"
#include "tests/simt/any_gpu.hpp"
#include "tests/simt/probes.hpp"

// What a GPU's own instructions do: the matrix instruction on every vector, conversions, the elementary
// functions over their inputs.

namespace parity {
namespace {

/// Device memory for a probe.
template <class T>
class OnDevice {
 public:
  OnDevice(std::size_t count, cuda::Session& session)
      : session_(&session), count_(count), memory_(session.take(count * sizeof(T))) {}
  OnDevice(const std::vector<T>& values, cuda::Session& session)
      : OnDevice(values.size(), session) {
    session.check(
        session.api().copy_in(data(), values.data(), count_ * sizeof(T), session.queue().stream),
        "uploading a probe");
    session.wait("uploading a probe");
  }
  T* data() const { return static_cast<T*>(memory_.get()); }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    session_->check(session_->api().copy_out(values.data(), data(), count_ * sizeof(T),
                                             session_->queue().stream),
                    "reading a probe");
    session_->wait("reading a probe");
    return values;
  }

 private:
  cuda::Session* session_;
  std::size_t count_;
  std::shared_ptr<void> memory_;
};

TEST(GpuVectors, TheMatrixInstructionEqualsExactFractionsOnEveryVector) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  const std::vector<Row> rows = rows_of("mma_k8.csv");
  ASSERT_GT(rows.size(), 600U);
  for (const int capability : test::capabilities()) {
    test::AnyGpu gpu = test::any_gpu(capability);
    ASSERT_GE(capability, 80) << "sm_75 has no such instruction";
    const char* const core = capability < 90 ? "k4f24" : "k8f25";
    for (const Row& row : rows) {
      // The vector in every row of A and every column of B: 128 equal answers.
      std::vector<float> a(16 * 8), b(8 * 8), c(16 * 8, float_of(hex(row.at("c"))));
      for (std::size_t k = 0; k < 8; ++k) {
        for (std::size_t m = 0; m < 16; ++m)
          a[m * 8 + k] = float_of(hex(row.at("a" + std::to_string(k))));
        for (std::size_t n = 0; n < 8; ++n)
          b[k * 8 + n] = float_of(hex(row.at("b" + std::to_string(k))));
      }
      cuda::Session& session = gpu.session();
      const OnDevice<float> da(a, session), db(b, session), dc(c, session), dd(128, session);
      session.check(
          simt::launch_matrix(session.queue(), {da.data(), db.data(), dc.data(), dd.data()}),
          "launching the matrix probe");
      const std::uint32_t expected = hex(row.at(core));
      for (const float got : dd.read())
        ASSERT_EQ(bits_of(got), expected)
            << "vector " << row.at("id") << " " << row.at("tag") << " on sm_" << capability;
    }
  }
}

TEST(GpuVectors, TheConversionInstructionIsTheIntegerRounding) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  std::vector<float> x;
  std::vector<std::uint32_t> expected;
  for (const Row& row : rows_of("tf32.csv")) {
    const std::uint32_t word = hex(row.at("x"));
    if ((word & 0x7fffffffU) > 0x7f800000U) continue;  // NaNs are canonical before any rounding
    x.push_back(float_of(word));
    expected.push_back(hex(row.at("rna")));
  }
  ASSERT_GT(x.size(), 100U);
  test::AnyGpu gpu = test::any_gpu();
  cuda::Session& session = gpu.session();
  const OnDevice<float> from(x, session);
  const OnDevice<std::uint32_t> to(x.size(), session);
  session.check(simt::launch_conversion(session.queue(),
                                        {from.data(), to.data(), static_cast<int>(x.size())}),
                "launching the conversion probe");
  const std::vector<std::uint32_t> got = to.read();
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(got[i], expected[i]) << std::hexfloat << x[i];
}

std::uint64_t checksum(cuda::Session& session, const LockedFunction& f) {
  const OnDevice<std::uint64_t> sum(std::vector<std::uint64_t>{0}, session);
  session.check(simt::launch_checksum(session.queue(),
                                      {f.kind, f.a, f.b, sample_first, sample_step, sum.data()}),
                "launching a checksum");
  return sum.read().front();
}

TEST(GpuVectors, ElementaryFunctionsHaveTheSampledChecksums) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  test::AnyGpu gpu = test::any_gpu();
  for (const LockedFunction& f : locked_functions)
    EXPECT_EQ(checksum(gpu.session(), f), f.sampled) << f.name;
}

}  // namespace
}  // namespace parity
