#include "tests/model/vectors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"
#include "tests/model/locked_functions.hpp"
#include "tests/simt/any_gpu.hpp"
#include "tests/simt/probes.hpp"

// What a GPU's own instructions do: the matrix instruction on every vector, conversions, the elementary
// functions over their inputs.

namespace parity {
namespace {

/// Device memory for a probe.
template <class T>
class OnDevice {
 public:
  OnDevice(std::size_t count, cuda::Session& session)
      : session_(&session), count_(count), memory_(session.take(count * sizeof(T))) {}
  OnDevice(const std::vector<T>& values, cuda::Session& session)
      : OnDevice(values.size(), session) {
    session.check(
        session.api().copy_in(data(), values.data(), count_ * sizeof(T), session.queue().stream),
        "uploading a probe");
    session.wait("uploading a probe");
  }
  T* data() const { return static_cast<T*>(memory_.get()); }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    session_->check(session_->api().copy_out(values.data(), data(), count_ * sizeof(T),
                                             session_->queue().stream),
                    "reading a probe");
    session_->wait("reading a probe");
    return values;
  }

 private:
  cuda::Session* session_;
  std::size_t count_;
  std::shared_ptr<void> memory_;
};

/// Products of 16x8 by 8x8 by one matrix instruction each.
struct Tiles {
  std::vector<float> a, b, c;

  explicit Tiles(std::size_t count) : a(count * 128), b(count * 64), c(count * 128) {}
  std::size_t count() const { return b.size() / 64; }
  /// The bits of all results, [tile][16][8].
  std::vector<std::uint32_t> on(cuda::Session& session) const {
    const OnDevice<float> da(a, session), db(b, session), dc(c, session);
    const OnDevice<std::uint32_t> dd(c.size(), session);
    session.check(simt::launch_matrix(session.queue(), {da.data(), db.data(), dc.data(),
                                                        reinterpret_cast<float*>(dd.data()),
                                                        static_cast<unsigned>(count())}),
                  "launching the matrix probe");
    return dd.read();
  }
  /// The same by a core's integer model; `row` of 16 and `column` of 8.
  std::uint32_t expected(const TensorCore& core, std::size_t tile, std::size_t row,
                         std::size_t column) const {
    std::array<std::uint32_t, 8> x, y;
    for (std::size_t k = 0; k < 8; ++k) {
      x[k] = bits_of(a[tile * 128 + row * 8 + k]);
      y[k] = bits_of(b[tile * 64 + k * 8 + column]);
    }
    return tensor_core_dot(core, x, y, bits_of(c[tile * 128 + row * 8 + column]));
  }
};

std::string of_all(std::size_t some, std::size_t all) {
  return std::to_string(some) + " of " + std::to_string(all);
}

// Also counts how many vectors either core explains, in the test's record: on a GPU that nobody has tried,
// the answer to which steps its tensor cores take.
TEST(GpuVectors, TheMatrixInstructionEqualsExactFractionsOnEveryVector) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  const std::vector<Row> rows = rows_of("mma_k8.csv");
  ASSERT_GT(rows.size(), 600U);
  Tiles tiles(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // The vector in every row of A and every column of B: 128 equal answers.
    for (std::size_t k = 0; k < 8; ++k) {
      for (std::size_t m = 0; m < 16; ++m)
        tiles.a[i * 128 + m * 8 + k] = float_of(hex(rows[i].at("a" + std::to_string(k))));
      for (std::size_t n = 0; n < 8; ++n)
        tiles.b[i * 64 + k * 8 + n] = float_of(hex(rows[i].at("b" + std::to_string(k))));
    }
    for (std::size_t j = 0; j < 128; ++j) tiles.c[i * 128 + j] = float_of(hex(rows[i].at("c")));
  }
  for (const int capability : test::capabilities()) {
    test::AnyGpu gpu = test::any_gpu(capability);
    ASSERT_GE(capability, 80) << "sm_75 has no such instruction";
    const std::vector<std::uint32_t> got = tiles.on(gpu.session());
    for (const char* const core : {"k4f24", "k8f25"}) {
      const bool own = core == std::string(capability < 90 ? "k4f24" : "k8f25");
      std::size_t agreed = 0;
      std::string others;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto from = got.begin() + static_cast<std::ptrdiff_t>(i * 128);
        const std::uint32_t expected = hex(rows[i].at(core));
        if (std::all_of(from, from + 128, [&](std::uint32_t bits) { return bits == expected; }))
          ++agreed;
        else
          others += " " + rows[i].at("tag");
      }
      RecordProperty("sm_" + std::to_string(capability) + "_vectors_as_" + core,
                     of_all(agreed, rows.size()));
      if (!own) continue;
      EXPECT_EQ(agreed, rows.size()) << "sm_" << capability << " differs on" << others;
    }
  }
}

/// Operands of one kind: 0 any bits, 1 ordinary, 2 of far exponents, 3 whose products underflow, 4 that
/// cancel in pairs.
void draw(std::size_t kind, std::mt19937_64& random, Tiles& tiles, std::size_t tile) {
  const auto any = [&] { return static_cast<std::uint32_t>(random() >> 32); };
  const auto number = [&](int least, int most) {
    const std::uint32_t word = any();
    const int exponent = least + static_cast<int>(any() % static_cast<unsigned>(most - least + 1));
    return float_of((word & 0x807fffffU) | (static_cast<std::uint32_t>(exponent + 127) << 23));
  };
  const auto operand = [&]() -> float {
    switch (kind) {
      case 0:
        return float_of(any());
      case 2:
        return number(-60, 60);
      case 3:
        return number(-76, -60);
      default:
        return number(-4, 4);
    }
  };
  const auto fill = [&](std::vector<float>& values, std::size_t each) {
    for (std::size_t i = 0; i < each; ++i) values[tile * each + i] = operand();
  };
  fill(tiles.a, 128);
  fill(tiles.b, 64);
  for (std::size_t i = 0; i < 128; ++i) {
    // A product has twice the operands' exponent.
    tiles.c[tile * 128 + i] = kind == 3 ? number(-126, -120) : operand();
    if (kind == 4 && i % 2 == 1) tiles.a[tile * 128 + i] = -tiles.a[tile * 128 + i - 1];
  }
  if (kind != 4) return;
  for (std::size_t i = 8; i < 64; i += 16)
    for (std::size_t n = 0; n < 8; ++n)
      tiles.b[tile * 64 + i + n] =
          float_of(bits_of(tiles.b[tile * 64 + i + n - 8]) ^ (any() % 4 << 13));
}

TEST(GpuVectors, TheMatrixInstructionEqualsTheModelOnRandomOperands) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  // A simulated GPU multiplies by the model itself: there this proves the probe, on a GPU the model.
  const bool real = test::schedule_count() == 1;
  const std::size_t rounds = real ? 32 : 1, tiles_each = real ? 16384 : 20;
  for (const int capability : test::capabilities()) {
    test::AnyGpu gpu = test::any_gpu(capability);
    const TensorCore& core =
        tensor_core(capability < 90 ? Algorithm::tensor_k4f24 : Algorithm::tensor_k8f25);
    std::mt19937_64 random(static_cast<std::uint64_t>(capability));
    std::size_t differing = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      Tiles tiles(tiles_each);
      for (std::size_t tile = 0; tile < tiles_each; ++tile) draw(tile % 5, random, tiles, tile);
      const std::vector<std::uint32_t> got = tiles.on(gpu.session());
      const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
      std::vector<std::future<std::size_t>> parts;
      for (std::size_t t = 0; t < threads; ++t)
        parts.push_back(std::async(std::launch::async, [&, t] {
          std::size_t found = 0;
          for (std::size_t i = t; i < tiles_each * 128; i += threads)
            found += got[i] != tiles.expected(core, i / 128, i % 128 / 8, i % 8);
          return found;
        }));
      for (auto& part : parts) differing += part.get();
    }
    const std::size_t all = rounds * tiles_each * 128;
    RecordProperty("sm_" + std::to_string(capability) + "_random_products_as_the_model",
                   of_all(all - differing, all));
    EXPECT_EQ(differing, 0U) << "of " << all << " on sm_" << capability;
  }
}

TEST(GpuVectors, TheConversionInstructionIsTheIntegerRounding) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  std::vector<float> x;
  std::vector<std::uint32_t> expected;
  for (const Row& row : rows_of("tf32.csv")) {
    const std::uint32_t word = hex(row.at("x"));
    if ((word & 0x7fffffffU) > 0x7f800000U) continue;  // NaNs are canonical before any rounding
    x.push_back(float_of(word));
    expected.push_back(hex(row.at("rna")));
  }
  ASSERT_GT(x.size(), 100U);
  test::AnyGpu gpu = test::any_gpu();
  cuda::Session& session = gpu.session();
  const OnDevice<float> from(x, session);
  const OnDevice<std::uint32_t> to(x.size(), session);
  session.check(simt::launch_conversion(session.queue(),
                                        {from.data(), to.data(), static_cast<int>(x.size())}),
                "launching the conversion probe");
  const std::vector<std::uint32_t> got = to.read();
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(got[i], expected[i]) << std::hexfloat << x[i];
}

std::uint64_t checksum(cuda::Session& session, const LockedFunction& f) {
  const OnDevice<std::uint64_t> sum(std::vector<std::uint64_t>{0}, session);
  session.check(simt::launch_checksum(session.queue(),
                                      {f.kind, f.a, f.b, sample_first, sample_step, sum.data()}),
                "launching a checksum");
  return sum.read().front();
}

TEST(GpuVectors, ElementaryFunctionsHaveTheSampledChecksums) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  test::AnyGpu gpu = test::any_gpu();
  for (const LockedFunction& f : locked_functions)
    EXPECT_EQ(checksum(gpu.session(), f), f.sampled) << f.name;
}

}  // namespace
}  // namespace parity
