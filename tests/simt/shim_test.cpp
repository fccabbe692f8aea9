#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "model/arithmetic/fill.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"
#include "tests/simt/launches.hpp"
#include "tests/simt/probes.hpp"

// The shim itself: what it must do for kernels, and what it must see.

namespace parity::simt {
namespace {

/// What the wait after a launch reports: the shim's complaint.
std::string complaint(Launches& on, cuda::Status launched) {
  EXPECT_EQ(launched, cuda::success);
  const cuda::Status status = on.api().synchronise(nullptr);
  return status == cuda::success ? "" : on.api().describe(status);
}

void expect_says(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in: " << text;
}

TEST(SimtShim, ABlockExchangesThroughSharedMemoryInEverySchedule) {
  std::vector<float> x(256);
  std::iota(x.begin(), x.end(), 0.0F);
  const std::vector<float> reversed(x.rbegin(), x.rend());
  for_each_schedule([&](Launches& on) {
    float* const y = on.room(256);
    on.check(launch_reverse(on.queue(), {on.upload(x), y}));
    EXPECT_EQ(first_difference(reversed, on.download(y, 256)), "");
  });
}

TEST(SimtShim, AMissingBarrierIsSeenInEverySchedule) {
  std::vector<float> x(256);
  std::iota(x.begin(), x.end(), 0.0F);
  const std::vector<float> reversed(x.rbegin(), x.rend());
  for_each_schedule([&](Launches& on) {
    float* const y = on.room(256);
    const float* const source = on.upload(x);
    on.check(launch_reverse(on.queue(), {source, y}));
    ASSERT_EQ(on.api().barriers().size(), 1U);
    on.api().settings.silenced = on.api().barriers().front();
    on.check(launch_reverse(on.queue(), {source, y}));
    EXPECT_NE(first_difference(reversed, on.download(y, 256)), "");
  });
}

TEST(SimtShim, DivergentBarriersAreReported) {
  for_each_schedule([&](Launches& on) {
    const std::string text =
        complaint(on, launch_misbehave(on.queue(), {Misbehaviour::half_a_barrier, on.room(64)}));
    expect_says(text, "divergent threads: 32 of 64");
  });
  for_each_schedule([&](Launches& on) {
    const std::string text =
        complaint(on, launch_misbehave(on.queue(), {Misbehaviour::two_barriers, on.room(64)}));
    expect_says(text, "divergent barriers");
  });
}

TEST(SimtShim, ADivergentShuffleIsReported) {
  for_each_schedule([&](Launches& on) {
    const std::string text =
        complaint(on, launch_misbehave(on.queue(), {Misbehaviour::half_a_shuffle, on.room(64)}));
    expect_says(text, "meeting of its warp");
  });
}

TEST(SimtShim, AHangEndsWithAReport) {
  Launches on;
  on.api().settings.most_steps = 1000;
  const std::string text =
      complaint(on, launch_misbehave(on.queue(), {Misbehaviour::hang, on.room(64)}));
  expect_says(text, "hangs");
}

TEST(SimtShim, WritesBesideMemoryAreReported) {
  Launches beside_shared;
  expect_says(complaint(beside_shared,
                        launch_misbehave(beside_shared.queue(), {Misbehaviour::write_beside_shared,
                                                                 beside_shared.room(64)})),
              "wrote behind the static shared memory");
  Launches beside_global;
  expect_says(complaint(beside_global,
                        launch_misbehave(beside_global.queue(), {Misbehaviour::write_beside_global,
                                                                 beside_global.room(64)})),
              "beside a device buffer");
}

TEST(SimtShim, AnAsynchronousCopyLandsAtItsWaitAndNotBefore) {
  std::vector<float> x(64), half(64, 0.0F);
  std::iota(x.begin(), x.end(), 1.0F);
  std::copy_n(x.begin(), 32, half.begin());
  for_each_schedule([&](Launches& on) {
    float* const y = on.room(64);
    const float* const source = on.upload(x);
    on.check(launch_copy(on.queue(), {source, y, Wait::all}));
    EXPECT_EQ(first_difference(half, on.download(y, 64)), "");
    on.check(launch_copy(on.queue(), {source, y, Wait::none}));
    EXPECT_NE(first_difference(half, on.download(y, 64)), "");
  });
}

TEST(SimtShim, TheMatrixInstructionIsTheModelOfItsDevice) {
  for (const int capability : {80, 90}) {
    const TensorCore& core = capability == 80 ? k4f24 : k8f25;
    for (const Fill fill : {Fill::exact, Fill::real, Fill::hostile}) {
      const std::vector<float> a = to_vector(filled({Type::float32, {16, 8}}, fill, 1));
      const std::vector<float> b = to_vector(filled({Type::float32, {8, 8}}, fill, 2));
      const std::vector<float> c = to_vector(filled({Type::float32, {16, 8}}, fill, 3));
      std::vector<float> expected;
      for (std::size_t row = 0; row < 16; ++row)
        for (std::size_t column = 0; column < 8; ++column) {
          std::uint32_t x[8], y[8];
          for (std::size_t k = 0; k < 8; ++k) {
            x[k] = std::bit_cast<std::uint32_t>(a[row * 8 + k]);
            y[k] = std::bit_cast<std::uint32_t>(b[k * 8 + column]);
          }
          expected.push_back(std::bit_cast<float>(
              tensor_core_dot(core, x, y, std::bit_cast<std::uint32_t>(c[row * 8 + column]))));
        }
      for_each_schedule(
          [&](Launches& on) {
            float* const d = on.room(128);
            on.check(launch_matrix(on.queue(), {on.upload(a), on.upload(b), on.upload(c), d}));
            EXPECT_EQ(first_difference(expected, on.download(d, 128)), "");
          },
          capability);
    }
  }
}

TEST(SimtShim, AMachineWithoutMatrixInstructionsSaysSo) {
  Launches on(75);
  const std::vector<float> zeros(128);
  const float* const x = on.upload(zeros);
  expect_says(complaint(on, launch_matrix(on.queue(), {x, x, x, on.room(128)})),
              "no such instruction");
}

}  // namespace
}  // namespace parity::simt
