#include <gtest/gtest.h>

#include <vector>

#include "cpu/mac/mac.hpp"
#include "model/arithmetic/fill.hpp"
#include "tests/cpu/reference.hpp"

namespace parity::cpu {
namespace {

std::vector<float> operands(std::int64_t count, Fill fill, std::uint64_t seed) {
  const Tensor made = filled({Type::float32, {count}}, fill, seed);
  return {made.values<float>().begin(), made.values<float>().end()};
}

std::vector<Window> windows() {
  Window padded{2, 2, 5, 9, 8, 7, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1};
  Window long_rows{1, 1, 300, 40, 40, 20, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1};
  Window product{130, 1, 77, 1, 1, 33, 1, 1};
  Window up{1, 1, 6, 4, 4, 7, 9, 9, 3, 3, 2, 2, 0, 0, 1, 1, Window::Direction::transposed};
  Window gaps{1, 1, 6, 3, 3, 7, 7, 7, 1, 1, 3, 3, 0, 0, 1, 1, Window::Direction::transposed};
  return {padded, long_rows, product, up, gaps};
}

std::vector<float> computed(const Window& w, const std::vector<float>& x,
                            const std::vector<float>& data, const Epilogue<float>& epilogue,
                            int threads) {
  const std::int64_t taps = w.KH * w.KW;
  const auto packed = pack_eigen(w, {data.data(), w.OC * w.IC * taps, 1, taps, w.IC * taps});
  std::vector<float> y(static_cast<std::size_t>(w.N * w.OH * w.OW * w.G * w.OC), -12345.678F);
  run_eigen(w, x.data(), *packed, epilogue, y.data(), {threads, InstructionSet::best, 0});
  return y;
}

/// Small integers: every order of summation gives the same float.
TEST(GemmEigen, EqualsTheReferenceOnExactData) {
  for (const Window& w : windows()) {
    const std::int64_t taps = w.KH * w.KW;
    const auto x = operands(w.N * w.IH * w.IW * w.G * w.IC, Fill::exact, 1);
    const auto data = operands(w.G * w.OC * w.IC * taps, Fill::exact, 2);
    const auto expected = reference::multiply_accumulate(
        w, x, Weights<float>{data.data(), w.OC * w.IC * taps, 1, taps, w.IC * taps});
    EXPECT_EQ(computed(w, x, data, {}, 2), expected);
  }
}

TEST(GemmEigen, ThreadsAndRunsNeverChangeBits) {
  for (const Window& w : windows()) {
    const auto x = operands(w.N * w.IH * w.IW * w.G * w.IC, Fill::real, 3);
    const auto data = operands(w.G * w.OC * w.IC * w.KH * w.KW, Fill::real, 4);
    const Epilogue<float> epilogue{{EpilogueStep<float>::Kind::add, {0.5F}, {}},
                                   {EpilogueStep<float>::Kind::relu, {}, {}}};
    const auto once = computed(w, x, data, epilogue, 1);
    for (const int threads : {1, 2, 7}) EXPECT_EQ(computed(w, x, data, epilogue, threads), once);
  }
}

}  // namespace
}  // namespace parity::cpu
