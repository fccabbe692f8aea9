// The integer model of the tensor core against vectors made with exact fractions
// (tests/data/tensor_core/generate.py).
#include "model/arithmetic/tensor_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "model/arithmetic/fill.hpp"
#include "model/arithmetic/tf32.hpp"
#include "model/error.hpp"
#include "tests/model/vectors.hpp"

namespace parity {
namespace {

constexpr Rounding roundings[] = {Rounding::rna, Rounding::truncate, Rounding::rn};

std::vector<std::uint32_t> hex_list(const std::string& text, Rounding rounding) {
  std::vector<std::uint32_t> all;
  for (const std::string& cell : cells(text, ' '))
    all.push_back(round_to_tf32(hex(cell), rounding));
  return all;
}

TEST(TensorCore, EqualsExactFractionsOnEveryVector) {
  const std::vector<Row> rows = rows_of("mma_k8.csv");
  ASSERT_GT(rows.size(), 600U);
  std::set<std::string> told_apart;
  for (const Row& row : rows) {
    std::vector<std::uint32_t> a, b;
    for (int k = 0; k < tensor_core_group; ++k) {
      a.push_back(hex(row.at("a" + std::to_string(k))));
      b.push_back(hex(row.at("b" + std::to_string(k))));
    }
    EXPECT_EQ(tensor_core_dot(k4f24, a, b, hex(row.at("c"))), hex(row.at("k4f24")))
        << row.at("id") << " " << row.at("tag");
    EXPECT_EQ(tensor_core_dot(k8f25, a, b, hex(row.at("c"))), hex(row.at("k8f25")))
        << row.at("id") << " " << row.at("tag");
    if (row.at("k4f24") != row.at("k8f25")) told_apart.insert(row.at("tag"));
  }
  // The vectors have power: those that separate the two cores do.
  for (const char* tag : {"smallest_kept_2^-25_sign_1", "block_k4_2^-26", "block_k7_2^-26",
                          "floor_2^-157", "random_ordinary"}) {
    EXPECT_TRUE(told_apart.contains(tag)) << tag;
  }
}

TEST(TensorCore, EqualsExactFractionsOnLongDotProducts) {
  const std::vector<Row> rows = rows_of("dot_k64.csv");
  ASSERT_GE(rows.size(), 40U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const Rounding rounding : roundings) {
      const auto a = hex_list(rows[i].at("a"), rounding), b = hex_list(rows[i].at("b"), rounding);
      ASSERT_EQ(a.size(), 64U);
      const std::string clause = "_" + std::string(name(rounding));
      EXPECT_EQ(tensor_core_dot(k4f24, a, b), hex(rows[i].at("k4f24" + clause)))
          << "row " << i << clause;
      EXPECT_EQ(tensor_core_dot(k8f25, a, b), hex(rows[i].at("k8f25" + clause)))
          << "row " << i << clause;
    }
  }
}

TEST(Tf32, EqualsExactFractionsOnEveryVector) {
  const std::vector<Row> rows = rows_of("tf32.csv");
  ASSERT_GT(rows.size(), 200U);
  for (const Row& row : rows) {
    for (const Rounding rounding : roundings) {
      EXPECT_EQ(round_to_tf32(hex(row.at("x")), rounding), hex(row.at(std::string(name(rounding)))))
          << row.at("x") << " " << name(rounding);
    }
  }
}

TEST(Tf32, RoundingTwiceIsRoundingOnce) {
  const Counter random(11);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const auto x = static_cast<std::uint32_t>(random.bits(i));
    for (const Rounding rounding : roundings) {
      const std::uint32_t once = round_to_tf32(x, rounding);
      ASSERT_EQ(once & tf32_dropped_bits, 0U) << std::hex << x;
      for (const Rounding again : roundings)
        ASSERT_EQ(round_to_tf32(once, again), once) << std::hex << x;
    }
  }
}

TEST(TensorCore, IgnoresTheLowBitsOfItsOperands) {
  const Counter random(12);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    std::uint32_t a[8], b[8], raw_a[8], raw_b[8];
    for (std::uint64_t k = 0; k < 8; ++k) {
      raw_a[k] = static_cast<std::uint32_t>(random.bits(i * 32 + k));
      raw_b[k] = static_cast<std::uint32_t>(random.bits(i * 32 + 8 + k));
      a[k] = round_to_tf32(raw_a[k], Rounding::truncate);
      b[k] = round_to_tf32(raw_b[k], Rounding::truncate);
    }
    const auto c = static_cast<std::uint32_t>(random.bits(i * 32 + 16));
    for (const TensorCore& core : {k4f24, k8f25}) {
      ASSERT_EQ(tensor_core_step(core, raw_a, raw_b, c), tensor_core_step(core, a, b, c)) << i;
    }
  }
}

TEST(TensorCore, AddsTheTermsOfAStepInNoOrder) {
  const Counter random(13);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    std::uint32_t a[8], b[8];
    for (std::uint64_t k = 0; k < 8; ++k) {
      a[k] = std::bit_cast<std::uint32_t>(static_cast<float>(random.normal(i * 32 + k)));
      b[k] = std::bit_cast<std::uint32_t>(static_cast<float>(random.normal(i * 32 + 8 + k)));
    }
    const auto c = std::bit_cast<std::uint32_t>(static_cast<float>(random.normal(i * 32 + 16)));
    for (const TensorCore& core : {k4f24, k8f25}) {
      const std::uint32_t forward = tensor_core_step(core, a, b, c);
      std::reverse(a, a + core.block);
      std::reverse(b, b + core.block);
      ASSERT_EQ(tensor_core_step(core, a, b, c), forward) << i;
    }
  }
}

/// What lets an implementation leave out a group whose products are all zero.
TEST(TensorCore, ZeroProductsPassEveryAccumulatorButMinusZeroAndNaN) {
  const std::uint32_t zeros[8] = {0, 0x80000000U, 0, 0, 0x80000000U, 0, 0, 0};
  const std::uint32_t finite[8] = {0x3f800000, 0xbf800000, 0, 1, 0x7f7fffff, 0x00800000, 0, 0};
  const Counter random(14);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const auto c = static_cast<std::uint32_t>(random.bits(i));
    const bool nan = (c & 0x7fffffffU) > 0x7f800000U;
    for (const TensorCore& core : {k4f24, k8f25}) {
      ASSERT_EQ(tensor_core_step(core, zeros, finite, c), nan ? 0x7fffffffU : c) << std::hex << c;
    }
  }
  for (const TensorCore& core : {k4f24, k8f25}) {
    EXPECT_EQ(tensor_core_step(core, zeros, finite, 0x80000000U), 0U);
  }
}

TEST(TensorCore, FillsAShortStepUpWithZeros) {
  const std::vector<std::uint32_t> a{0x3f800000, 0x40000000, 0x40400000},
      b{0x3f800000, 0x3f800000, 0x3f800000};
  for (const TensorCore& core : {k4f24, k8f25}) {
    std::vector<std::uint32_t> full_a = a, full_b = b;
    full_a.resize(static_cast<std::size_t>(core.block));
    full_b.resize(static_cast<std::size_t>(core.block));
    EXPECT_EQ(tensor_core_dot(core, a, b), 0x40c00000U);
    EXPECT_EQ(tensor_core_dot(core, full_a, full_b), 0x40c00000U);
  }
}

/// Four products are one whole step of k4f24: a second one, of zeros, would turn the -0 into +0.
TEST(TensorCore, RunsNoStepThatNobodyAskedFor) {
  const std::vector<std::uint32_t> a{0x17800000, 0, 0, 0}, b{0x9a000000, 0, 0, 0};  // 2^-80, -2^-75
  EXPECT_EQ(tensor_core_dot(k4f24, a, b), 0x80000000U);
  const std::vector<std::uint32_t> longer_a{0x17800000, 0, 0, 0, 0},
      longer_b{0x9a000000, 0, 0, 0, 0};
  EXPECT_EQ(tensor_core_dot(k4f24, longer_a, longer_b), 0U);
}

TEST(TensorCore, IsDefinedForTensorAlgorithmsOnly) {
  EXPECT_EQ(tensor_core(Algorithm::tensor_k4f24).block, 4);
  EXPECT_EQ(tensor_core(Algorithm::tensor_k8f25).block, 8);
  EXPECT_THROW(tensor_core(Algorithm::chain), Error);
}

}  // namespace
}  // namespace parity
