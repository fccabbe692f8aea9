#include "model/arithmetic/elementary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <future>
#include <limits>
#include <thread>
#include <vector>

namespace parity::elementary {
namespace {

using Function = float (*)(float);

/// The sum that locks a sequence: bits(f(x_i)) * (2i + 1) mod 2^64, x_i having the bits i, over i =
/// first, first + step, … below 2^32.
std::uint64_t checksum(Function f, std::uint64_t first, std::uint64_t step) {
  const unsigned workers = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::future<std::uint64_t>> parts;
  for (unsigned worker = 0; worker < workers; ++worker) {
    parts.push_back(std::async(std::launch::async, [=] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = first + worker * step; i < (std::uint64_t{1} << 32);
           i += workers * step) {
        const float x = std::bit_cast<float>(static_cast<std::uint32_t>(i));
        sum += std::bit_cast<std::uint32_t>(f(x)) * (2 * i + 1);
      }
      return sum;
    }));
  }
  std::uint64_t sum = 0;
  for (auto& part : parts) sum += part.get();
  return sum;
}

constexpr Function sigmoid32 = [](float x) { return sigmoid(x); };
constexpr Function exp32 = [](float x) { return exp(x); };

// The sampled sums were taken from the sequences whose full sums are the ones below.
constexpr std::uint64_t sample_first = 1021, sample_step = 4093;

TEST(Elementary, ExpHasTheSampledChecksum) {
  EXPECT_EQ(checksum(exp32, sample_first, sample_step), 0xb670f3a3f9fb5e66U);
}
TEST(Elementary, SigmoidHasTheSampledChecksum) {
  EXPECT_EQ(checksum(sigmoid32, sample_first, sample_step), 0x4bf6dc41e8803febU);
}

TEST(SlowElementary, ExpHasTheChecksumOverAllInputs) {
  EXPECT_EQ(checksum(exp32, 0, 1), 0x73bf2bbb477cbafaU);
}
TEST(SlowElementary, SigmoidHasTheChecksumOverAllInputs) {
  EXPECT_EQ(checksum(sigmoid32, 0, 1), 0xb4f304d7464a295bU);
}

TEST(Elementary, SpecialValues) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::bit_cast<float>(0xffc00001U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(exp(nan)), canonical_nan);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(sigmoid(nan)), canonical_nan);
  EXPECT_EQ(exp(infinity), infinity);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(exp(-infinity)), 0U);
  EXPECT_EQ(exp(0.0F), 1.0F);
  EXPECT_EQ(exp(-0.0F), 1.0F);
  EXPECT_EQ(sigmoid(infinity), 1.0F);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(sigmoid(-infinity)), 0U);
  EXPECT_EQ(sigmoid(0.0F), 0.5F);
}

}  // namespace
}  // namespace parity::elementary
