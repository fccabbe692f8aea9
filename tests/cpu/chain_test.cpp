#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "cpu/mac/instruction_set.hpp"
#include "cpu/mac/kernel.hpp"
#include "cpu/mac/mac.hpp"
#include "cpu/mac/walk.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/error.hpp"
#include "tests/cpu/reference.hpp"
#include "tests/cpu/windows.hpp"
#include "tests/model/locked_functions.hpp"

namespace parity::cpu {
namespace {

struct NamedWindow {
  std::string name;
  Window window;
};

std::vector<NamedWindow> windows() {
  std::vector<NamedWindow> all;
  const auto base = [](std::int64_t IC, std::int64_t OC) {
    return convolution(2, 1, IC, OC, 7, 9, 3, 3);
  };
  all.push_back({"plain", base(8, 16)});
  all.push_back({"padded", padded(base(16, 64), 1, 1, 1, 1)});
  all.push_back({"stride2", padded(base(33, 17), 1, 1, 1, 1, 2)});
  all.push_back({"stride3", padded(base(4, 65), 2, 1, 0, 2, 3)});
  all.push_back({"dilation2", padded(base(5, 20), 2, 2, 2, 2, 1, 2)});
  all.push_back({"dilation2_stride2", padded(base(35, 9), 3, 2, 1, 2, 2, 2)});
  all.push_back({"asymmetric", padded(convolution(1, 1, 3, 5, 6, 5, 2, 4), 0, 3, 2, 1)});
  all.push_back({"mostly_padding", padded(convolution(1, 1, 2, 18, 2, 2, 3, 3), 4, 4, 4, 4)});
  all.push_back({"narrow_row", padded(convolution(2, 1, 6, 7, 5, 1, 3, 1), 1, 0, 1, 0)});
  all.push_back({"one_dimensional", padded(convolution(2, 1, 6, 24, 1, 50, 1, 7), 0, 0, 0, 0, 3)});
  for (const std::int64_t IC : {1, 2, 31, 32, 33, 64, 70, 96})
    all.push_back({"k_tail_ic" + std::to_string(IC),
                   padded(convolution(1, 1, IC, 19, 5, 6, 3, 2), 1, 1, 1, 0)});
  for (const std::int64_t OC : {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 97, 112, 130})
    all.push_back({"panel_oc" + std::to_string(OC),
                   padded(convolution(1, 1, 9, OC, 5, 5, 2, 2), 1, 0, 0, 1)});
  all.push_back({"groups", padded(convolution(2, 4, 8, 12, 5, 6, 3, 3), 1, 1, 1, 1)});
  all.push_back({"groups_uneven", padded(convolution(1, 3, 37, 5, 4, 4, 3, 3), 1, 1, 1, 1, 2)});
  all.push_back({"groups_multiplier", padded(convolution(1, 6, 1, 3, 6, 5, 3, 3), 1, 1, 1, 1)});
  for (const std::int64_t G : {2, 15, 16, 17, 64, 65, 100})
    all.push_back({"depthwise" + std::to_string(G),
                   padded(convolution(2, G, 1, 1, 6, 11, 3, 3), 1, 1, 1, 1)});
  all.push_back({"depthwise7x7", padded(convolution(1, 40, 1, 1, 9, 9, 7, 7), 3, 3, 3, 3, 2)});
  all.push_back({"pointwise", convolution(2, 1, 40, 70, 5, 7, 1, 1)});
  for (const std::int64_t M : {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 17, 33})
    all.push_back({"product_m" + std::to_string(M), product(M, 50, 130)});
  for (const std::int64_t M : {1, 3, 7, 9, 13, 17})
    for (const std::int64_t columns : {10, 20, 40})
      all.push_back({"product_m" + std::to_string(M) + "_n" + std::to_string(columns),
                     product(M, 65, columns)});
  all.push_back({"product_long", product(7, 3000, 33)});
  all.push_back({"transposed_2x2_s2", transposed(base(12, 20), 2, 2, 0, 0, 0, 0)});
  all.push_back({"transposed_3x3_s2", transposed(base(33, 64), 2, 2, 1, 1, 1, 1)});
  all.push_back({"transposed_3x3_s1", transposed(base(5, 17), 1, 1, 1, 1, 1, 1)});
  // Stride beyond the kernel: outputs that no tap reaches.
  all.push_back(
      {"transposed_gaps", transposed(convolution(1, 1, 6, 9, 3, 4, 2, 2), 3, 4, 0, 0, 0, 0)});
  all.push_back(
      {"transposed_dilated", transposed(convolution(1, 1, 7, 5, 4, 3, 3, 3), 2, 3, 1, 0, 2, 1, 2)});
  all.push_back(
      {"transposed_groups", transposed(convolution(2, 3, 4, 6, 4, 4, 4, 4), 2, 2, 1, 1, 1, 1)});
  all.push_back(
      {"transposed_depthwise", transposed(convolution(1, 20, 1, 1, 4, 5, 4, 4), 2, 2, 1, 1, 1, 1)});
  // Sums of more than 256 terms whose chunks end inside a tap's channels, between taps and blocks.
  all.push_back({"chunk_inside_tap", padded(convolution(1, 1, 20, 19, 5, 6, 7, 7), 3, 3, 3, 3)});
  all.push_back({"chunk_exact", convolution(1, 1, 128, 17, 3, 3, 2, 2)});
  all.push_back({"chunk_one_more", product(5, 257, 20)});
  all.push_back(
      {"chunk_transposed", transposed(convolution(1, 1, 70, 18, 3, 4, 5, 5), 2, 2, 1, 1, 1, 1)});
  all.push_back(
      {"chunk_depthwise", padded(convolution(1, 18, 1, 1, 20, 18, 17, 17), 8, 8, 0, 8, 4)});
  all.push_back({"no_channels", convolution(1, 1, 0, 5, 3, 3, 1, 1)});
  all.push_back({"no_items", convolution(0, 1, 3, 5, 3, 3, 1, 1)});
  return all;
}

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
Bits<T> canonical(T value) {
  return value != value ? ~Bits<T>{0} : std::bit_cast<Bits<T>>(value);
}

/// The first index at which the bits differ, every NaN being one value; the size when they are the
/// same.
template <class T>
std::size_t first_difference(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (canonical(a[i]) != canonical(b[i])) return i;
  return a.size();
}

template <class T>
::testing::AssertionResult same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  const std::size_t i = first_difference(a, b);
  if (i == a.size() && a.size() == b.size()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "element " << i << " of " << a.size() << ": " << std::hexfloat << double(a.at(i))
         << " against " << double(b.at(i));
}

template <class T>
std::vector<T> computed(const Window& w, const std::vector<T>& x, const Packed& packed,
                        const Epilogue<T>& epilogue, const Execution& execution,
                        Summation summation = Summation::chain) {
  // Poisoned: an output that nobody writes shows.
  std::vector<T> y(static_cast<std::size_t>(output_size(w)), T(-12345.678F));
  if constexpr (sizeof(T) == sizeof(float)) {
    const auto run = summation == Summation::chain ? run_chain : run_chunk256;
    run(w, x.data(), packed, epilogue, y.data(), execution);
  } else {
    run_fp64(w, x.data(), packed, epilogue, y.data(), execution);
  }
  return y;
}

template <class T>
std::unique_ptr<const Packed> packed(const Window& w, const Weights<float>& weights) {
  if constexpr (sizeof(T) == sizeof(float))
    return pack_chain(w, weights);
  else
    return pack_fp64(w, weights);
}

template <class T>
Epilogue<T> every_step(std::int64_t channels) {
  using Kind = typename EpilogueStep<T>::Kind;
  const auto some = [&](std::uint64_t seed) { return operands<T>(channels, Fill::real, seed); };
  return {{Kind::add, some(11), {}},   {Kind::fma, some(12), some(13)},   {Kind::relu, {}, {}},
          {Kind::mul, {T(0.75F)}, {}}, {Kind::fma, {T(-1.5F)}, some(14)}, {Kind::sigmoid, {}, {}},
          {Kind::mul, some(15), {}}};
}

/// The widths that a processor of this architecture may have, widest last.
std::vector<InstructionSet> widths() {
#if defined(__x86_64__)
  return {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512};
#else
  return {InstructionSet::scalar, InstructionSet::neon};
#endif
}

/// Those of vectors.
std::vector<InstructionSet> vector_widths() {
  const std::vector<InstructionSet> all = widths();
  return {all.begin() + 1, all.end()};
}

std::string width_name(const ::testing::TestParamInfo<InstructionSet>& info) {
  return std::string(name(info.param));
}

class EveryWidth : public ::testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!has(GetParam()))
      GTEST_SKIP() << "this processor has no " << name(GetParam()) << " instructions";
  }
};

template <class T>
void equals_the_reference(InstructionSet set, Summation summation = Summation::chain) {
  const std::int64_t chunk =
      summation == Summation::chain ? std::numeric_limits<std::int64_t>::max() : std::int64_t{256};
  int ran = 0;
  for (const auto& [name, w] : windows()) {
    for (const Fill fill : {Fill::exact, Fill::real, Fill::hostile}) {
      const std::vector<T> x = operands<T>(input_size(w), fill, 1);
      const std::vector<float> data = operands<float>(weight_size(w), fill, 2);
      const Weights<float> weights = onnx_order(w, data.data());
      const std::vector<T> expected = reference::multiply_accumulate(w, x, weights, chunk);
      const auto image = packed<T>(w, weights);
      for (const int threads : {1, 2, 7}) {
        EXPECT_TRUE(
            same_bits(computed<T>(w, x, *image, {}, {threads, set, 0}, summation), expected))
            << name << ", fill " << int(fill) << ", threads " << threads;
        ++ran;
      }
    }
  }
  EXPECT_GT(ran, 0);
}

TEST_P(EveryWidth, ChainEqualsTheReferenceBitForBit) { equals_the_reference<float>(GetParam()); }
TEST_P(EveryWidth, Chunk256EqualsTheReferenceBitForBit) {
  equals_the_reference<float>(GetParam(), Summation::chunk256);
}
TEST_P(EveryWidth, Fp64EqualsTheReferenceBitForBit) { equals_the_reference<double>(GetParam()); }

/// x with seven in eight pixels made zeros of either sign.
template <class T>
std::vector<T> sparse(const Window& w, std::vector<T> x) {
  const std::int64_t channels = w.G * w.IC;
  for (std::int64_t i = 0; i < std::ssize(x); ++i)
    if (i / channels % 8 != 3) x[static_cast<std::size_t>(i)] = i % 3 == 0 ? T{-0.0} : T{0};
  return x;
}

template <class T>
void zero_taps_change_no_bit(InstructionSet set) {
  for (const auto& [name, w] : windows()) {
    for (const Fill fill : {Fill::real, Fill::hostile}) {
      const std::vector<T> x = sparse(w, operands<T>(input_size(w), fill, 21));
      const std::vector<float> data = operands<float>(weight_size(w), fill, 22);
      const Weights<float> weights = onnx_order(w, data.data());
      const auto image = packed<T>(w, weights);
      EXPECT_TRUE(same_bits(computed<T>(w, x, *image, {}, {2, set, 0}),
                            reference::multiply_accumulate(w, x, weights)))
          << name << ", fill " << int(fill);
    }
  }
}

TEST_P(EveryWidth, ZeroTapsChangeNoBit) { zero_taps_change_no_bit<float>(GetParam()); }
TEST_P(EveryWidth, ZeroTapsChangeNoBitOfFp64) { zero_taps_change_no_bit<double>(GetParam()); }

template <class T>
void fused_equals_unfused(InstructionSet set, Summation summation = Summation::chain) {
  for (const auto& [name, w] : windows()) {
    for (const Fill fill : {Fill::real, Fill::hostile}) {
      const std::vector<T> x = operands<T>(input_size(w), fill, 3);
      const std::vector<float> data = operands<float>(weight_size(w), fill, 4);
      const auto image = packed<T>(w, onnx_order(w, data.data()));
      const std::int64_t channels = w.G * w.OC;
      const Epilogue<T> epilogue = every_step<T>(channels);
      const std::vector<T> fused = computed<T>(w, x, *image, epilogue, {2, set, 0}, summation);
      std::vector<T> unfused = computed<T>(w, x, *image, {}, {1, set, 0}, summation);
      for (std::size_t i = 0; i < unfused.size(); i += static_cast<std::size_t>(channels))
        apply(epilogue, unfused.data() + i, channels, 0, InstructionSet::scalar);
      EXPECT_TRUE(same_bits(fused, unfused)) << name << ", fill " << int(fill);
    }
  }
}

TEST_P(EveryWidth, FusingAnEpilogueNeverChangesBits) { fused_equals_unfused<float>(GetParam()); }
TEST_P(EveryWidth, FusingAnEpilogueNeverChangesBitsOfChunk256) {
  fused_equals_unfused<float>(GetParam(), Summation::chunk256);
}
TEST_P(EveryWidth, FusingAnEpilogueNeverChangesBitsOfFp64) {
  fused_equals_unfused<double>(GetParam());
}

void an_item_has_the_same_bits_in_every_batch(InstructionSet set, Summation summation) {
  for (const auto& [name, one] : windows()) {
    if (one.N == 0) continue;
    Window five = one;
    five.N = 5;
    const std::vector<float> x = operands<float>(input_size(five), Fill::real, 5);
    const std::vector<float> data = operands<float>(weight_size(five), Fill::real, 6);
    const auto image = packed<float>(five, onnx_order(five, data.data()));
    const std::vector<float> all = computed<float>(five, x, *image, {}, {2, set, 0}, summation);
    const std::int64_t in = input_size(five) / 5, out = output_size(five) / 5;
    for (const std::int64_t batch : {1, 2}) {
      for (std::int64_t first = 0; first + batch <= 5; ++first) {
        Window part = one;
        part.N = batch;
        const std::vector<float> items(x.begin() + first * in, x.begin() + (first + batch) * in);
        const std::vector<float> expected(all.begin() + first * out,
                                          all.begin() + (first + batch) * out);
        EXPECT_TRUE(
            same_bits(computed<float>(part, items, *image, {}, {1, set, 0}, summation), expected))
            << name << ", items " << first << " to " << first + batch - 1;
      }
    }
  }
}

TEST_P(EveryWidth, AnItemHasTheSameBitsInEveryBatch) {
  an_item_has_the_same_bits_in_every_batch(GetParam(), Summation::chain);
}
TEST_P(EveryWidth, AnItemHasTheSameBitsInEveryBatchByChunk256) {
  an_item_has_the_same_bits_in_every_batch(GetParam(), Summation::chunk256);
}

TEST_P(EveryWidth, Chunk256IsChainUpTo256TermsAndNotBeyond) {
  int same = 0, other = 0;
  for (const auto& [name, w] : windows()) {
    const std::vector<float> x = operands<float>(input_size(w), Fill::real, 8);
    const std::vector<float> data = operands<float>(weight_size(w), Fill::real, 9);
    const auto image = packed<float>(w, onnx_order(w, data.data()));
    const Execution execution{1, GetParam(), 0};
    const std::vector<float> chain = computed<float>(w, x, *image, {}, execution);
    const std::vector<float> chunks =
        computed<float>(w, x, *image, {}, execution, Summation::chunk256);
    if (w.IC * w.KH * w.KW <= 256) {
      EXPECT_TRUE(same_bits(chunks, chain)) << name;
      ++same;
    } else if (first_difference(chunks, chain) != chain.size()) {
      ++other;
    }
  }
  EXPECT_GT(same, 20);
  EXPECT_GT(other, 5);
}

TEST_P(EveryWidth, StandaloneEpilogueEqualsScalar) {
  constexpr std::int64_t channels = 2500;
  const Epilogue<float> epilogue = every_step<float>(channels);
  for (const Fill fill : {Fill::real, Fill::hostile}) {
    for (const std::int64_t first : {0, 3}) {
      for (const std::int64_t count : {1, 7, 16, 33, 2400}) {
        const std::vector<float> x = operands<float>(count, fill, 7);
        std::vector<float> wide = x, scalar = x;
        apply(epilogue, wide.data(), count, first, GetParam());
        apply(epilogue, scalar.data(), count, first, InstructionSet::scalar);
        EXPECT_TRUE(same_bits(wide, scalar)) << count << " from " << first;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Chain, EveryWidth, ::testing::ValuesIn(widths()), width_name);

class EpilogueWidths : public EveryWidth {};

/// The sum that locks a function, by the vectors of a width, over every i = first, first + step, …
std::uint64_t vector_checksum(const LockedFunction& f, InstructionSet set, std::uint64_t first,
                              std::uint64_t step) {
  const Epilogue<float> epilogue{{f.kind, {f.a}, {f.b}}};
  constexpr std::uint64_t run = 1 << 14;
  std::vector<float> values;
  std::uint64_t sum = 0;
  for (std::uint64_t i = first; i < std::uint64_t{1} << 32;) {
    const std::uint64_t begin = i;
    values.clear();
    for (; values.size() < run && i < std::uint64_t{1} << 32; i += step)
      values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(i)));
    apply(epilogue, values.data(), static_cast<std::int64_t>(values.size()), 0, set);
    for (std::size_t k = 0; k < values.size(); ++k)
      sum += canonical_bits(values[k]) * (2 * (begin + k * step) + 1);
  }
  return sum;
}

TEST_P(EpilogueWidths, FunctionsHaveTheirSampledChecksums) {
  for (const LockedFunction& f : locked_functions)
    EXPECT_EQ(vector_checksum(f, GetParam(), sample_first, sample_step), f.sampled) << f.name;
}

INSTANTIATE_TEST_SUITE_P(Vectors, EpilogueWidths, ::testing::ValuesIn(vector_widths()), width_name);

class SlowEpilogue : public EveryWidth {};

TEST_P(SlowEpilogue, VectorFunctionsHaveTheirChecksumsOverAllInputs) {
  for (const LockedFunction& f : locked_functions)
    if (!is_wide(f.kind)) {
      EXPECT_EQ(vector_checksum(f, GetParam(), 0, 1), f.all) << f.name;
    }
}

INSTANTIATE_TEST_SUITE_P(Vectors, SlowEpilogue, ::testing::ValuesIn(vector_widths()), width_name);

TEST(Chain, ANonFiniteWeightOutsideTheImageGivesNan) {
  const Window w = padded(convolution(1, 1, 1, 1, 2, 2, 3, 3), 1, 1, 1, 1);
  const std::vector<float> x(4, 1.0F);
  std::vector<float> data(9, 1.0F);
  data[0] = INFINITY;  // tap (0, 0) meets padding everywhere but at output (1, 1)
  const auto image = pack_chain(w, onnx_order(w, data.data()));
  const std::vector<float> y = computed<float>(w, x, *image, {}, {});
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]));
  EXPECT_EQ(y[3], INFINITY);
}

/// Taps that the walk lists over all tiles of a window.
std::int64_t taps_listed(const Window& w, const std::vector<float>& x, ZeroTaps zero_taps) {
  std::vector<float> y(static_cast<std::size_t>(output_size(w)));
  std::int64_t taps = 0;
  const std::vector<Panel> panels{{0, 0, w.OC}};
  walk<float>(w, x.data(), y.data(), panels, 6, zero_taps, {},
              [&](const Tile<float>& tile, std::size_t, int) { taps += tile.taps; });
  return taps;
}

TEST(Chain, ZeroTapsAreLeftOutOfSparseInputsOnly) {
  const Window w = padded(convolution(1, 1, 4, 8, 40, 40, 3, 3), 1, 1, 1, 1);
  const std::vector<float> dense = operands<float>(input_size(w), Fill::real, 23);
  std::vector<float> few(dense.size());
  few[0] = 1;  // the first pixel: read by the tiles of two rows of outputs
  const std::int64_t all = taps_listed(w, dense, ZeroTaps::listed);
  EXPECT_EQ(taps_listed(w, dense, ZeroTaps::left_out), all);
  EXPECT_EQ(taps_listed(w, few, ZeroTaps::listed), all);
  EXPECT_EQ(taps_listed(w, few, ZeroTaps::left_out), 4);
}

TEST(Chain, AnOutputWithoutTapsIsPlusZero) {
  const Window w = transposed(convolution(1, 1, 1, 1, 2, 2, 1, 1), 2, 2, 0, 0, 0, 0);
  const std::vector<float> x(4, -1.0F), data(1, 1.0F);
  const auto image = pack_chain(w, onnx_order(w, data.data()));
  const std::vector<float> y = computed<float>(w, x, *image, {}, {});
  EXPECT_EQ(std::bit_cast<std::uint32_t>(y[1]), 0U);
  EXPECT_EQ(y[0], -1.0F);
}

TEST(Chain, RefusesWeightsPackedForAnotherProblem) {
  const Window w = product(1, 8, 8);
  const std::vector<float> x(16, 1.0F), data(128, 1.0F);
  std::vector<float> y(16);
  const auto image = pack_chain(w, onnx_order(w, data.data()));
  EXPECT_THROW(run_chain(product(1, 16, 8), x.data(), *image, {}, y.data(), {}), Error);
  const auto wide = pack_fp64(w, onnx_order(w, data.data()));
  EXPECT_THROW(run_chain(w, x.data(), *wide, {}, y.data(), {}), Error);
}

TEST(Chain, BestIsTheWidestThatTheProcessorHas) {
  const InstructionSet best = resolve(InstructionSet::best);
  EXPECT_TRUE(has(best));
  for (const InstructionSet wider :
       {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon}) {
    if (wider == best) break;
    EXPECT_FALSE(has(wider)) << name(wider);
  }
}

TEST(Chain, RefusesAWidthThatTheProcessorLacks) {
  int refused = 0;
  for (const InstructionSet set :
       {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon}) {
    if (has(set)) continue;
    EXPECT_THROW(resolve(set), Error);
    ++refused;
  }
  EXPECT_GT(refused, 0) << "no processor has both AVX and NEON";
}

}  // namespace
}  // namespace parity::cpu
