#include "model/arithmetic/conversion.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace parity {
namespace {

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                       most = std::numeric_limits<std::int64_t>::max();

TEST(Conversion, CutsTowardZero) {
  EXPECT_EQ(truncated(1.9F, least, most), 1);
  EXPECT_EQ(truncated(-1.9F, least, most), -1);
  EXPECT_EQ(truncated(-0.0F, least, most), 0);
  EXPECT_EQ(truncated(0x1.fffffep62, least, most), 0x7fffff8000000000);
}

TEST(Conversion, HoldsToTheRange) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(truncated(0x1p63F, least, most), most);
  EXPECT_EQ(truncated(-0x1p63F, least, most), least);
  EXPECT_EQ(truncated(infinity, least, most), most);
  EXPECT_EQ(truncated(-infinity, least, most), least);
  EXPECT_EQ(truncated(std::numeric_limits<float>::quiet_NaN(), least, most), 0);
  EXPECT_EQ(truncated(0x1p31F, -0x80000000LL, 0x7fffffffLL), 0x7fffffff);
  EXPECT_EQ(truncated(-0x1p40F, -0x80000000LL, 0x7fffffffLL), -0x80000000LL);
  EXPECT_EQ(truncated(2147483646.5, -0x80000000LL, 0x7fffffffLL), 2147483646);
}

TEST(Conversion, AnIntegerKeepsItsLow32Bits) {
  EXPECT_EQ(low_32_bits(0x1'0000'0001), 1);
  EXPECT_EQ(low_32_bits(0x8000'0000), -0x80000000LL);
  EXPECT_EQ(low_32_bits(-1), -1);
}

}  // namespace
}  // namespace parity
