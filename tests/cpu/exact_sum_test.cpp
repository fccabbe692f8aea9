#include "cpu/mac/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cpu/mac/instruction_set.hpp"
#include "model/arithmetic/fill.hpp"

namespace parity::cpu {
namespace {

constexpr InstructionSet best = InstructionSet::best;

TEST(ExactSum, KnowsTheRoundingsOfAChain) {
  // 1 + 2^-12 + 1: sums 1, 1 + 2^-12, 2 + 2^-12, each product not zero; the zero product rounds
  // nothing.
  const float x[] = {1, 0x1p-12F, 0, 1}, w[] = {1, 1, 5, 1};
  ExactSum sum(NoiseWanted::everything(), best);
  sum.add(x, w, 4);
  const ExactElement all = sum.element();
  EXPECT_EQ(all.value, 2 + 0x1p-12);
  const double q = 0x1p-23, smallest = 0x1p-149;
  EXPECT_EQ(all.mac.chain, (1 + 1 + 4) * q * q / 12 + 3 * smallest * smallest / 12);
  EXPECT_GT(all.mac.weights, 0);
  ExactSum outside(NoiseWanted::everything(), best);
  outside.add(nullptr, w, 4);
  EXPECT_EQ(outside.element().value, 0);
  EXPECT_EQ(outside.element().mac.chain, 0);
}

TEST(ExactSum, KeepsWhatIsWantedAndNoMore) {
  const Counter random(3, "exact_sum");
  std::vector<float> x(300), w(300);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(random.normal(2 * i));
    w[i] = static_cast<float>(random.normal(2 * i + 1));
  }
  const auto element = [&](NoiseWanted wanted) {
    ExactSum sum(wanted, best);
    sum.add(x.data(), w.data(), 300);
    return sum.element();
  };
  const ExactElement all = element(NoiseWanted::everything());
  using Member = double MacNoise::*;
  const auto only = [&](NoiseWanted wanted, const std::vector<Member>& kept) {
    const ExactElement some = element(wanted);
    EXPECT_EQ(some.value, all.value);
    for (const Member member : {&MacNoise::chain, &MacNoise::chunk256, &MacNoise::activations,
                                &MacNoise::weights, &MacNoise::nearest, &MacNoise::truncated,
                                &MacNoise::cut_products, &MacNoise::cut_results}) {
      const bool is_kept = std::find(kept.begin(), kept.end(), member) != kept.end();
      EXPECT_NE(all.mac.*member, 0);
      EXPECT_EQ(some.mac.*member, is_kept ? all.mac.*member : 0);
    }
  };
  only({}, {});
  only({.chain = true}, {&MacNoise::chain});
  only({.chain = true, .chunk256 = true}, {&MacNoise::chain, &MacNoise::chunk256});
  only({.chain = true, .nearest = true}, {&MacNoise::chain, &MacNoise::nearest});
  only({.chain = true, .truncated = true}, {&MacNoise::chain, &MacNoise::truncated});
  only({.chain = true, .operands = true},
       {&MacNoise::chain, &MacNoise::activations, &MacNoise::weights, &MacNoise::cut_products,
        &MacNoise::cut_results});
}

TEST(ExactSum, HasTheSameBitsOnEveryInstructionSet) {
  const Counter random(5, "exact_sum");
  std::uint64_t at = 0;
  for (int trial = 0; trial < 200; ++trial) {
    // Taps of any length, some outside the image, half of the activations zero, a few not finite.
    std::vector<std::vector<float>> xs, ws;
    for (int tap = 0; tap < 12; ++tap) {
      const auto count = static_cast<std::size_t>(1 + random.bits(at++) % 40);
      std::vector<float>& x = xs.emplace_back(count);
      std::vector<float>& w = ws.emplace_back(count);
      for (std::size_t i = 0; i < count; ++i) {
        x[i] = std::max(0.0F, static_cast<float>(random.normal(at++)));
        w[i] = static_cast<float>(random.normal(at++));
      }
      if (random.bits(at++) % 97 == 0) x[0] = std::numeric_limits<float>::infinity();
      if (random.bits(at++) % 89 == 0) w[0] = std::numeric_limits<float>::quiet_NaN();
      if (random.bits(at++) % 5 == 0) std::fill(x.begin(), x.end(), 0.0F);
      if (random.bits(at++) % 7 == 0) x.clear();
    }
    const auto bits = [&](InstructionSet set) {
      ExactSum sum(NoiseWanted::everything(), set);
      for (std::size_t tap = 0; tap < xs.size(); ++tap)
        sum.add(xs[tap].empty() ? nullptr : xs[tap].data(), ws[tap].data(),
                static_cast<std::int64_t>(ws[tap].size()));
      const ExactElement y = sum.element();
      std::vector<std::uint64_t> all = {y.window};
      for (const double value :
           {y.value, y.mac.chain, y.mac.chunk256, y.mac.activations, y.mac.weights, y.mac.nearest,
            y.mac.truncated, y.mac.cut_products, y.mac.cut_results})
        all.push_back(std::isnan(value) ? 0 : std::bit_cast<std::uint64_t>(value));
      return all;
    };
    const std::vector<std::uint64_t> expected = bits(InstructionSet::scalar);
    for (const InstructionSet set :
         {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon})
      if (has(set)) {
        EXPECT_EQ(bits(set), expected) << name(set);
      }
  }
}

}  // namespace
}  // namespace parity::cpu
