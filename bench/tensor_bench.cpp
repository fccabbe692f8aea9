// GFLOP/s (two per multiply-accumulate) of the tensor-core model and of the FP32 sums beside it,
// one thread, on the convolutions of bench case A: dense, after a ReLU, and sparse pillars.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/mac/instruction_set.hpp"
#include "cpu/mac/mac.hpp"
#include "model/arithmetic/fill.hpp"

namespace parity::cpu {
namespace {

enum class Input { dense, relu, pillars };

std::string_view name(Input input) {
  return input == Input::dense ? "dense" : input == Input::relu ? "relu" : "pillars";
}

struct Shape {
  std::int64_t IC, OC, size, k, stride;
};

struct Problem {
  Problem(const Shape& shape, Input input) {
    window.IC = shape.IC, window.OC = shape.OC, window.IH = window.IW = shape.size;
    window.KH = window.KW = shape.k, window.ph = window.pw = shape.k / 2,
    window.sh = window.sw = shape.stride;
    window.OH = window.OW = shape.size / shape.stride;
    const Counter random(7, name(input));
    x.resize(static_cast<std::size_t>(shape.IC * shape.size * shape.size));
    w.resize(static_cast<std::size_t>(shape.IC * shape.OC * shape.k * shape.k));
    y.resize(static_cast<std::size_t>(shape.OC * window.OH * window.OW));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto value = static_cast<float>(random.normal(i));
      const std::size_t pixel = i / static_cast<std::size_t>(shape.IC);
      // A tenth of the pixels holds a pillar.
      const bool empty = input == Input::pillars && random.bits(x.size() * 7 + pixel) % 10 != 0;
      x[i] = empty ? 0.0F : input == Input::dense ? value : std::max(value, 0.0F);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      w[i] = 0.0625F * static_cast<float>(random.normal(x.size() * 14 + i));
    }
  }
  Weights<float> weights() const { return {w.data(), 0, window.IC * window.OC, window.OC, 1}; }
  double flops() const {
    return 2.0 * static_cast<double>(y.size()) *
           static_cast<double>(window.IC * window.KH * window.KW);
  }

  Window window;
  std::vector<float> x, w, y;
};

void measure(benchmark::State& state, const Shape& shape, Input input, Algorithm algorithm,
             InstructionSet set) {
  Problem problem(shape, input);
  const bool fp32 = algorithm == Algorithm::chain || algorithm == Algorithm::chunk256;
  const auto packed =
      fp32 ? pack_chain(problem.window, problem.weights())
           : pack_tensor(problem.window, problem.weights(), algorithm, Rounding::rna);
  const auto run = !fp32 ? run_tensor : algorithm == Algorithm::chain ? run_chain : run_chunk256;
  for (auto _ : state) {
    run(problem.window, problem.x.data(), *packed, {}, problem.y.data(), {1, set, 0});
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(problem.flops() * 1e-9 * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}

void register_all() {
  constexpr Shape shapes[] = {
      {64, 64, 128, 3, 1}, {64, 128, 128, 3, 2}, {128, 128, 64, 3, 1}, {256, 256, 32, 3, 1}};
  for (const InstructionSet set :
       {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon}) {
    if (!has(set)) continue;
    for (const Shape& shape : shapes) {
      for (const Input input : {Input::dense, Input::relu, Input::pillars}) {
        for (const Algorithm algorithm : {Algorithm::chain, Algorithm::chunk256,
                                          Algorithm::tensor_k4f24, Algorithm::tensor_k8f25}) {
          const std::string text = std::string(parity::name(algorithm)) + "/" +
                                   std::string(parity::name(set)) + "/" + std::to_string(shape.IC) +
                                   "x" + std::to_string(shape.OC) + "k" + std::to_string(shape.k) +
                                   "s" + std::to_string(shape.stride) + "/" +
                                   std::string(name(input));
          benchmark::RegisterBenchmark(text.c_str(), [=](benchmark::State& state) {
            measure(state, shape, input, algorithm, set);
          })->Unit(benchmark::kMillisecond);
        }
      }
    }
  }
}

}  // namespace
}  // namespace parity::cpu

int main(int argc, char** argv) {
  parity::cpu::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
