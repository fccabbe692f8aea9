#include <gtest/gtest.h>

#include <thread>

#include "cpu/backend.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/simt/any_gpu.hpp"

// Layers of the size that networks have, which a simulated GPU is too slow for: full grids, several waves
// of blocks, every tile that the product picks.

namespace parity {
namespace {

template <class T>
Case<T> layer(std::string name, T op, Shape x, Shape w) {
  Case<T> result;
  result.name = std::move(name);
  result.op = std::move(op);
  result.types.inputs = {{Type::float32, std::move(x)}};
  result.types.parameters = {TensorType{Type::float32, std::move(w)}, std::nullopt};
  return result;
}

SlidingWindow square(std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}};
}

std::vector<Case<Conv2d>> convolutions() {
  return {
      layer("64 to 64, 3x3", Conv2d{1, square(3, 1, 1)}, {1, 64, 128, 120}, {64, 64, 3, 3}),
      layer("64 to 128, 3x3 stride 2", Conv2d{1, square(3, 2, 1)}, {2, 64, 101, 99},
            {128, 64, 3, 3}),
      layer("256 to 256, 3x3", Conv2d{1, square(3, 1, 1)}, {1, 256, 64, 64}, {256, 256, 3, 3}),
      layer("97 to 200, 3x3", Conv2d{1, square(3, 1, 1)}, {1, 97, 50, 51}, {200, 97, 3, 3}),
      layer("3 to 64, 7x7 stride 2", Conv2d{1, square(7, 2, 3)}, {2, 3, 224, 224}, {64, 3, 7, 7}),
      layer("groups", Conv2d{4, square(3, 1, 1)}, {1, 128, 40, 40}, {128, 32, 3, 3}),
      layer("depthwise 7x7", Conv2d{192, square(7, 1, 3)}, {1, 192, 56, 56}, {192, 1, 7, 7}),
      layer("128 to 384, 1x1", Conv2d{1, square(1, 1, 0)}, {1, 128, 128, 128}, {384, 128, 1, 1}),
  };
}

std::vector<Case<ConvTranspose2d>> transposed_convolutions() {
  const auto op = [](std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
    ConvTranspose2d result;
    result.window = square(kernel, stride, pad);
    return result;
  };
  return {
      layer("256 to 128, 2x2 stride 2", op(2, 2, 0), {1, 256, 64, 64}, {256, 128, 2, 2}),
      layer("256 to 128, 4x4 stride 4", op(4, 4, 0), {1, 256, 30, 30}, {256, 128, 4, 4}),
      layer("64 to 33, 3x3 stride 2", op(3, 2, 1), {2, 64, 61, 50}, {64, 33, 3, 3}),
  };
}

std::vector<Case<MatMul>> products() {
  return {
      layer("tokens by weights", MatMul{}, {4, 197, 768}, {768, 1000}),
      layer("one row", MatMul{}, {1, 2048}, {2048, 1000}),
      layer("odd extents", MatMul{}, {515, 333}, {333, 517}),
  };
}

Numerics by(Algorithm algorithm) {
  Numerics numerics;
  numerics.algorithm = algorithm;
  return numerics;
}

template <class T>
void has_the_processors_bits(const std::vector<Case<T>>& layers) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  cpu::CpuBackend cpu;
  test::AnyGpu gpu = test::any_gpu();
  const Execution execution{static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  std::vector<Numerics> ways{Numerics{}, by(Algorithm::chunk256)};
  const int capability = gpu.session().capability();
  if (capability >= 80)
    for (const Rounding rounding : {Rounding::rna, Rounding::truncate}) {
      ways.push_back(numerics_of(Math::tf32, capability < 90 ? Arch::sm_80 : Arch::sm_90));
      ways.back().rounding = rounding;
    }
  int compared = 0;
  for (const Case<T>& the_case : layers) {
    const Instance<T> instance(the_case, Fill::real);
    for (const Numerics& numerics : ways) {
      const PlannedStage stage = planned(instance.graph(), numerics, *gpu.backend);
      const auto run = [&](Backend& on) {
        const std::vector<Value> in{on.upload(instance.inputs[0], execution)};
        return on.download(on.run(stage, in, Reading::values, execution).front(), execution);
      };
      const Tensor expected = run(cpu), got = run(*gpu.backend);
      EXPECT_TRUE(same_bits(expected, got))
          << instance.text << ", " << stage.contract_text() << "\n"
          << first_difference<float>(expected, got);
      ++compared;
      cpu.forget(stage);
      gpu.backend->forget(stage);
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(GpuLayers, ConvolutionsHaveTheProcessorsBits) { has_the_processors_bits(convolutions()); }
TEST(GpuLayers, TransposedConvolutionsHaveTheProcessorsBits) {
  has_the_processors_bits(transposed_convolutions());
}
TEST(GpuLayers, ProductsHaveTheProcessorsBits) { has_the_processors_bits(products()); }

}  // namespace
}  // namespace parity
