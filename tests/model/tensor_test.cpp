#include "model/tensor.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include "model/arithmetic/bits.hpp"

namespace parity {
namespace {

template <class T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
static_assert(!Comparable<Tensor>, "say same_bits(a, b)");

TEST(Tensor, SameBitsReadsEveryNanAsOneAndTellsSignedZerosApart) {
  const float other_nan = float_of(0xffc00001U);
  const Tensor a = Tensor::of<float>({2}, {other_nan, 0.0F});
  EXPECT_TRUE(same_bits(a, Tensor::of<float>({2}, {std::nanf(""), 0.0F})));
  EXPECT_FALSE(same_bits(a, Tensor::of<float>({2}, {other_nan, -0.0F})));
  EXPECT_FALSE(same_bits(a, Tensor::of<float>({1, 2}, {other_nan, 0.0F})));
}

TEST(Tensor, WhatEntersHasOneNan) {
  const Tensor in = Tensor::of<float>({3}, {1.0F, float_of(0x7f800001U), -0.0F});
  const Tensor out = with_canonical_nan(in);
  EXPECT_EQ(bits_of(out.values<float>()[1]), nan_bits32);
  EXPECT_EQ(bits_of(out.values<float>()[2]), bits_of(-0.0F));
  EXPECT_EQ(with_canonical_nan(out).data(), out.data())
      << "nothing to change, so the elements are shared";
}

TEST(Tensor, ReadingAsAnotherTypeIsRefused) {
  EXPECT_THROW((void)Tensor::of<float>({1}, {1.0F}).values<double>(), Error);
}

TEST(Tensor, ElementsMustFitTheShape) {
  EXPECT_THROW((void)Tensor::of<float>({2, 2}, {1.0F}), Error);
}

TEST(Shape, ProductsThatOverflowAreRefusedBeforeAnyAllocation) {
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(element_count({big, 2}), Error);
  EXPECT_THROW(element_count({std::int64_t{1} << 32, std::int64_t{1} << 32}), Error);
  EXPECT_THROW(element_count({2, -1}), Error);
  EXPECT_EQ(element_count({0, 3}), 0);
  EXPECT_EQ(element_count({}), 1);
}

TEST(Tensor, ConversionToFloatRoundsToNearestEven) {
  const double halfway = 1.0 + 0x1p-24;
  const Tensor converted = to_float32(Tensor::of<double>({2}, {halfway, 1.0 + 0x1.8p-23}));
  EXPECT_EQ(converted.values<float>()[0], 1.0F);
  EXPECT_EQ(converted.values<float>()[1], 1.0F + 0x1p-22F);
}

}  // namespace
}  // namespace parity
