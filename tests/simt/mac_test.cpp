#include "cuda/mac/mac.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cpu/mac/kernel.hpp"
#include "cpu/mac/mac.hpp"
#include "cuda/mac/plan.hpp"
#include "tests/cpu/windows.hpp"
#include "tests/simt/launches.hpp"

// The multiply-accumulate kernels against the processor's engines, bit for bit: plain, tiled on FP32
// units, tiled on tensor cores. Every tile is run on every problem, whatever the product would pick.

namespace parity {
namespace {

using cuda::MacOrder;
using cuda::TiledMacArgument;

struct Named {
  std::string name;
  Window window;
};

/// Extents just at, below and above what tiles hold: pixels 64 and 128, output channels 64 and 128, k
/// rows 8, 16 and 32; odd channels, that are copied one by one; every kind of window.
std::vector<Named> windows() {
  using namespace cpu;
  return {
      {"padded", padded(convolution(2, 1, 40, 24, 5, 6, 3, 3), 1, 1, 1, 1)},
      {"stride 2, 70 channels", padded(convolution(1, 1, 32, 70, 9, 8, 3, 3), 1, 1, 1, 1, 2)},
      {"odd channels", padded(convolution(1, 1, 5, 9, 8, 7, 3, 3), 0, 1, 2, 1)},
      {"one channel", convolution(1, 1, 1, 1, 5, 6, 2, 2)},
      {"dilated", padded(convolution(1, 1, 36, 17, 7, 7, 3, 3), 2, 3, 2, 3, 1, 2)},
      {"1-D", padded(convolution(2, 1, 6, 8, 1, 21, 1, 7), 0, 3, 0, 3)},
      {"pointwise, 129 pixels", product(129, 20, 65)},
      {"pointwise, 128 pixels, 128 channels", product(128, 16, 128)},
      {"product of one row", product(1, 100, 130)},
      {"chunks", product(3, 600, 5)},
      {"chunks inside a tap", convolution(1, 1, 40, 4, 4, 4, 3, 3)},
      {"groups", padded(convolution(1, 3, 8, 4, 5, 5, 3, 3), 1, 1, 1, 1)},
      {"groups of 5", padded(convolution(1, 2, 5, 3, 4, 4, 3, 3), 1, 1, 1, 1)},
      {"depthwise", padded(convolution(1, 19, 1, 1, 5, 5, 3, 3), 1, 1, 1, 1)},
      {"transposed", transposed(convolution(1, 1, 33, 20, 3, 4, 3, 3), 2, 2, 1, 1, 1, 1)},
      {"transposed by its stride",
       transposed(convolution(2, 1, 12, 66, 3, 3, 2, 2), 2, 2, 0, 0, 0, 0)},
      {"transposed with gaps", transposed(convolution(1, 1, 6, 9, 3, 2, 2, 2), 3, 4, 0, 0, 0, 0)},
      {"transposed, dilated", transposed(convolution(1, 1, 7, 5, 4, 3, 3, 3), 2, 3, 1, 0, 2, 1, 2)},
      {"transposed groups", transposed(convolution(1, 3, 8, 6, 3, 3, 4, 4), 2, 2, 1, 1, 1, 1)},
  };
}

struct Problem {
  Problem(const Named& named, Fill fill)
      : name(named.name + ", fill " + std::to_string(static_cast<int>(fill))),
        window(named.window),
        x(cpu::operands<float>(cpu::input_size(window), fill, 1)),
        w(cpu::operands<float>(cpu::weight_size(window), fill, 2)) {
    using Kind = EpilogueStep<float>::Kind;
    const std::int64_t channels = window.G * window.OC;
    const auto some = [&](std::uint64_t seed) {
      return cpu::operands<float>(channels, fill, seed);
    };
    if (fill == Fill::real)
      epilogue = {{Kind::add, some(3), {}}, {Kind::fma, some(4), some(5)},
                  {Kind::relu, {}, {}},     {Kind::mul, {0.75F}, {}},
                  {Kind::sigmoid, {}, {}},  {Kind::mul, some(6), {}}};
    if (fill == Fill::hostile) epilogue = {{Kind::add, some(3), {}}, {Kind::relu, {}, {}}};
  }

  cpu::Weights<float> weights() const { return cpu::onnx_order(window, w.data()); }
  WeightStrides strides() const {
    const cpu::Weights<float> all = weights();
    return {all.stride_g, all.stride_tap, all.stride_ic, all.stride_oc};
  }

  std::vector<float> expected(MacOrder order, Rounding rounding) const {
    std::vector<float> y(static_cast<std::size_t>(cpu::output_size(window)));
    const Execution scalar{1, InstructionSet::best, 0};
    switch (order) {
      case MacOrder::chain:
        cpu::run_chain(window, x.data(), *cpu::pack_chain(window, weights()), epilogue, y.data(),
                       scalar);
        break;
      case MacOrder::chunk256:
        cpu::run_chunk256(window, x.data(), *cpu::pack_chain(window, weights()), epilogue, y.data(),
                          scalar);
        break;
      case MacOrder::k4f24:
      case MacOrder::k8f25: {
        const Algorithm algorithm =
            order == MacOrder::k4f24 ? Algorithm::tensor_k4f24 : Algorithm::tensor_k8f25;
        cpu::run_tensor(window, x.data(), *cpu::pack_tensor(window, weights(), algorithm, rounding),
                        epilogue, y.data(), scalar);
      }
    }
    return y;
  }

  std::string name;
  Window window;
  std::vector<float> x, w;
  Epilogue<float> epilogue;
};

/// A problem's operands on a simulated device, and its result among canaries: y has more elements a
/// pixel than channels.
class OnDevice {
 public:
  OnDevice(simt::Launches& on, const Problem& problem, std::int64_t gap)
      : on_(on),
        problem_(problem),
        x_(on.upload(problem.x)),
        w_(on.upload(problem.w)),
        channels_(problem.window.G * problem.window.OC),
        pixels_(cpu::output_size(problem.window) / channels_),
        y_pixel_(channels_ + gap),
        y_(on.room(pixels_ * y_pixel_)) {
    for (const auto& step : problem.epilogue) {
      auto& to = epilogue_.steps[epilogue_.count++];
      to.kind = static_cast<cuda::EpilogueStep::Kind>(step.kind);
      to.stride = step.a.size() > 1 ? 1 : 0;
      if (!step.a.empty()) to.a = on.upload(step.a);
      if (!step.b.empty()) to.b = on.upload(step.b);
    }
  }

  std::vector<float> plain(MacOrder order, Rounding rounding) {
    cuda::PlainMacArgument a{};
    a.window = problem_.window;
    a.order = order;
    a.rounding = rounding;
    a.x = x_;
    a.x_pixel = problem_.window.G * problem_.window.IC;
    a.w = w_;
    a.strides = problem_.strides();
    a.y = y_;
    a.y_pixel = y_pixel_;
    a.matrix_count = 1;
    a.epilogue = epilogue_;
    on_.check(cuda::launch_plain_mac(on_.queue(), a));
    return result();
  }

  TiledMacArgument tiled(cuda::PackedAs layout, std::optional<Rounding> rounding) {
    const Window& v = problem_.window;
    std::optional<TiledMacArgument> a = cuda::tiled(v);
    EXPECT_TRUE(a.has_value()) << problem_.name;
    const std::int64_t packed =
        v.G * cuda::mac_panels(v.OC) * cuda::mac_packed_rows(v.IC, v.KH * v.KW) * cuda::mac_panel;
    float* const to = on_.room(packed);
    on_.check(cuda::launch_pack(
        on_.queue(), {w_, problem_.strides(), a->G, a->IC, a->OC, a->taps, layout,
                      rounding.has_value(), rounding.value_or(Rounding::rna), false, to}));
    a->x = x_;
    a->w = to;
    a->y = y_;
    a->y_pixel = y_pixel_;
    a->wide_reads = cuda::wide(x_, a->x_pixel, v.IC);
    a->wide_writes = cuda::wide(y_, y_pixel_, v.OC);
    a->epilogue = epilogue_;
    return *a;
  }

  /// What was written, the canaries checked and everything poisoned again.
  std::vector<float> result() {
    const std::vector<float> all = on_.download(y_, pixels_ * y_pixel_);
    std::vector<float> y;
    std::int64_t broken = 0;
    for (std::int64_t p = 0; p < pixels_; ++p)
      for (std::int64_t c = 0; c < y_pixel_; ++c) {
        const float value = all[static_cast<std::size_t>(p * y_pixel_ + c)];
        if (c < channels_)
          y.push_back(value);
        else if (std::bit_cast<std::uint32_t>(value) != 0xffffffffU)
          ++broken;
      }
    EXPECT_EQ(broken, 0) << problem_.name << ": elements between pixels were written";
    on_.check(on_.api().fill(y_, 0xff, static_cast<std::size_t>(pixels_ * y_pixel_) * sizeof(float),
                             nullptr));
    return y;
  }

 private:
  simt::Launches& on_;
  const Problem& problem_;
  float* x_;
  float* w_;
  std::int64_t channels_, pixels_, y_pixel_;
  float* y_;
  cuda::Epilogue epilogue_;
};

TEST(SimtMac, LargeTilesAreForLargeProblemsOnDevicesThatHoldThem) {
  cuda::DeviceProperties device;
  device.multiprocessors = 132;
  device.shared_bytes_per_block = 227 * 1024;
  const auto tile = [&](std::int64_t side, MacOrder order) {
    return cuda::simt_tile(
        [&] {
          TiledMacArgument a = *cuda::tiled(
              cpu::padded(cpu::convolution(1, 1, 128, 128, side, side, 3, 3), 1, 1, 1, 1));
          a.wide_reads = true;
          return a;
        }(),
        order, device);
  };
  EXPECT_EQ(tile(512, MacOrder::chain), cuda::SimtTile::m128n128);
  EXPECT_EQ(tile(16, MacOrder::chain), cuda::SimtTile::m64n64);
  EXPECT_NE(tile(512, MacOrder::chunk256), cuda::SimtTile::m128n128);
  device.shared_bytes_per_block = 64 * 1024;  // sm_75
  EXPECT_EQ(tile(512, MacOrder::chain), cuda::SimtTile::m128n64);
  for (const cuda::SimtTile each : {cuda::SimtTile::m128n64, cuda::SimtTile::m64n64})
    EXPECT_LE(cuda::simt_shared_bytes(each), device.shared_bytes_per_block);
}

constexpr Fill fills[] = {Fill::exact, Fill::real, Fill::hostile};

TEST(SimtMac, PlainKernelsHaveTheBitsOfTheirCpuTwins) {
  int compared = 0;
  for (const Named& named : windows()) {
    for (const Fill fill : fills) {
      const Problem problem(named, fill);
      for (const MacOrder order :
           {MacOrder::chain, MacOrder::chunk256, MacOrder::k4f24, MacOrder::k8f25}) {
        const Rounding rounding = fill == Fill::real ? Rounding::truncate : Rounding::rna;
        const std::vector<float> expected = problem.expected(order, rounding);
        // One thread knows nothing of another: one schedule per fill.
        simt::Launches on;
        on.api().settings.schedule = static_cast<std::uint64_t>(fill);
        OnDevice device(on, problem, 3);
        EXPECT_EQ(simt::first_difference(expected, device.plain(order, rounding)), "")
            << problem.name << ", order " << static_cast<int>(order);
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, static_cast<int>(windows().size()) * 12);
}

/// Which thread schedules a problem is run under.
enum class Schedules {
  one,  ///< another for each problem, so that a tile meets all of them
  all
};
/// Calls body with a device of the problem's schedules.
void for_schedules(Schedules schedules, int problem, int capability,
                   const std::function<void(simt::Launches&)>& body) {
  if (schedules == Schedules::all) return simt::for_each_schedule(body, capability);
  simt::Launches on(capability);
  on.api().settings.schedule = static_cast<std::uint64_t>(problem % simt::schedules);
  body(on);
}

void simt_tile_equals_cpu(cuda::SimtTile tile, Schedules schedules) {
  int compared = 0, chunked = 0, number = 0;
  for (const Named& named : windows()) {
    for (const Fill fill : fills) {
      const Problem problem(named, fill);
      for (const MacOrder order : {MacOrder::chain, MacOrder::chunk256}) {
        std::vector<float> expected;
        for_schedules(schedules, number++, 90, [&](simt::Launches& on) {
          OnDevice device(on, problem, problem.window.OC % 4 == 0 ? 4 : 3);
          const TiledMacArgument a = device.tiled(cuda::PackedAs::rows, std::nullopt);
          if (!cuda::simt_takes(tile, order, a)) {
            EXPECT_EQ(cuda::launch_simt_mac(on.queue(), tile, order, a), cuda::not_supported);
            return;
          }
          if (expected.empty()) expected = problem.expected(order, Rounding::rna);
          on.check(cuda::launch_simt_mac(on.queue(), tile, order, a));
          EXPECT_EQ(simt::first_difference(expected, device.result()), "")
              << problem.name << ", order " << static_cast<int>(order);
          ++(order == MacOrder::chain ? compared : chunked);
        });
      }
    }
  }
  EXPECT_GT(compared, 20);
  EXPECT_EQ(chunked > 5, tile != cuda::SimtTile::m128n128);
}
void tensor_tile_equals_cpu(cuda::TensorTile tile, Schedules schedules) {
  int compared = 0, number = 0, problems = 0;
  for (const Named& named : windows()) {
    for (const Fill fill : fills) {
      const Problem problem(named, fill);
      ++problems;
      const Rounding rounding = fill == Fill::exact  ? Rounding::truncate
                                : fill == Fill::real ? Rounding::rna
                                                     : Rounding::rn;
      for (const int capability : {80, 90}) {
        // In one schedule each problem is for one of the two generations.
        if (schedules == Schedules::one && problems % 2 == capability / 90) continue;
        std::vector<float> expected;
        for_schedules(schedules, number++, capability, [&](simt::Launches& on) {
          on.api().settings.core = capability == 80 ? &k4f24 : &k8f25;
          OnDevice device(on, problem, problem.window.OC % 4 == 0 ? 4 : 3);
          const TiledMacArgument a = device.tiled(cuda::PackedAs::channels, rounding);
          if (!cuda::tensor_takes(tile, a)) {
            EXPECT_EQ(cuda::launch_tensor_mac(on.queue(), tile, rounding, a), cuda::not_supported);
            return;
          }
          if (expected.empty())
            expected =
                problem.expected(capability == 80 ? MacOrder::k4f24 : MacOrder::k8f25, rounding);
          on.check(cuda::launch_tensor_mac(on.queue(), tile, rounding, a));
          EXPECT_EQ(simt::first_difference(expected, device.result()), "")
              << problem.name << ", sm_" << capability;
          ++compared;
        });
      }
    }
  }
  EXPECT_GT(compared, 20);
}
TEST(SimtMac, Tiles64x64OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m64n64, Schedules::one);
}
TEST(SimtMac, Tiles64x64OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m64n64, Schedules::one);
}
TEST(SimtMac, Tiles128x64OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m128n64, Schedules::one);
}
TEST(SimtMac, Tiles128x64OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m128n64, Schedules::one);
}
TEST(SimtMac, Tiles128x128OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m128n128, Schedules::one);
}
TEST(SimtMac, Tiles128x128OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m128n128, Schedules::one);
}
TEST(SlowSimtMac, Tiles64x64OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m64n64, Schedules::all);
}
TEST(SlowSimtMac, Tiles64x64OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m64n64, Schedules::all);
}
TEST(SlowSimtMac, Tiles128x64OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m128n64, Schedules::all);
}
TEST(SlowSimtMac, Tiles128x64OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m128n64, Schedules::all);
}
TEST(SlowSimtMac, Tiles128x128OnFp32UnitsHaveTheBitsOfTheirCpuTwin) {
  simt_tile_equals_cpu(cuda::SimtTile::m128n128, Schedules::all);
}
TEST(SlowSimtMac, Tiles128x128OnTensorCoresHaveTheBitsOfTheirCpuTwin) {
  tensor_tile_equals_cpu(cuda::TensorTile::m128n128, Schedules::all);
}

}  // namespace
}  // namespace parity
