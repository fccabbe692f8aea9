#include "cuda/facts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/tf32.hpp"
#include "tests/simt/simulated_api.hpp"

namespace parity::cuda {
namespace {

template <class F>
std::vector<float> answers(F product) {
  std::vector<float> all;
  for (const ProductProbe& probe : product_probes()) all.push_back(product(probe.x, probe.y));
  return all;
}

ProductMath with_rounding(Rounding rounding) {
  return classify(answers([&](float x, float y) {
    return float_of(round_to_tf32(bits_of(x), rounding)) *
           float_of(round_to_tf32(bits_of(y), rounding));
  }));
}

/// A float32 as the sum of three BF16 numbers, each the nearest to what is left.
std::array<float, 3> pieces(float x) {
  std::array<float, 3> result{};
  for (float& piece : result) {
    const std::uint32_t bits = bits_of(x);
    piece = float_of((bits + 0x7fffU + (bits >> 16 & 1U)) & 0xffff0000U);
    x -= piece;
  }
  return result;
}

TEST(SimtFacts, AProductTellsItsArithmetic) {
  EXPECT_EQ(classify(answers([](float x, float y) { return x * y; })), ProductMath::fp32);
  EXPECT_EQ(with_rounding(Rounding::rna), ProductMath::tf32_rna);
  EXPECT_EQ(with_rounding(Rounding::rn), ProductMath::tf32_rn);
  EXPECT_EQ(with_rounding(Rounding::truncate), ProductMath::tf32_truncate);
  // Nine products of pieces, the smallest first, each sum cut toward zero as a tensor core cuts it.
  const ProductMath nine = classify(answers([](float x, float y) {
    const auto a = pieces(x), b = pieces(y);
    float sum = 0;
    for (int level = 4; level >= 0; --level)
      for (int i = 0; i < 3; ++i) {
        const int j = level - i;
        if (j < 0 || j > 2) continue;
        const double exact = static_cast<double>(sum) + static_cast<double>(a[i]) * b[j];
        float cut = static_cast<float>(exact);
        if (std::fabs(static_cast<double>(cut)) > std::fabs(exact)) cut = std::nextafterf(cut, 0);
        sum = cut;
      }
    return sum;
  }));
  EXPECT_EQ(nine, ProductMath::emulated);
  EXPECT_EQ(classify(answers([](float, float) { return 0.0F; })), ProductMath::unknown);
}

TEST(SimtFacts, ADeviceIsListedWithWhatItIs) {
  simt::SimulatedApi api(90);
  const Availability here = availability_of(api);
  ASSERT_EQ(here.devices.size(), 1U);
  EXPECT_EQ(here.why, "");
  EXPECT_EQ(here.devices[0].why, "");
  EXPECT_NE(here.devices[0].name.find("sm_90"), std::string::npos) << here.devices[0].name;
}

TEST(SimtFacts, WithoutADriverTheReasonNamesTheAlternative) {
  simt::SimulatedApi api;
  api.fail_call(1, 35);  // cudaErrorInsufficientDriver
  const Availability here = availability_of(api);
  EXPECT_TRUE(here.devices.empty());
  EXPECT_NE(here.why.find("cpu:tf32@sm_90"), std::string::npos) << here.why;
}

TEST(SimtFacts, AnOldDeviceIsRefused) {
  simt::SimulatedApi api(70);
  const Availability here = availability_of(api);
  ASSERT_EQ(here.devices.size(), 1U);
  EXPECT_NE(here.devices[0].why.find("sm_75"), std::string::npos);
  EXPECT_NE(here.why, "");
}

}  // namespace
}  // namespace parity::cuda
