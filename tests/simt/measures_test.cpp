#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "cpu/backend.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "tests/simt/any_gpu.hpp"

// Digest, comparison, split, error map and elements on a GPU against the processor's, bit for bit.

namespace parity {
namespace {

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

void expect_same(const std::optional<ElementPair>& a, const std::optional<ElementPair>& b,
                 const char* what) {
  ASSERT_EQ(a.has_value(), b.has_value()) << what;
  if (!a) return;
  EXPECT_EQ(a->index, b->index) << what;
  EXPECT_EQ(a->a_bits, b->a_bits) << what;
  EXPECT_EQ(a->b_bits, b->b_bits) << what;
}

void expect_same(const Comparison& a, const Comparison& b) {
  EXPECT_EQ(a.elements, b.elements);
  EXPECT_EQ(a.informative, b.informative);
  EXPECT_EQ(a.differing, b.differing);
  EXPECT_EQ(a.nan_mismatches, b.nan_mismatches);
  EXPECT_EQ(a.infinity_mismatches, b.infinity_mismatches);
  EXPECT_EQ(a.signed_zero_mismatches, b.signed_zero_mismatches);
  EXPECT_EQ(bits(a.max_abs), bits(b.max_abs));
  EXPECT_EQ(bits(a.mean_abs), bits(b.mean_abs));
  EXPECT_EQ(bits(a.max_rel), bits(b.max_rel));
  EXPECT_EQ(bits(a.rms), bits(b.rms));
  EXPECT_EQ(bits(a.rms_a), bits(b.rms_a));
  EXPECT_EQ(bits(a.rms_b), bits(b.rms_b));
  EXPECT_EQ(bits(a.cosine), bits(b.cosine));
  expect_same(a.first, b.first, "first");
  expect_same(a.worst, b.worst, "worst");
  EXPECT_EQ(a.ulp_histogram, b.ulp_histogram);
  EXPECT_EQ(a.judged, b.judged);
  EXPECT_EQ(bits(a.worst_share), bits(b.worst_share));
  EXPECT_EQ(a.beyond, b.beyond);
  EXPECT_EQ(a.uninformative_bounds, b.uninformative_bounds);
  expect_same(a.worst_judged, b.worst_judged, "worst judged");
  EXPECT_EQ(bits(a.worst_bound), bits(b.worst_bound));
}

std::vector<float> to_vector(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

bool same_floats(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return canonical_bits(x) == canonical_bits(y);
         });
}

/// `tensor` with some elements moved by a few ULP, and some with other special values.
Tensor disturbed(const Tensor& tensor, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values = to_vector(tensor);
  for (float& value : values) {
    const std::uint64_t draw = random();
    auto word = std::bit_cast<std::uint32_t>(value);
    if (draw % 7 == 0) word ^= static_cast<std::uint32_t>(draw >> 32) & 0x1ffU;
    if (draw % 997 == 0) word ^= 0x80000000U;
    value = std::bit_cast<float>(word);
  }
  return with_canonical_nan(Tensor::of(tensor.shape(), std::move(values)));
}

struct Sides {
  cpu::CpuBackend cpu;
  test::AnyGpu gpu = test::any_gpu();
  Execution execution{1};

  struct Both {
    Value cpu, gpu;
  };
  Both upload(const Tensor& tensor, Layout layout) {
    return {cpu::with_layout(cpu.upload(tensor, execution), layout, execution),
            cuda::with_layout(gpu.backend->upload(tensor, execution), layout, gpu.session())};
  }
};

const std::vector<Shape> shapes = {
    {}, {1}, {5000}, {70, 90}, {3, 40, 130}, {2, 33, 11, 17}, {0, 4, 3, 3}};

TEST(GpuMeasures, HaveTheProcessorsBitsForEveryShapeTypeAndLayout) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  int compared = 0;
  int schedule = 0;
  for (const Shape& shape : shapes)
    for (const Fill fill : {Fill::exact, Fill::real, Fill::hostile})
      for (const Layout layout_b : {Layout::row_major, Layout::channels_last})
        for (const int doubles : {0, 1, 2}) {
          Sides sides;
          sides.gpu.schedule(schedule++ % test::schedule_count());
          const Tensor x = with_canonical_nan(filled({Type::float32, shape}, fill, 1));
          const Tensor y = disturbed(x, 2);
          const Tensor z = disturbed(x, 3);
          const auto a = sides.upload(doubles > 0 ? to_float64(x) : x, Layout::channels_last);
          const auto b = sides.upload(doubles > 1 ? to_float64(y) : y, layout_b);
          const auto l = sides.upload(z, Layout::row_major);
          std::vector<float> magnitudes = to_vector(filled({Type::float32, shape}, fill, 4));
          for (float& m : magnitudes) m = std::fabs(m);
          const auto m = sides.upload(Tensor::of(shape, std::move(magnitudes)), layout_b);
          SCOPED_TRACE(to_string(shape) + ", fill " + std::to_string(static_cast<int>(fill)) +
                       ", doubles " + std::to_string(doubles));
          const Allowance allowance{0x1p-20, 0x1p-140};
          EXPECT_EQ(sides.cpu.digest(a.cpu, sides.execution),
                    sides.gpu.backend->digest(a.gpu, sides.execution));
          EXPECT_EQ(sides.cpu.digest(b.cpu, sides.execution),
                    sides.gpu.backend->digest(b.gpu, sides.execution));
          expect_same(sides.cpu.compare(a.cpu, b.cpu, nullptr, {}, sides.execution),
                      sides.gpu.backend->compare(a.gpu, b.gpu, nullptr, {}, sides.execution));
          expect_same(sides.cpu.compare(a.cpu, b.cpu, &m.cpu, allowance, sides.execution),
                      sides.gpu.backend->compare(a.gpu, b.gpu, &m.gpu, allowance, sides.execution));
          expect_same(sides.cpu.compare(b.cpu, b.cpu, &m.cpu, allowance, sides.execution),
                      sides.gpu.backend->compare(b.gpu, b.gpu, &m.gpu, allowance, sides.execution));
          const Split s = sides.cpu.split(a.cpu, l.cpu, b.cpu, sides.execution),
                      t = sides.gpu.backend->split(a.gpu, l.gpu, b.gpu, sides.execution);
          EXPECT_EQ(bits(s.introduced), bits(t.introduced));
          EXPECT_EQ(bits(s.inherited), bits(t.inherited));
          EXPECT_EQ(bits(s.accumulated), bits(t.accumulated));
          EXPECT_EQ(bits(s.introduced_on_accumulated), bits(t.introduced_on_accumulated));
          EXPECT_EQ(bits(s.inherited_on_accumulated), bits(t.inherited_on_accumulated));
          EXPECT_EQ(bits(s.norm_a), bits(t.norm_a));
          const Accumulation u = sides.cpu.accumulate(a.cpu, l.cpu, b.cpu, sides.execution);
          expect_same(u.comparison, sides.cpu.compare(a.cpu, b.cpu, nullptr, {}, sides.execution));
          EXPECT_EQ(bits(u.split.introduced), bits(s.introduced));
          EXPECT_EQ(bits(u.split.inherited_on_accumulated), bits(s.inherited_on_accumulated));
          EXPECT_EQ(bits(u.split.norm_a), bits(s.norm_a));
          const ErrorMap p = sides.cpu.map(a.cpu, b.cpu, sides.execution),
                         q = sides.gpu.backend->map(a.gpu, b.gpu, sides.execution);
          EXPECT_TRUE(same_floats(p.heat, q.heat));
          EXPECT_TRUE(same_floats(p.channel_max, q.channel_max));
          if (x.size() > 0) {
            const std::vector<std::int64_t> at{0, x.size() / 2, x.size() - 1};
            const auto from_cpu = sides.cpu.elements(b.cpu, at),
                       from_gpu = sides.gpu.backend->elements(b.gpu, at);
            for (std::size_t i = 0; i < at.size(); ++i)
              EXPECT_EQ(bits(from_cpu[i]), bits(from_gpu[i]));
          }
          if (testing::Test::HasFailure()) return;
          ++compared;
        }
  EXPECT_GT(compared, 0);
}

TEST(GpuMeasures, IntegersAndBooleansHaveTheProcessorsDigest) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  Sides sides;
  const Tensor integers = Tensor::of<std::int64_t>({2, 3}, {1, -2, 3, 4, 5, std::int64_t{1} << 60});
  const Tensor flags = Tensor::of<std::uint8_t>({4}, {1, 0, 0, 1});
  for (const Tensor& tensor : {integers, flags})
    EXPECT_EQ(sides.cpu.digest(sides.cpu.upload(tensor, sides.execution), sides.execution),
              sides.gpu.backend->digest(sides.gpu.backend->upload(tensor, sides.execution),
                                        sides.execution));
}

}  // namespace
}  // namespace parity
