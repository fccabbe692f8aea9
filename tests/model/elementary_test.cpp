#include "model/arithmetic/elementary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <future>
#include <limits>
#include <string>
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

/// A sequence and its sums: over all inputs, and over every 4093rd from 1021 on.
struct Locked {
  const char* name;
  Function function;
  std::uint64_t all, sampled;
};
constexpr std::uint64_t sample_first = 1021, sample_step = 4093;
constexpr Locked locked[] = {
    {"exp", [](float x) { return exp(x); }, 0x73bf2bbb477cbafaU, 0xb670f3a3f9fb5e66U},
    {"sigmoid", [](float x) { return sigmoid(x); }, 0xb4f304d7464a295bU, 0x4bf6dc41e8803febU},
    {"tanh", [](float x) { return tanh(x); }, 0xa8fbbdf1ae13cf12U, 0xbc2795dea1959923U},
    {"erf", [](float x) { return erf(x); }, 0x80af732597e6a2eaU, 0x8fbcb1e216e3cc9bU},
    {"log", [](float x) { return log(x); }, 0x2ea226bd2f1085d3U, 0xf6a0385bbb0ff845U},
};
std::string name_of(const testing::TestParamInfo<Locked>& info) { return info.param.name; }

class Elementary : public testing::TestWithParam<Locked> {};
TEST_P(Elementary, HasTheSampledChecksum) {
  EXPECT_EQ(checksum(GetParam().function, sample_first, sample_step), GetParam().sampled);
}
INSTANTIATE_TEST_SUITE_P(Each, Elementary, testing::ValuesIn(locked), name_of);

class SlowElementary : public testing::TestWithParam<Locked> {};
TEST_P(SlowElementary, HasTheChecksumOverAllInputs) {
  EXPECT_EQ(checksum(GetParam().function, 0, 1), GetParam().all);
}
INSTANTIATE_TEST_SUITE_P(Each, SlowElementary, testing::ValuesIn(locked), name_of);

TEST(ElementaryFunctions, SpecialValues) {
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
  for (const Function odd :
       {Function([](float x) { return tanh(x); }), Function([](float x) { return erf(x); })}) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(odd(-0.0F)), 0x80000000U);
    EXPECT_EQ(odd(infinity), 1.0F);
    EXPECT_EQ(odd(-infinity), -1.0F);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(odd(nan)), canonical_nan);
  }
  EXPECT_EQ(log(0.0F), -infinity);
  EXPECT_EQ(log(-0.0F), -infinity);
  EXPECT_EQ(log(infinity), infinity);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(log(-1.0F)), canonical_nan);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(log(nan)), canonical_nan);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(log(1.0F)), 0U);
}

}  // namespace
}  // namespace parity::elementary
