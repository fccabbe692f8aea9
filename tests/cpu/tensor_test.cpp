// The vectorised tensor-core model against the integer oracle: bits, on every width the machine
// has.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cpu/mac/instruction_set.hpp"
#include "cpu/mac/mac.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"

namespace parity::cpu {
namespace {

constexpr Algorithm algorithms[] = {Algorithm::tensor_k4f24, Algorithm::tensor_k8f25};
constexpr Rounding roundings[] = {Rounding::rna, Rounding::truncate, Rounding::rn};
constexpr InstructionSet widths[] = {InstructionSet::scalar, InstructionSet::avx2,
                                     InstructionSet::avx512, InstructionSet::neon};

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
float value(std::uint32_t of) { return std::bit_cast<float>(of); }
bool is_nan(std::uint32_t of) { return (of & 0x7fffffffU) > 0x7f800000U; }
float power_of_two(int exponent) { return value(static_cast<std::uint32_t>(exponent + 127) << 23); }

/// How a test draws one number: from a stream and an index.
struct Data {
  std::string name;
  std::function<float(const Counter&, std::uint64_t)> x, w;
};

float normal(const Counter& c, std::uint64_t i) { return static_cast<float>(c.normal(i)); }
float relu(const Counter& c, std::uint64_t i) { return std::max(normal(c, i), 0.0F); }
float normal_at(const Counter& c, std::uint64_t i, int exponent) {
  return normal(c, i) * power_of_two(exponent);
}
/// Every exponent in [-range, range] alike.
float wide(const Counter& c, std::uint64_t i, int range) {
  const std::uint64_t random = c.bits(i);
  const int exponent = static_cast<int>(random % static_cast<std::uint64_t>(2 * range + 1)) - range;
  const float significand =
      value(0x3f800000U | static_cast<std::uint32_t>(random >> 32 & 0x7fffffU));
  return (random >> 62 & 1U ? -significand : significand) * power_of_two(exponent);
}
/// Any 32 bits at all, every NaN canonical as at import.
float any_bits(const Counter& c, std::uint64_t i) {
  const auto random = static_cast<std::uint32_t>(c.bits(i));
  return value(is_nan(random) ? 0x7fffffffU : random);
}
/// One special value now and then among ordinary ones.
float hostile(const Counter& c, std::uint64_t i) {
  constexpr std::uint32_t special[] = {0x7fffffff, 0x7f800000, 0xff800000, 0x80000000, 0x00000001,
                                       0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x0b000000};
  const std::uint64_t random = c.bits(i);
  if (random % 97 < 10) return value(special[random % 97]);
  return normal(c, i);
}
/// Rarely something far below the rest, so that the paths alternate within one dot product.
float outliers(const Counter& c, std::uint64_t i) {
  return normal(c, i) *
         (c.bits(i) % 29 == 0 ? power_of_two(-50 - static_cast<int>(c.bits(i) >> 60)) : 1.0F);
}
/// A value and, next to it, its negative: sums that vanish or nearly.
float pairs(const Counter& c, std::uint64_t i) {
  return normal(c, i / 2) * (i % 2 == 0 ? 1.0F : -1.0F);
}
/// Eight neighbours at one level, the levels far apart: whole steps at the far end of the window
/// while the accumulators are still zero.
float layers(const Counter& c, std::uint64_t i, int from, std::uint64_t depth) {
  const auto level = static_cast<int>(c.bits(i / 8 + 7'000'000) % (depth + 1));
  return normal_at(c, i, from - level);
}
float integer(const Counter& c, std::uint64_t i) {
  return static_cast<float>(static_cast<int>(c.bits(i) % 9) - 4);
}

std::vector<Data> data() {
  const auto small = [](const Counter& c, std::uint64_t i) { return normal_at(c, i, -5); };
  const auto one = [](const Counter& c, std::uint64_t i) {
    return c.bits(i) % 3 == 0 ? 1.0F : -1.0F;
  };
  const auto at = [](int exponent) {
    return [exponent](const Counter& c, std::uint64_t i) { return normal_at(c, i, exponent); };
  };
  const auto over = [](int range) {
    return [range](const Counter& c, std::uint64_t i) { return wide(c, i, range); };
  };
  const auto layered = [](int from, std::uint64_t depth) {
    return [from, depth](const Counter& c, std::uint64_t i) { return layers(c, i, from, depth); };
  };
  const auto pillars = [](const Counter& c, std::uint64_t i) {
    return c.bits(i / 64 + 1'000'000) % 8 == 0 ? relu(c, i) : 0.0F;
  };
  return {{"exact", integer, integer},
          {"real", normal, small},
          {"relu", relu, small},
          {"pillars", pillars, small},
          {"cancelling", pairs, one},
          {"hostile", hostile, hostile},
          {"hostile activations", hostile, small},
          {"hostile weights", relu, hostile},
          {"any bits", any_bits, any_bits},
          {"wide 12", over(12), over(12)},
          {"wide 30", over(30), over(30)},
          {"wide 60", over(60), over(60)},
          {"outliers", outliers, outliers},
          {"layers", layered(0, 42), layered(0, 42)},
          {"deep layers", layered(0, 60), layered(0, 60)},
          {"tiny layers", layered(-30, 40), layered(-25, 42)},
          {"small layers", layered(-10, 36), layered(-20, 42)},
          {"tiny", at(-60), at(-10)},
          {"subnormal sums", at(-70), at(-60)},
          {"huge", at(60), at(40)},
          {"overflowing", at(70), at(58)},
          {"small weights", normal, at(-100)},
          {"large weights", at(-90), at(90)},
          {"negative zeros",
           [](const Counter& c, std::uint64_t i) { return c.bits(i) % 2 ? -0.0F : 0.0F; }, normal}};
}

/// Name, then extents.
struct Case {
  std::string name;
  Window window;
};

Window window(std::int64_t n, std::int64_t g, std::int64_t ic, std::int64_t oc, std::int64_t h,
              std::int64_t w, std::int64_t k, std::int64_t stride, std::int64_t pad,
              std::int64_t dilation) {
  Window v;
  v.N = n, v.G = g, v.IC = ic, v.OC = oc, v.IH = h, v.IW = w, v.KH = v.KW = k;
  v.sh = v.sw = stride, v.ph = v.pw = pad, v.dh = v.dw = dilation;
  v.OH = (h + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
  v.OW = (w + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
  return v;
}

Window transposed(std::int64_t n, std::int64_t ic, std::int64_t oc, std::int64_t h, std::int64_t w,
                  std::int64_t k, std::int64_t stride, std::int64_t pad) {
  Window v = window(n, 1, ic, oc, h, w, k, stride, pad, 1);
  v.direction = Window::Direction::transposed;
  v.OH = (h - 1) * stride - 2 * pad + k;
  v.OW = (w - 1) * stride - 2 * pad + k;
  return v;
}

std::vector<Case> cases() {
  return {{"3x3", window(1, 1, 16, 16, 5, 6, 3, 1, 1, 1)},
          {"tails of channels", window(1, 1, 13, 21, 4, 5, 3, 1, 1, 1)},
          {"three channels", window(1, 1, 3, 5, 6, 5, 3, 2, 1, 1)},
          {"two blocks of channels, two panels", window(1, 1, 41, 67, 3, 3, 3, 1, 1, 1)},
          {"groups", window(1, 2, 9, 10, 5, 4, 3, 1, 1, 1)},
          {"stride and dilation", window(2, 1, 8, 33, 9, 8, 3, 2, 2, 2)},
          {"1x1 rows", window(1, 1, 100, 50, 1, 19, 1, 1, 0, 1)},
          {"transposed, stride equals kernel", transposed(1, 16, 20, 3, 3, 2, 2, 0)},
          {"transposed, overlapping", transposed(1, 12, 7, 4, 3, 3, 2, 1)},
          {"transposed, outputs without taps", transposed(1, 8, 8, 3, 3, 1, 2, 0)}};
}

/// One problem with its operands; weights lie as ONNX Conv has them: {G*OC, IC, KH, KW}.
struct Problem {
  Problem(const Window& of, const Data& data, std::uint64_t seed) : window(of) {
    const Counter sx(seed, "x"), sw(seed, "w");
    x.resize(static_cast<std::size_t>(of.N * of.IH * of.IW * of.G * of.IC));
    w.resize(static_cast<std::size_t>(of.G * of.OC * of.IC * of.KH * of.KW));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = data.x(sx, i);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = data.w(sw, i);
  }

  Weights<float> weights() const {
    const std::int64_t taps = window.KH * window.KW;
    return {w.data(), window.OC * window.IC * taps, 1, taps, window.IC * taps};
  }

  Window window;
  std::vector<float> x, w;
};

/// The contract read aloud: one integer dot product per output, closed by add(acc, +0).
std::vector<float> oracle(const Problem& problem, Algorithm algorithm, Rounding rounding) {
  const Window& v = problem.window;
  const TensorCore& core = tensor_core(algorithm);
  std::vector<float> y(static_cast<std::size_t>(v.N * v.OH * v.OW * v.G * v.OC));
  std::vector<std::uint32_t> a, b;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
    const std::int64_t oc = i % v.OC, g = i / v.OC % v.G, ow = i / v.OC / v.G % v.OW;
    const std::int64_t oh = i / v.OC / v.G / v.OW % v.OH, n = i / v.OC / v.G / v.OW / v.OH;
    a.clear();
    b.clear();
    for (std::int64_t block = 0; block < v.IC; block += 32) {
      for (std::int64_t kh = 0; kh < v.KH; ++kh) {
        for (std::int64_t kw = 0; kw < v.KW; ++kw) {
          std::int64_t ih = oh * v.sh + kh * v.dh - v.ph, iw = ow * v.sw + kw * v.dw - v.pw;
          if (v.direction == Window::Direction::transposed) {
            ih = oh + v.ph - kh * v.dh;
            iw = ow + v.pw - kw * v.dw;
            if (ih % v.sh != 0 || iw % v.sw != 0) continue;
            ih /= v.sh;
            iw /= v.sw;
          }
          const bool inside = ih >= 0 && ih < v.IH && iw >= 0 && iw < v.IW;
          for (std::int64_t ic = block; ic < std::min(block + 32, v.IC); ++ic) {
            const float x =
                inside ? problem.x[((n * v.IH + ih) * v.IW + iw) * v.G * v.IC + g * v.IC + ic]
                       : 0.0F;
            const float w = problem.w[(((g * v.OC + oc) * v.IC + ic) * v.KH + kh) * v.KW + kw];
            a.push_back(round_to_tf32(bits(x), rounding));
            b.push_back(round_to_tf32(bits(w), rounding));
          }
          while (a.size() % tensor_core_group != 0) {
            a.push_back(0);
            b.push_back(0);
          }
        }
      }
    }
    y[static_cast<std::size_t>(i)] = value(tensor_core_dot(core, a, b)) + 0.0F;
  }
  return y;
}

std::vector<float> fast(const Problem& problem, Algorithm algorithm, Rounding rounding,
                        const Execution& execution, const Epilogue<float>& epilogue = {}) {
  const Window& v = problem.window;
  // A value no result has, so that an output nobody wrote is seen.
  std::vector<float> y(static_cast<std::size_t>(v.N * v.OH * v.OW * v.G * v.OC), value(0x7fdeadad));
  const auto packed = pack_tensor(v, problem.weights(), algorithm, rounding);
  run_tensor(v, problem.x.data(), *packed, epilogue, y.data(), execution);
  return y;
}

/// Elements whose bits differ, every NaN the model makes being 0x7fffffff.
std::int64_t differing(const std::vector<float>& a, const std::vector<float>& b) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += bits(a[i]) != bits(b[i]);
  return count;
}

/// Two groups at every pair of depths around the edges of the window, then one that sets its top:
/// first sums of nothing but deep products, while the accumulators are zero or deep themselves.
TEST(TensorModel, EqualsTheOracleAtTheEdgesOfTheWindow) {
  const Window of = window(1, 1, 24, 16, 1, 4, 1, 1, 0, 1);
  std::int64_t compared = 0;
  for (int x_depth = 30; x_depth <= 72; x_depth += 2) {
    for (int w_depth = 30; w_depth <= 72; w_depth += 2) {
      Problem problem(of, {"", normal, normal},
                      static_cast<std::uint64_t>(100 * x_depth + w_depth));
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(problem.x.size()); ++i) {
        if (i % 24 < 16) problem.x[i] *= power_of_two(-x_depth);
      }
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(problem.w.size()); ++i) {
        if (i % 24 < 16) problem.w[i] *= power_of_two(-w_depth);
        // Half the outputs end with the deep sums, so that nothing larger hides them.
        if (i % 24 >= 16 && i / 24 % 2 == 0) problem.w[i] = 0;
      }
      for (const Algorithm algorithm : algorithms) {
        const std::vector<float> expected = oracle(problem, algorithm, Rounding::rna);
        for (const InstructionSet width : widths) {
          if (!has(width)) continue;
          const std::vector<float> y = fast(problem, algorithm, Rounding::rna, {1, width, 0});
          EXPECT_EQ(differing(expected, y), 0) << name(algorithm) << ", " << name(width)
                                               << ", depths " << x_depth << " and " << w_depth;
          compared += static_cast<std::int64_t>(y.size());
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(TensorModel, EqualsTheOracleOnEveryWindowDataRoundingWidthAndThreadCount) {
  std::int64_t compared = 0;
  std::uint64_t seed = 1;
  for (const Case& one : cases()) {
    for (const Data& of : data()) {
      const Problem problem(one.window, of, seed++);
      for (const Algorithm algorithm : algorithms) {
        for (const Rounding rounding : roundings) {
          const std::vector<float> expected = oracle(problem, algorithm, rounding);
          for (const InstructionSet width : widths) {
            if (!has(width)) continue;
            for (const int threads : {1, 2, 7}) {
              // Threads and rounding meet in the packing only, and scalar is slow: not every pair
              // of them.
              if (rounding != Rounding::rna && threads != 2) continue;
              if (width == InstructionSet::scalar && threads != 2) continue;
              const std::vector<float> y = fast(problem, algorithm, rounding, {threads, width, 0});
              EXPECT_EQ(differing(expected, y), 0)
                  << one.name << ", " << of.name << ", seed " << seed - 1 << ", " << name(algorithm)
                  << "/" << name(rounding) << ", " << name(width) << ", " << threads << " threads";
              compared += static_cast<std::int64_t>(y.size());
            }
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
  RecordProperty("compared", std::to_string(compared));
}

TEST(TensorModel, AppliesTheEpilogueToItsClosedSums) {
  const Problem problem(window(1, 2, 9, 37, 3, 4, 3, 1, 1, 1), {"", normal, normal}, 5);
  EpilogueStep<float> bias{EpilogueStep<float>::Kind::add, {}, {}};
  for (int c = 0; c < 74; ++c) bias.a.push_back(0.125F * static_cast<float>(c - 40));
  const Epilogue<float> epilogue{bias, {EpilogueStep<float>::Kind::relu, {}, {}}};
  std::vector<float> expected = oracle(problem, Algorithm::tensor_k8f25, Rounding::rna);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float sum = expected[i] + bias.a[i % 74];
    expected[i] = sum > 0 ? sum : 0.0F;
  }
  for (const InstructionSet width : widths) {
    if (!has(width)) continue;
    EXPECT_EQ(differing(expected, fast(problem, Algorithm::tensor_k8f25, Rounding::rna,
                                       {2, width, 0}, epilogue)),
              0)
        << name(width);
  }
}

}  // namespace
}  // namespace parity::cpu
