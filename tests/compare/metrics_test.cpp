#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "cpu/compare.hpp"
#include "cpu/mac/instruction_set.hpp"
#include "cpu/storage.hpp"
#include "model/arithmetic/digest.hpp"
#include "model/arithmetic/fill.hpp"

// The kernels of the differ against the definitions of CONTRACTS section 6, written as plainly as
// possible.

namespace parity {
namespace {

using cpu::Layout;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The tensor as a CPU value in a layout.
Value stored(const Tensor& tensor, Layout layout) {
  cpu::Fresh fresh(tensor.type(), Layout::row_major);
  if (tensor.size() > 0)  // memcpy may not be handed a null pointer, even for nothing
    std::memcpy(fresh.data<char>(), tensor.data(), tensor.size_bytes());
  return cpu::with_layout(std::move(fresh).value(), layout, {});
}

/// lanes32 in double of one chunk: f(i) is the term of element i, added by `add`.
template <class Add>
double lanes32(std::int64_t count, Add add) {
  double acc[32] = {};
  for (std::int64_t i = 0; i < count; ++i) acc[i % 32] = add(acc[i % 32], i);
  for (int d = 16; d > 0; d /= 2) {
    double next[32];
    for (int l = 0; l < 32; ++l) next[l] = acc[l] + acc[l ^ d];
    std::copy(std::begin(next), std::end(next), std::begin(acc));
  }
  return acc[0];
}

template <class T>
std::int64_t ordered(T value) {
  if constexpr (sizeof(T) == 4) {
    const auto bits = std::bit_cast<std::int32_t>(value);
    return bits < 0 ? -static_cast<std::int64_t>(bits & 0x7fffffff) : bits;
  } else {
    const auto bits = std::bit_cast<std::int64_t>(value);
    return bits < 0 ? -(bits & 0x7fffffffffffffff) : bits;
  }
}

template <class T>
ElementPair pair_of(std::int64_t i, T a, T b) {
  const auto bits = [](T v) -> std::uint64_t {
    if constexpr (sizeof(T) == 4)
      return v != v ? 0x7fffffffU : std::bit_cast<std::uint32_t>(v);
    else
      return v != v ? 0x7fffffffffffffffULL : std::bit_cast<std::uint64_t>(v);
  };
  return {i, static_cast<double>(a), static_cast<double>(b), bits(a), bits(b)};
}

/// Every metric by its definition, one element after another.
template <class T>
Comparison naive(std::span<const T> a, std::span<const T> b,
                 std::optional<std::span<const float>> m, Allowance allowance) {
  Comparison c;
  c.elements = static_cast<std::int64_t>(a.size());
  c.judged = m.has_value();
  std::vector<T> d(a.size());
  std::int64_t counted = 0;
  double worst = -1, share = -1;
  std::int64_t mismatch = -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const T x = a[i], y = b[i];
    const bool nan = x != x || y != y;
    const auto index = static_cast<std::int64_t>(i);
    const ElementPair here = pair_of(index, x, y);
    if (!nan) ++counted;
    d[i] = nan || x == y ? T{0} : std::fabs(static_cast<T>(y - x));
    c.informative += std::isfinite(x) && std::isfinite(y) && x != 0 && y != 0;
    if (here.a_bits != here.b_bits) {
      ++c.differing;
      if (!c.first) c.first = here;
    }
    const bool nan_mismatch = (x != x) != (y != y);
    const bool infinity_mismatch = !nan && x != y && (std::isinf(x) || std::isinf(y));
    c.nan_mismatches += nan_mismatch;
    c.infinity_mismatches += infinity_mismatch;
    c.signed_zero_mismatches += x == y && here.a_bits != here.b_bits;
    if ((nan_mismatch || infinity_mismatch) && mismatch < 0) mismatch = index;
    const double distance = static_cast<double>(d[i]);
    if (distance > worst && (distance > 0 || here.a_bits != here.b_bits)) {
      worst = distance;
      c.worst = here;
    }
    c.max_abs = std::max(c.max_abs, distance);
    c.max_rel = std::max(
        c.max_rel, distance / (nan ? 1 : std::max(std::fabs(static_cast<double>(x)), 0x1p-126)));
    if (nan) {
      ++c.ulp_histogram[ulp_bins - 1];
    } else {
      const std::int64_t ka = ordered(x), kb = ordered(y);
      const std::uint64_t ulps =
          ka > kb ? static_cast<std::uint64_t>(ka) - static_cast<std::uint64_t>(kb)
                  : static_cast<std::uint64_t>(kb) - static_cast<std::uint64_t>(ka);
      ++c.ulp_histogram[std::min<std::size_t>(std::bit_width(ulps), 32)];
    }
    if (!c.judged) continue;
    const double magnitude = static_cast<double>((*m)[i]);
    if (!(magnitude < (0x1p127 - allowance.underflow) / (1 + 0x1p-9))) {
      ++c.uninformative_bounds;
      continue;
    }
    const double bound = allowance.coefficient * magnitude + allowance.underflow;
    const double judged = nan_mismatch ? infinity : distance;
    c.beyond += judged > bound;
    const double used = judged == 0 ? 0 : bound > 0 ? judged / bound : infinity;
    if (judged > 0 && used > share) {
      share = used;
      c.worst_share = used;
      c.worst_judged = here;
      c.worst_bound = bound;
    }
  }
  if (mismatch >= 0)
    c.worst = pair_of(mismatch, a[static_cast<std::size_t>(mismatch)],
                      b[static_cast<std::size_t>(mismatch)]);

  double abs = 0, square = 0, aa = 0, bb = 0, ab = 0;
  for (std::int64_t start = 0; start < c.elements; start += 4096) {
    const std::int64_t n = std::min<std::int64_t>(4096, c.elements - start);
    const auto value = [&](std::span<const T> v, std::int64_t i) {
      const auto at = static_cast<std::size_t>(start + i);
      return a[at] != a[at] || b[at] != b[at] ? 0.0 : static_cast<double>(v[at]);
    };
    const std::span<const T> dd(d);
    abs += lanes32(n, [&](double acc, std::int64_t i) { return acc + value(dd, i); });
    square += lanes32(
        n, [&](double acc, std::int64_t i) { return std::fma(value(dd, i), value(dd, i), acc); });
    aa += lanes32(
        n, [&](double acc, std::int64_t i) { return std::fma(value(a, i), value(a, i), acc); });
    bb += lanes32(
        n, [&](double acc, std::int64_t i) { return std::fma(value(b, i), value(b, i), acc); });
    ab += lanes32(
        n, [&](double acc, std::int64_t i) { return std::fma(value(a, i), value(b, i), acc); });
  }
  if (counted > 0) {
    const double n = static_cast<double>(counted);
    c.mean_abs = abs / n;
    c.rms = std::sqrt(square / n);
    c.rms_a = std::sqrt(aa / n);
    c.rms_b = std::sqrt(bb / n);
  }
  if (c.differing > 0 && (aa != 0 || bb != 0))
    c.cosine = aa == 0 || bb == 0 ? 0 : std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
  return c;
}

bool same(double x, double y) {
  return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y) || (x != x && y != y);
}
void expect_same(const std::optional<ElementPair>& x, const std::optional<ElementPair>& y,
                 const char* which) {
  ASSERT_EQ(x.has_value(), y.has_value()) << which;
  if (!x) return;
  EXPECT_EQ(x->index, y->index) << which;
  EXPECT_EQ(x->a_bits, y->a_bits) << which;
  EXPECT_EQ(x->b_bits, y->b_bits) << which;
}
void expect_same(const Comparison& x, const Comparison& y) {
  EXPECT_EQ(x.elements, y.elements);
  EXPECT_EQ(x.informative, y.informative);
  EXPECT_EQ(x.differing, y.differing);
  EXPECT_EQ(x.nan_mismatches, y.nan_mismatches);
  EXPECT_EQ(x.infinity_mismatches, y.infinity_mismatches);
  EXPECT_EQ(x.signed_zero_mismatches, y.signed_zero_mismatches);
  EXPECT_TRUE(same(x.max_abs, y.max_abs)) << x.max_abs << " " << y.max_abs;
  EXPECT_TRUE(same(x.mean_abs, y.mean_abs)) << x.mean_abs << " " << y.mean_abs;
  EXPECT_TRUE(same(x.max_rel, y.max_rel)) << x.max_rel << " " << y.max_rel;
  EXPECT_TRUE(same(x.rms, y.rms)) << x.rms << " " << y.rms;
  EXPECT_TRUE(same(x.rms_a, y.rms_a)) << x.rms_a << " " << y.rms_a;
  EXPECT_TRUE(same(x.rms_b, y.rms_b)) << x.rms_b << " " << y.rms_b;
  EXPECT_TRUE(same(x.cosine, y.cosine)) << x.cosine << " " << y.cosine;
  EXPECT_EQ(x.ulp_histogram, y.ulp_histogram);
  EXPECT_EQ(x.judged, y.judged);
  EXPECT_EQ(x.beyond, y.beyond);
  EXPECT_EQ(x.uninformative_bounds, y.uninformative_bounds);
  EXPECT_TRUE(same(x.worst_share, y.worst_share)) << x.worst_share << " " << y.worst_share;
  EXPECT_TRUE(same(x.worst_bound, y.worst_bound)) << x.worst_bound << " " << y.worst_bound;
  expect_same(x.first, y.first, "first");
  expect_same(x.worst, y.worst, "worst");
  expect_same(x.worst_judged, y.worst_judged, "worst_judged");
}

/// b: a with some elements moved by a few ULP, some far away, some replaced by other hostile
/// values.
Tensor disturbed(const Tensor& a, std::uint64_t seed) {
  const std::span<const float> values = a.values<float>();
  std::vector<float> b(values.begin(), values.end());
  const Counter random(seed, "disturbed");
  const Tensor other = filled(a.type(), Fill::hostile, seed + 1);
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double u = random.uniform(i);
    if (u < 0.3) b[i] = std::nextafter(b[i], 1e30F);
    if (u > 0.3 && u < 0.5) b[i] *= 1 + 1e-3F * static_cast<float>(random.normal(i));
    if (u > 0.97) b[i] = other.values<float>()[i];
    if (u > 0.99 && b[i] == 0) b[i] = -b[i];
  }
  return Tensor::of(a.shape(), std::move(b));
}

Tensor magnitude_for(const Tensor& a) {
  std::vector<float> m;
  for (const float v : a.values<float>())
    m.push_back(std::isfinite(v) ? std::fabs(v) + 1e-3F : 1.0F);
  for (std::size_t i = 5; i < m.size(); i += 97) m[i] = std::numeric_limits<float>::infinity();
  for (std::size_t i = 3; i < m.size(); i += 131) m[i] = 0;
  return Tensor::of(a.shape(), std::move(m));
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {},          {1},           {31},          {3, 5},          {2, 4097},
      {1, 3, 100}, {2, 40, 5, 7}, {1, 70, 9, 9}, {3, 17, 64, 80}, {1, 20, 1, 1},
      {0, 4}};
  return all;
}

std::vector<Execution> executions() {
  std::vector<Execution> all;
  for (const InstructionSet set :
       {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon})
    if (cpu::has(set))
      for (const int threads : {1, 2, 7}) all.push_back({threads, set});
  return all;
}

const Allowance judging{1e-4, 1e-30};

class Metrics : public testing::TestWithParam<Fill> {};

TEST_P(Metrics, EqualTheirDefinitionsForEveryLayoutWidthAndThreadCount) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(to_string(shape));
    const Tensor a = filled({Type::float32, shape}, GetParam(), 7);
    const Tensor b = disturbed(a, 8), m = magnitude_for(a);
    const Comparison judged =
        naive<float>(a.values<float>(), b.values<float>(), m.values<float>(), judging);
    const Comparison unjudged =
        naive<float>(a.values<float>(), b.values<float>(), std::nullopt, {});
    for (const Layout of_a : {Layout::row_major, Layout::channels_last})
      for (const Layout of_b : {Layout::row_major, Layout::channels_last}) {
        const Value va = stored(a, of_a), vb = stored(b, of_b), vm = stored(m, of_b);
        for (const Execution& execution : executions()) {
          SCOPED_TRACE(std::string(name(execution.instruction_set)) + " on " +
                       std::to_string(execution.threads));
          expect_same(cpu::compare(va, vb, &vm, judging, execution), judged);
          expect_same(cpu::compare(va, vb, nullptr, {}, execution), unjudged);
        }
      }
  }
}
INSTANTIATE_TEST_SUITE_P(Fills, Metrics, testing::Values(Fill::real, Fill::hostile, Fill::exact));

TEST(Metrics, OfDoubleTensorsEqualTheirDefinitions) {
  for (const Shape& shape : shapes()) {
    const Tensor a = to_float64(filled({Type::float32, shape}, Fill::hostile, 3));
    const Tensor b = to_float64(disturbed(to_float32(a), 4));
    const Comparison expected =
        naive<double>(a.values<double>(), b.values<double>(), std::nullopt, {});
    for (const Execution& execution : executions())
      expect_same(cpu::compare(stored(a, Layout::channels_last), stored(b, Layout::row_major),
                               nullptr, {}, execution),
                  expected);
  }
}

TEST(Metrics, OfMixedTypesAreComputedInDouble) {
  const Tensor a = filled({Type::float32, {2, 40, 5, 7}}, Fill::hostile, 3), b = disturbed(a, 4);
  const Execution execution{2};
  const Value wide = stored(to_float64(a), Layout::row_major);
  Comparison mixed = cpu::compare(wide, stored(b, Layout::channels_last), nullptr, {}, execution);
  Comparison widened =
      cpu::compare(wide, stored(to_float64(b), Layout::row_major), nullptr, {}, execution);
  // Bits are shown as stored, and ULP are those of float32.
  for (Comparison* c : {&mixed, &widened}) c->first->b_bits = c->worst->b_bits = 0;
  EXPECT_EQ(mixed.ulp_histogram, cpu::compare(stored(a, Layout::row_major),
                                              stored(b, Layout::row_major), nullptr, {}, execution)
                                     .ulp_histogram);
  widened.ulp_histogram = mixed.ulp_histogram;
  expect_same(mixed, widened);
}

TEST(Metrics, EqualTensorsDifferNowhere) {
  const Tensor a = filled({Type::float32, {1, 40, 30, 30}}, Fill::hostile, 5);
  const Tensor m = magnitude_for(a);
  const Comparison expected =
      naive<float>(a.values<float>(), a.values<float>(), m.values<float>(), judging);
  EXPECT_EQ(expected.differing, 0);
  for (const Layout other : {Layout::row_major, Layout::channels_last}) {
    const Value va = stored(a, Layout::channels_last), vb = stored(a, other),
                vm = stored(m, Layout::row_major);
    expect_same(cpu::compare(va, vb, &vm, judging, {2}), expected);
  }
}

TEST(Metrics, TheLowestIndexWinsAmongEquallyFarElements) {
  std::vector<float> a(3 * 5000, 1), b = a;
  for (const std::size_t i : {9000U, 4100U, 12000U}) b[i] = 3;
  const Tensor ta = Tensor::of({1, 3, 5000}, a), tb = Tensor::of({1, 3, 5000}, b);
  for (const Layout layout : {Layout::row_major, Layout::channels_last})
    for (const Execution& execution : executions()) {
      const Comparison c =
          cpu::compare(stored(ta, layout), stored(tb, layout), nullptr, {}, execution);
      EXPECT_EQ(c.worst->index, 4100);
      EXPECT_EQ(c.first->index, 4100);
    }
}

TEST(Digest, IsThatOfTheHostTensorForEveryLayoutWidthAndThreadCount) {
  for (const Shape& shape : shapes())
    for (const Tensor& tensor : {filled({Type::float32, shape}, Fill::hostile, 9),
                                 to_float64(filled({Type::float32, shape}, Fill::hostile, 9))})
      for (const Layout layout : {Layout::row_major, Layout::channels_last})
        for (const Execution& execution : executions())
          EXPECT_EQ(cpu::digest(stored(tensor, layout), execution), digest(tensor))
              << to_string(tensor.type());
}

TEST(Digest, TellsValuesPlacesTypesAndCountsApart) {
  const auto of = [](Shape shape, std::vector<float> v) {
    return digest(Tensor::of(std::move(shape), std::move(v)));
  };
  const Digest base = of({2, 2}, {1, 2, 3, 4});
  EXPECT_NE(base, of({2, 2}, {2, 1, 3, 4}));
  EXPECT_NE(base, of({2, 2}, {3, 4, 1, 2}));
  EXPECT_NE(base, of({1, 4}, {1, 2, 3, 4}));
  EXPECT_NE(base, of({2, 2}, {1, 2, 3, 5}));
  EXPECT_NE(of({1, 2}, {0, 0}), of({1, 3}, {0, 0, 0}));
  EXPECT_NE(of({1, 1}, {0.0F}), of({1, 1}, {-0.0F}));
  EXPECT_NE(digest(Tensor::of<float>({1, 1}, {1})), digest(Tensor::of<double>({1, 1}, {1})));
}

TEST(Digest, ReadsEveryNanAsOne) {
  const float one = std::bit_cast<float>(0x7fc00001U), other = std::bit_cast<float>(0xffc12345U);
  EXPECT_EQ(digest(Tensor::of<float>({2, 1}, {one, 2})),
            digest(Tensor::of<float>({2, 1}, {other, 2})));
}

TEST(Split, PartsAddUpAndDependOnNoLayoutWidthOrThreadCount) {
  const Tensor a = filled({Type::float32, {2, 40, 30, 31}}, Fill::real, 1);
  const Tensor l = disturbed(a, 2), b = disturbed(l, 3);
  const auto split_in = [&](Layout layout, const Execution& execution) {
    return cpu::split(stored(a, layout), stored(l, Layout::row_major), stored(b, layout),
                      execution);
  };
  const Split expected = split_in(Layout::row_major, {1, InstructionSet::scalar});
  EXPECT_GT(expected.introduced, 0);
  EXPECT_GT(expected.inherited, 0);
  // Exact but for the roundings of two sums over n elements.
  const double n = static_cast<double>(a.size());
  EXPECT_LE(
      std::fabs(expected.introduced_on_accumulated + expected.inherited_on_accumulated -
                expected.accumulated * expected.accumulated),
      4 * n * 0x1p-53 *
          (expected.introduced * expected.accumulated + expected.inherited * expected.accumulated));
  for (const Layout layout : {Layout::row_major, Layout::channels_last})
    for (const Execution& execution : executions()) {
      const Split s = split_in(layout, execution);
      for (const auto& [x, y] : {std::pair{s.introduced, expected.introduced},
                                 {s.inherited, expected.inherited},
                                 {s.accumulated, expected.accumulated},
                                 {s.norm_a, expected.norm_a},
                                 {s.introduced_on_accumulated, expected.introduced_on_accumulated},
                                 {s.inherited_on_accumulated, expected.inherited_on_accumulated}})
        EXPECT_TRUE(same(x, y)) << x << " " << y;
    }
}

TEST(ErrorMap, ShowsWhereTheDifferenceSitsInEveryLayout) {
  std::vector<float> a(2 * 600 * 3 * 200, 1), b = a;
  // x[n, c, h, w] of {2, 600, 3, 200}
  const auto at = [](std::size_t n, std::size_t c, std::size_t h, std::size_t w) {
    return ((n * 600 + c) * 3 + h) * 200 + w;
  };
  b[at(1, 599, 2, 199)] = 5;
  b[at(0, 0, 0, 0)] = std::numeric_limits<float>::quiet_NaN();
  const Tensor ta = Tensor::of({2, 600, 3, 200}, a), tb = Tensor::of({2, 600, 3, 200}, b);
  for (const Layout layout : {Layout::row_major, Layout::channels_last})
    for (const Execution& execution : executions()) {
      const ErrorMap map = cpu::map(stored(ta, layout), stored(tb, layout), execution);
      ASSERT_EQ(map.rows, 3);
      ASSERT_EQ(map.columns, 128);
      ASSERT_EQ(map.heat.size(), 3U * 128);
      ASSERT_EQ(map.channel_max.size(), 512U);
      EXPECT_EQ(map.channels, 600);
      EXPECT_EQ(map.heat[2 * 128 + 127], 4.0F);
      EXPECT_EQ(map.heat[0], std::numeric_limits<float>::infinity());
      EXPECT_EQ(map.channel_max[511], 4.0F);
      EXPECT_EQ(map.channel_max[0], std::numeric_limits<float>::infinity());
      EXPECT_EQ(std::count_if(map.heat.begin(), map.heat.end(), [](float v) { return v != 0; }), 2);
      EXPECT_EQ(std::count_if(map.channel_max.begin(), map.channel_max.end(),
                              [](float v) { return v != 0; }),
                2);
    }
}

TEST(ErrorMap, OfMixedTypesIsThatOfTheWidenedOnes) {
  const Tensor a = filled({Type::float32, {2, 40, 13, 9}}, Fill::hostile, 3), b = disturbed(a, 4);
  const ErrorMap wide = cpu::map(stored(to_float64(a), Layout::row_major),
                                 stored(to_float64(b), Layout::row_major), {2});
  for (const Layout layout : {Layout::row_major, Layout::channels_last}) {
    const ErrorMap mixed =
        cpu::map(stored(a, Layout::channels_last), stored(to_float64(b), layout), {2});
    EXPECT_EQ(mixed.heat, wide.heat);
    EXPECT_EQ(mixed.channel_max, wide.channel_max);
  }
}

TEST(Elements, AreReadByLogicalIndex) {
  std::vector<float> values(2 * 3 * 4 * 5);
  std::iota(values.begin(), values.end(), 0.0F);
  const Tensor tensor = Tensor::of({2, 3, 4, 5}, values);
  const std::vector<std::int64_t> indices = {0, 7, 59, 60, 119};
  for (const Layout layout : {Layout::row_major, Layout::channels_last})
    EXPECT_EQ(cpu::elements_at(stored(tensor, layout), indices),
              (std::vector<double>{0, 7, 59, 60, 119}));
}

}  // namespace
}  // namespace parity
