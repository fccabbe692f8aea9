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

#include "model/arithmetic/bits.hpp"
#include "model/ops/unary.hpp"
#include "tests/model/locked_functions.hpp"

namespace parity::elementary {
namespace {

/// The sum that locks a sequence, over i = first, first + step, … below 2^32.
std::uint64_t checksum(const LockedFunction& f, std::uint64_t first, std::uint64_t step_size) {
  const unsigned workers = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::future<std::uint64_t>> parts;
  for (unsigned worker = 0; worker < workers; ++worker) {
    parts.push_back(std::async(std::launch::async, [=] {
      return with_kind(f.kind, [&](auto kind) {
        std::uint64_t sum = 0;
        for (std::uint64_t i = first + worker * step_size; i < (std::uint64_t{1} << 32);
             i += workers * step_size) {
          const float x = std::bit_cast<float>(static_cast<std::uint32_t>(i));
          const float y = sequences::any_step<HostArithmetic, decltype(kind)::value>(x, f.a, f.b);
          sum += canonical_bits(y) * (2 * i + 1);
        }
        return sum;
      });
    }));
  }
  std::uint64_t sum = 0;
  for (auto& part : parts) sum += part.get();
  return sum;
}

std::string name_of(const testing::TestParamInfo<LockedFunction>& info) { return info.param.name; }

class Elementary : public testing::TestWithParam<LockedFunction> {};
TEST_P(Elementary, HasTheSampledChecksum) {
  EXPECT_EQ(checksum(GetParam(), sample_first, sample_step), GetParam().sampled);
}
/// The table's error and libm's function in double, which lies within 2^-51 of the real one, on a
/// sample; over all inputs the largest were measured once.
TEST_P(Elementary, LiesWithinItsErrorOfTheDouble) {
  const LockedFunction& f = GetParam();
  const double ulp = step_ulp(f.kind);
  const bool of_operand =
      f.kind != EpilogueKind::pow && unary_function(f.kind).error.of == SequenceError::Of::operand;
  int judged = 0;
  for (std::uint64_t i = 77; i < (std::uint64_t{1} << 32); i += 10007) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(i));
    const float y = step(f.kind, x, f.a, f.b);
    const double exact =
        step(f.kind, static_cast<double>(x), static_cast<double>(f.a), static_cast<double>(f.b));
    if (std::isnan(x) || std::isnan(exact)) {
      ASSERT_TRUE(std::isnan(y)) << std::hexfloat << x;
      continue;
    }
    if (!std::isfinite(static_cast<float>(exact)) || !std::isfinite(y)) {
      ASSERT_EQ(y, static_cast<float>(exact)) << std::hexfloat << x;
      continue;
    }
    const double of = std::max(std::fabs(of_operand ? static_cast<double>(x) : exact), 0x1p-126);
    const double bound = ulp * 0x1p-23 * of + 0x1p-149;  // as Unary's header says
    ASSERT_LE(std::fabs(static_cast<double>(y) - exact), bound) << std::hexfloat << x;
    ++judged;
  }
  EXPECT_GT(judged, 100000);
}
INSTANTIATE_TEST_SUITE_P(Each, Elementary, testing::ValuesIn(locked_functions), name_of);

/// The scalar text; the vectors, which are the same text, are held to it by SlowEpilogue of tests/cpu.
class ExhaustiveElementary : public testing::TestWithParam<LockedFunction> {};
TEST_P(ExhaustiveElementary, HasTheChecksumOverAllInputs) {
  EXPECT_EQ(checksum(GetParam(), 0, 1), GetParam().all);
}
INSTANTIATE_TEST_SUITE_P(Each, ExhaustiveElementary, testing::ValuesIn(locked_functions), name_of);

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
  using Function = float (*)(float);
  constexpr Function odd_functions[] = {[](float x) { return tanh(x); },
                                        [](float x) { return erf(x); }};
  for (const Function odd : odd_functions) {
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
