#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cpu/mac/highway.hpp"
#include "cpu/mac/instruction_set.hpp"
#include "cpu/mac/mac.hpp"
#include "cpu/storage.hpp"
#include "model/arithmetic/fill.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/mac_bench.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

// The multiply-accumulate kernels on the layers of case A (CenterPoint pillars, nuScenes: the
// SECOND backbone and its neck, 75.16 GFLOP), layer by layer. `of_peak` is the median over the
// repetitions of a layer's rate against the rate of independent fused multiply-adds in registers,
// probed just before and after on the same threads: the figure that survives a machine whose clock
// moves.

HWY_BEFORE_NAMESPACE();
namespace parity::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace hn = hwy::HWY_NAMESPACE;

/// Twelve independent chains of fused multiply-adds, `rounds` long: enough to hide the latency on
/// every pipe. Returns the number of operations.
double probe(std::int64_t rounds) {
  const hn::ScalableTag<float> d;
  // Different starts: equal chains would be computed once.
  auto a = hn::Iota(d, 1.0F);
  auto b = hn::Iota(d, 2.0F);
  auto c = hn::Iota(d, 3.0F);
  auto e = hn::Iota(d, 4.0F);
  auto f = hn::Iota(d, 5.0F);
  auto g = hn::Iota(d, 6.0F);
  auto h = hn::Iota(d, 7.0F);
  auto i = hn::Iota(d, 8.0F);
  auto j = hn::Iota(d, 9.0F);
  auto k = hn::Iota(d, 10.0F);
  auto l = hn::Iota(d, 11.0F);
  auto m = hn::Iota(d, 12.0F);
  const auto scale = hn::Set(d, 0.5F), shift = hn::Set(d, 1.0F);
  for (std::int64_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, scale, shift);
    b = hn::MulAdd(b, scale, shift);
    c = hn::MulAdd(c, scale, shift);
    e = hn::MulAdd(e, scale, shift);
    f = hn::MulAdd(f, scale, shift);
    g = hn::MulAdd(g, scale, shift);
    h = hn::MulAdd(h, scale, shift);
    i = hn::MulAdd(i, scale, shift);
    j = hn::MulAdd(j, scale, shift);
    k = hn::MulAdd(k, scale, shift);
    l = hn::MulAdd(l, scale, shift);
    m = hn::MulAdd(m, scale, shift);
  }
  const auto left = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(f, g));
  const auto right = hn::Add(hn::Add(hn::Add(h, i), hn::Add(j, k)), hn::Add(l, m));
  benchmark::DoNotOptimize(hn::GetLane(hn::Add(left, right)));
  return 2.0 * 12 * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace parity {
namespace {

double probe_on(InstructionSet set, std::int64_t rounds) {
  switch (set) {
#if HWY_TARGETS & HWY_AVX3
    case InstructionSet::avx512:
      return N_AVX3::probe(rounds);
#endif
#if HWY_TARGETS & HWY_AVX2
    case InstructionSet::avx2:
      return N_AVX2::probe(rounds);
#endif
#if HWY_TARGETS & HWY_NEON
    case InstructionSet::neon:
      return N_NEON::probe(rounds);
#endif
    default:
      return 0;
  }
}

/// Of one thread its processor time, which other processes on the machine do not stretch; of
/// several, time on the wall.
double now(int threads) {
  timespec time{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_of(int threads, const std::function<void()>& work) {
  const double start = now(threads);
  work();
  return now(threads) - start;
}

/// Single-precision operations per second of all threads together, in about a millisecond.
double peak(InstructionSet set, int threads) {
  constexpr std::int64_t rounds = 400'000;
  double operations = 0;
  const double seconds = seconds_of(threads, [&] {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back([=] { probe_on(set, rounds); });
    operations = threads * probe_on(set, rounds);
  });
  return operations / seconds;
}

struct Layer {
  std::string name;
  std::int64_t IC, OC, kernel, stride, input, output, pad;
  Window::Direction direction = Window::Direction::forward;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all{
      {"s1.0", 64, 64, 3, 2, 512, 256, 1},
      {"s1.1-3", 64, 64, 3, 1, 256, 256, 1},
      {"s2.0", 64, 128, 3, 2, 256, 128, 1},
      {"s2.1-5", 128, 128, 3, 1, 128, 128, 1},
      {"s3.0", 128, 256, 3, 2, 128, 64, 1},
      {"s3.1-5", 256, 256, 3, 1, 64, 64, 1},
      {"neck_conv2", 64, 128, 2, 2, 256, 128, 0},
      {"neck_conv1", 128, 128, 1, 1, 128, 128, 0},
      {"neck_deconv2", 256, 128, 2, 2, 64, 128, 0, Window::Direction::transposed}};
  return all;
}

Window window_of(const Layer& layer) {
  Window w;
  w.IC = layer.IC, w.OC = layer.OC;
  w.KH = w.KW = layer.kernel, w.sh = w.sw = layer.stride, w.ph = w.pw = layer.pad;
  w.IH = w.IW = layer.input, w.OH = w.OW = layer.output;
  w.direction = layer.direction;
  return w;
}

double operations_of(const Layer& layer) {
  const std::int64_t taps =
      layer.direction == Window::Direction::forward ? layer.kernel * layer.kernel : 1;
  return 2.0 * static_cast<double>(layer.IC * layer.OC * layer.output * layer.output * taps);
}

template <class T>
void fill(T* data, std::int64_t count, std::uint64_t seed) {
  const Tensor values = filled({Type::float32, {count}}, Fill::exact, seed);
  std::copy(values.values<float>().begin(), values.values<float>().end(), data);
}

template <class T>
void run_layer(benchmark::State& state, const Layer& layer, Execution execution) {
  const Window w = window_of(layer);
  const std::int64_t taps = w.KH * w.KW, in = w.IC * w.IH * w.IW, out = w.OC * w.OH * w.OW;
  const std::shared_ptr<void> x = cpu::allocate(static_cast<std::size_t>(in) * sizeof(T));
  const std::shared_ptr<void> y = cpu::allocate(static_cast<std::size_t>(out) * sizeof(T));
  std::vector<float> weights(static_cast<std::size_t>(w.IC * w.OC * taps));
  T* const xs = static_cast<T*>(x.get());
  T* const ys = static_cast<T*>(y.get());
  fill(xs, in, 1);
  fill(weights.data(), w.IC * w.OC * taps, 2);
  const cpu::Weights<float> image{weights.data(), 0, 1, taps, taps * w.IC};
  const std::vector<T> scale(static_cast<std::size_t>(w.OC), T(1.25)), shift(scale.size(), T(0.5));
  const Epilogue<T> epilogue{{EpilogueStep<T>::Kind::fma, scale, shift},
                             {EpilogueStep<T>::Kind::relu, {}, {}}};
  const bool single = sizeof(T) == sizeof(float);
  const auto packed = single ? cpu::pack_chain(w, image) : cpu::pack_fp64(w, image);
  const InstructionSet set = cpu::resolve(execution.instruction_set);
  const auto once = [&] {
    if constexpr (sizeof(T) == sizeof(float))
      cpu::run_chain(w, xs, *packed, epilogue, ys, execution);
    else
      cpu::run_fp64(w, xs, *packed, epilogue, ys, execution);
  };
  once();
  std::vector<double> shares;
  double before = peak(set, execution.threads);
  for ([[maybe_unused]] auto _ : state) {
    const double seconds = seconds_of(execution.threads, once);
    state.SetIterationTime(seconds);
    const double after = peak(set, execution.threads);
    const double lanes = single ? 1 : 2;  // a vector holds half as many doubles
    shares.push_back(operations_of(layer) / seconds / ((before + after) / 2) * lanes);
    before = after;
  }
  std::sort(shares.begin(), shares.end());
  state.counters["of_peak"] = shares[shares.size() / 2];
  state.counters["GFLOP/s"] = benchmark::Counter(operations_of(layer) * 1e-9,
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void run_probe(benchmark::State& state, InstructionSet set, int threads) {
  double best = 0;
  for ([[maybe_unused]] auto _ : state) best = std::max(best, peak(set, threads));
  state.counters["GFLOP/s"] = best * 1e-9;
}

void register_all() {
  for (const InstructionSet set :
       {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon}) {
    if (!cpu::has(set)) continue;
    const std::string width(name(set));
    for (const int threads : {1, 2}) {
      const std::string suffix = "/" + width + "/threads:" + std::to_string(threads);
      benchmark::RegisterBenchmark(("peak" + suffix).c_str(), run_probe, set, threads)
          ->Iterations(50);
      for (const Layer& layer : layers()) {
        const Execution execution{threads, set, 0};
        benchmark::RegisterBenchmark(("chain/" + layer.name + suffix).c_str(), run_layer<float>,
                                     layer, execution)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
        benchmark::RegisterBenchmark(("fp64/" + layer.name + suffix).c_str(), run_layer<double>,
                                     layer, execution)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace parity

int main(int argc, char** argv) {
  parity::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
#endif  // HWY_ONCE
