#include <gtest/gtest.h>
#include <quadmath.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <future>
#include <limits>
#include <string>
#include <vector>

#include "model/arithmetic/elementary.hpp"

namespace parity::elementary {
namespace {

using K = EpilogueKind;
__extension__ using Quad = __float128;

/// The function of a finite x in 113 bits, the last few of which may be wrong.
template <K kind>
Quad real_value(float x) {
  const Quad one = 1, wide = x;
  // x/2 and a term in x^2 that is positive, too far below for 113 bits; no border between floats but x/2
  // itself lies within 2^-25 of it, so anything a little above rounds as the sum does.
  const Quad above_half = wide / 2 + fabsq(wide) * static_cast<Quad>(0x1p-100);
  const bool tiny = std::fabs(x) < 0x1p-60F;
  if constexpr (kind == K::correct_exp) return expq(wide);
  if constexpr (kind == K::correct_sigmoid) return one / (one + expq(-wide));
  if constexpr (kind == K::correct_swish) return tiny ? above_half : wide / (one + expq(-wide));
  if constexpr (kind == K::correct_tanh) return tanhq(wide);
  if constexpr (kind == K::correct_erf) return erfq(wide);
  if constexpr (kind == K::correct_gelu)
    return tiny ? above_half : wide / 2 * erfcq(-wide / sqrtq(2));
  if constexpr (kind == K::correct_gelu_tanh) {
    const Quad slope = 2 * sqrtq(2 / acosq(-one)), cubed = static_cast<Quad>(44715) / 1000000;
    return tiny ? above_half : wide / (one + expq(-slope * (wide + cubed * wide * wide * wide)));
  }
  if constexpr (kind == K::correct_log) return logq(wide);
  if constexpr (kind == K::correct_softplus)
    return x > 0 ? wide + log1pq(expq(-wide)) : log1pq(expq(wide));
  if constexpr (kind == K::correct_mish) {
    const Quad e = expq(wide), n = e * (e + 2);
    return x > 200 ? wide : wide * n / (n + 2);
  }
  if constexpr (kind == K::correct_sin) return sinq(wide);
  if constexpr (kind == K::correct_cos) return cosq(wide);
}

/// How far unrounded() may lie from the real value, as correct-inl.hpp says.
double error_of(K kind, float x, double y) {
  const bool reduced =
      (kind == K::correct_sin || kind == K::correct_cos) && std::fabs(x) >= 0x1p28F;
  return std::fabs(y) * 0x1p-40 + (reduced ? 0x1p-60 : 0);
}

struct Outcome {
  std::uint64_t by_bound = 0;  ///< no border between floats within the bound
  std::uint64_t by_quad = 0;
  std::string wrong;
};

/// Decides every input first, first + step, …; those that the bound decides are held to the bound itself one
/// in `sampled`.
template <K kind>
Outcome decide(std::uint64_t first, std::uint64_t step, std::uint64_t sampled) {
  Outcome outcome;
  for (std::uint64_t i = first; i < std::uint64_t{1} << 32; i += step) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(i));
    if (!std::isfinite(x)) continue;
    const double y = sequences::unrounded<HostArithmetic, kind>(x);
    if (!std::isfinite(y)) continue;  // Log at 0 and below: SpecialValues
    const double error = error_of(kind, x, y);
    const bool decided = static_cast<float>(y - error) == static_cast<float>(y + error);
    outcome.by_bound += decided ? 1 : 0;
    if (decided && (i / step) % sampled != 0) continue;
    const Quad one = 1, real = real_value<kind>(x), margin = static_cast<Quad>(0x1p-104);
    const float nearest = static_cast<float>(real);
    const float got = sequences::correct<HostArithmetic, kind>(x);
    const bool certain = static_cast<float>(real * (one - margin)) == nearest &&
                         static_cast<float>(real * (one + margin)) == nearest;
    // Where every neighbour rounds to 0 or infinity the sequence may stop early.
    const bool saturated = nearest == 0 || std::isinf(nearest);
    const bool within = saturated || fabsq(real - static_cast<Quad>(y)) <= static_cast<Quad>(error);
    outcome.by_quad += decided ? 0 : 1;
    if ((!certain || !within ||
         std::bit_cast<std::uint32_t>(nearest) != std::bit_cast<std::uint32_t>(got)) &&
        outcome.wrong.size() < 500)
      outcome.wrong += " " + std::to_string(i);
  }
  return outcome;
}

class Correct : public testing::TestWithParam<K> {};
std::string name_of(const testing::TestParamInfo<K>& info) {
  static constexpr const char* names[] = {"exp",       "sigmoid", "swish",    "tanh", "erf", "gelu",
                                          "gelu_tanh", "log",     "softplus", "mish", "sin", "cos"};
  return names[static_cast<int>(info.param) - static_cast<int>(K::correct_exp)];
}
auto all_kinds() {
  std::vector<K> kinds;
  for (const CorrectlyRounded& row : correctly_rounded) kinds.push_back(row.correct);
  return testing::ValuesIn(kinds);
}

TEST_P(Correct, IsTheNearestFloatOnASample) {
  with_kind(GetParam(), [](auto kind) {
    if constexpr (is_correct(decltype(kind)::value)) {
      const Outcome outcome = decide<decltype(kind)::value>(1021, 40961, 1);
      EXPECT_EQ(outcome.wrong, "");
      EXPECT_GT(outcome.by_bound, 40000U);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(Each, Correct, all_kinds(), name_of);

class ExhaustiveCorrect : public testing::TestWithParam<K> {};
TEST_P(ExhaustiveCorrect, IsTheNearestFloatForEveryInput) {
  with_kind(GetParam(), [](auto kind) {
    if constexpr (is_correct(decltype(kind)::value)) {
      std::vector<std::future<Outcome>> parts;
      for (std::uint64_t worker = 0; worker < 2; ++worker)
        parts.push_back(std::async(std::launch::async, decide<decltype(kind)::value>, worker,
                                   std::uint64_t{2}, std::uint64_t{10007}));
      for (auto& part : parts) {
        const Outcome outcome = part.get();
        EXPECT_EQ(outcome.wrong, "");
        EXPECT_GT(outcome.by_quad, 0U);
      }
    }
  });
}
INSTANTIATE_TEST_SUITE_P(Each, ExhaustiveCorrect, all_kinds(), name_of);

/// The inputs that the sweep found on the wrong side of a border, with what is nearest.
TEST(CorrectFunctions, HardCasesAreNearest) {
  const auto holds = [](auto kind, std::uint32_t bits) {
    constexpr K known = decltype(kind)::value;
    for (const std::uint32_t sign : {0U, 0x80000000U}) {
      const float x = std::bit_cast<float>(bits | sign);
      if (sign != 0 && (known == K::correct_log || known == K::correct_softplus)) continue;
      EXPECT_EQ((sequences::correct<HostArithmetic, known>(x)),
                static_cast<float>(real_value<known>(x)))
          << std::hexfloat << x;
      EXPECT_NE(static_cast<float>(sequences::unrounded<HostArithmetic, known>(x)),
                static_cast<float>(real_value<known>(x)))
          << "it needs no row: " << std::hexfloat << x;
    }
  };
  for (const std::uint32_t x : {0x3c413d3aU, 0x41178febU, 0x4c5d65a5U, 0x65d890d3U, 0x6f31a8ecU})
    holds(KindConstant<K::correct_log>(), x);
  holds(KindConstant<K::correct_softplus>(), 0x39ea41d0U);
  for (const std::uint32_t x : {0x46199998U, 0x4ecd11c7U}) holds(KindConstant<K::correct_sin>(), x);
  for (const std::uint32_t x : {0x5f18b878U, 0x6115cb11U}) holds(KindConstant<K::correct_cos>(), x);
}

TEST(CorrectFunctions, SpecialValues) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const CorrectlyRounded& row : correctly_rounded) {
    for (const float x : {0.0F, -0.0F, infinity, -infinity}) {
      const float own = step(row.own, x, 1, 0), correct = step(row.correct, x, 0, 0);
      if (std::isnan(own))
        EXPECT_EQ(std::bit_cast<std::uint32_t>(correct), canonical_nan) << int(row.own) << " " << x;
      else if (row.own == K::softplus && x == 0)
        EXPECT_EQ(correct, own);
      else
        EXPECT_EQ(std::bit_cast<std::uint32_t>(correct), std::bit_cast<std::uint32_t>(own))
            << int(row.own) << " " << x;
    }
    const float nan = std::bit_cast<float>(0xffc00001U);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(step(row.correct, nan, 0, 0)), canonical_nan);
  }
  EXPECT_EQ(std::bit_cast<std::uint32_t>(step(K::correct_log, -1.0F, 0, 0)), canonical_nan);
}

}  // namespace
}  // namespace parity::elementary
