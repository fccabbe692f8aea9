#include "cpu/mac/kernel.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/mac/highway.hpp"
#include "model/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/mac/kernel.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "cpu/epilogue-inl.hpp"
// clang-format on

// A tile of P pixels times V vectors of output channels lives in P*V registers for the whole of K:
// one fused multiply-add chain per output, started at +0 and never split. Per k: V loads of
// weights, P broadcasts, P*V multiply-adds. AVX-512 and NEON have 32 registers, hence 6x4; AVX2 has
// 16, hence 6x2. Narrower panels take more pixels, because the chains in flight (P*V >= 8) are what
// hides the latency of a multiply-add.
//
// `chunk256` is the same loop, left every 256 terms to add the chain's value to a running total that
// waits in memory: once per 256 k, so the registers stay the accumulators'. The total starts at +0
// and an empty last chunk adds +0; both vanish in the closing add(., +0), so the bits are those of
// p0 + p1 + ... .

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

/// Vectors of one register tile.
constexpr std::size_t most_vectors = HWY_TARGET == HWY_AVX2 ? 2 : 4;

HWY_INLINE std::uintptr_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

/// Channels [first, first + V vectors) of the panel for P pixels. Pixels beyond tile.pixels repeat
/// the last one and are not stored.
template <class T, Summation summation, int V, int P>
void multiply_accumulate(const Tile<T>& tile, const PanelWork<T>& work, std::int64_t first) {
  const hn::ScalableTag<T> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  using Vector = hn::Vec<decltype(d)>;
  Vector acc[P][V];
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) acc[p][v] = hn::Zero(d);
  constexpr bool chunked = summation == Summation::chunk256;
  HWY_ALIGN T total[chunked ? P * V * HWY_MAX_BYTES / sizeof(T) : 1] = {};
  std::int64_t chunk_left = chunk_terms;  // terms before the chain's value is added to the total

  int pixel[P];
  for (int p = 0; p < P; ++p) pixel[p] = std::min(p, tile.pixels - 1);
  const std::int64_t width = work.width;
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) __builtin_prefetch(tile.y[pixel[p]] + first + v * lanes, 1);
  for (std::int64_t block = 0; block < work.IC; block += channel_block) {
    const std::int64_t length = std::min(channel_block, work.IC - block);
    for (int t = 0; t < tile.taps; ++t) {
      // k row = block * taps + tap * length + (ic mod 32)
      const T* w = work.weights + (block * work.taps + tile.tap[t] * length) * width + first;
      const T* x[P];
      for (int p = 0; p < P; ++p) x[p] = tile.x[t * tile.pixels + pixel[p]] + block;
      if constexpr (P > 1) {
        // What this tap will read in the next tile along the row: the hardware does not foresee
        // short pieces of rows. A guess beyond the image costs nothing, a prefetch cannot fault.
        const std::uintptr_t ahead = (address(x[1]) - address(x[0])) * P;
        for (int p = 0; p < P; ++p)
          for (std::size_t byte = 0; byte < channel_block * sizeof(T); byte += 64)
            __builtin_prefetch(reinterpret_cast<const void*>(address(x[p]) + ahead + byte));
      }
      const auto term = [&](std::int64_t c) HWY_ATTR {
        Vector row[V];
        for (int v = 0; v < V; ++v) row[v] = hn::Load(d, w + v * lanes);
        for (int p = 0; p < P; ++p) {
          const Vector value = hn::Set(d, x[p][c]);
          for (int v = 0; v < V; ++v) acc[p][v] = hn::MulAdd(value, row[v], acc[p][v]);
        }
        w += width;
      };
      if (!chunked && length == channel_block) {
#pragma GCC unroll 4
        for (std::int64_t c = 0; c < channel_block; ++c) term(c);
        continue;
      }
      std::int64_t c = 0;
      do {
        const std::int64_t stop = chunked ? std::min(length, c + chunk_left) : length;
        if constexpr (chunked) chunk_left -= stop - c;
        for (; c < stop; ++c) term(c);
        if (chunked && chunk_left == 0) {
          chunk_left = chunk_terms;
          for (int p = 0; p < P; ++p)
            for (int v = 0; v < V; ++v) {
              T* const sum = total + (p * V + v) * lanes;
              hn::Store(hn::Add(hn::Load(d, sum), acc[p][v]), d, sum);
              acc[p][v] = hn::Zero(d);
            }
        }
      } while (c < length);
    }
  }

  if constexpr (chunked)
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < V; ++v)
        acc[p][v] = hn::Add(hn::Load(d, total + (p * V + v) * lanes), acc[p][v]);
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) acc[p][v] = hn::Add(acc[p][v], hn::Zero(d));
  for (const TileStep<T>& step : work.steps) {
    using Kind = typename EpilogueStep<T>::Kind;
    // Every loop has a constant count and nothing is called: the accumulators stay in registers.
    const T* const a = step.a + first;
    const T* const b = step.b + first;
    if (step.kind == Kind::relu) {
      for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) acc[p][v] = relu(d, acc[p][v]);
    } else if (step.kind == Kind::add) {
      for (int v = 0; v < V; ++v)
        for (int p = 0; p < P; ++p) acc[p][v] = hn::Add(acc[p][v], hn::LoadU(d, a + v * lanes));
    } else if (step.kind == Kind::mul) {
      for (int v = 0; v < V; ++v)
        for (int p = 0; p < P; ++p) acc[p][v] = hn::Mul(acc[p][v], hn::LoadU(d, a + v * lanes));
    } else {
      for (int v = 0; v < V; ++v) {
        const Vector scale = hn::LoadU(d, a + v * lanes), shift = hn::LoadU(d, b + v * lanes);
        for (int p = 0; p < P; ++p) acc[p][v] = hn::MulAdd(acc[p][v], scale, shift);
      }
    }
  }

  const std::int64_t some = work.channels - first;
  if (some >= V * lanes && tile.pixels == P) {
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < V; ++v) hn::StoreU(acc[p][v], d, tile.y[p] + first + v * lanes);
    return;
  }
  HWY_ALIGN T whole[P * V * HWY_MAX_BYTES / sizeof(T)];
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) hn::Store(acc[p][v], d, whole + (p * V + v) * lanes);
  for (int p = 0; p < tile.pixels; ++p)
    std::copy_n(whole + p * V * lanes, std::min(some, V * lanes), tile.y[p] + first);
}

template <class T, Summation summation, int V, int most>
void tile_of_vectors(const Tile<T>& tile, const PanelWork<T>& work, std::int64_t first) {
  if (tile.pixels == 1) return multiply_accumulate<T, summation, V, 1>(tile, work, first);
  if (tile.pixels == 2) return multiply_accumulate<T, summation, V, 2>(tile, work, first);
  if (tile.pixels <= 4) return multiply_accumulate<T, summation, V, 4>(tile, work, first);
  if (most <= 6 || tile.pixels <= 6)
    return multiply_accumulate<T, summation, V, 6>(tile, work, first);
  if constexpr (most > 6) {
    if (most <= 8 || tile.pixels <= 8)
      return multiply_accumulate<T, summation, V, 8>(tile, work, first);
  }
  if constexpr (most > 8) return multiply_accumulate<T, summation, V, most>(tile, work, first);
}

/// The steps after the first `taken`, on the tile as stored.
template <class T>
void finish(const Tile<T>& tile, const PanelWork<T>& work, std::size_t taken) {
  const std::span<const EpilogueStep<T>> epilogue(*work.epilogue);
  apply_rows(epilogue.subspan(taken), tile.y, tile.pixels, static_cast<std::size_t>(work.channels),
             static_cast<std::size_t>(work.channel));
}

template <class T, Summation summation>
void panel_tile(const Tile<T>& tile, const PanelWork<T>& work) {
  constexpr bool wide = most_vectors == 4;  // registers enough for more pixels in narrow panels
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const std::int64_t vectors = work.width / lanes;
  std::int64_t v = 0;
  for (; v + static_cast<std::int64_t>(most_vectors) <= vectors; v += most_vectors)
    tile_of_vectors<T, summation, most_vectors, 6>(tile, work, v * lanes);
  if constexpr (wide) {
    switch (vectors - v) {
      case 3:
        tile_of_vectors<T, summation, 3, 8>(tile, work, v * lanes);
        break;
      case 2:
        tile_of_vectors<T, summation, 2, 12>(tile, work, v * lanes);
        break;
      case 1:
        tile_of_vectors<T, summation, 1, 16>(tile, work, v * lanes);
        break;
      default:
        break;
    }
  }
  finish(tile, work, work.steps.size());
}

/// Lanes are groups of one channel: the inputs of a vector lie side by side, each meets its own
/// weight. V vectors of P pixels; `some` channels, fewer than a vector holds only where V is 1.
template <class T, Summation summation, int V, int P>
void depthwise_pixels(const Tile<T>& tile, const PanelWork<T>& work, std::int64_t first, int from) {
  const hn::ScalableTag<T> d;
  using Vector = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto some = static_cast<std::size_t>(work.channels - first);
  const auto load = [&](const T* from_memory) HWY_ATTR {
    if constexpr (V > 1)
      return hn::LoadU(d, from_memory);
    else
      return load_some(d, from_memory, some);
  };
  constexpr bool chunked = summation == Summation::chunk256;
  Vector acc[P][V];
  Vector total[chunked ? P : 1][V];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) acc[p][v] = hn::Zero(d);
  if constexpr (chunked)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < V; ++v) total[p][v] = hn::Zero(d);
  for (int t = 0; t < tile.taps; ++t) {
    if constexpr (chunked)
      if (t > 0 && t % chunk_terms == 0)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p)
          for (int v = 0; v < V; ++v) {
            total[p][v] = hn::Add(total[p][v], acc[p][v]);
            acc[p][v] = hn::Zero(d);
          }
    const T* const weights = work.weights + tile.tap[t] * work.width + first;
    Vector w[V];
    for (int v = 0; v < V; ++v) w[v] = hn::Load(d, weights + v * lanes);
    const T* const* const x = tile.x + t * tile.pixels + from;
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      const T* const row = x[p] + work.channel + first;
      for (int v = 0; v < V; ++v) acc[p][v] = hn::MulAdd(load(row + v * lanes), w[v], acc[p][v]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) {
      if constexpr (chunked) acc[p][v] = hn::Add(total[p][v], acc[p][v]);
      const Vector sum = hn::Add(acc[p][v], hn::Zero(d));
      T* const to = tile.y[from + p] + first + v * lanes;
      if constexpr (V > 1)
        hn::StoreU(sum, d, to);
      else
        store_some(d, sum, to, some);
    }
}

template <class T, Summation summation>
void depthwise_tile(const Tile<T>& tile, const PanelWork<T>& work) {
  constexpr int together = most_vectors / 2;  // vectors whose inputs share a pixel's address
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const auto all_pixels = [&]<int V>(std::int64_t first) {
    int p = 0;
    for (; p + 8 <= tile.pixels; p += 8) depthwise_pixels<T, summation, V, 8>(tile, work, first, p);
    for (; p < tile.pixels; ++p) depthwise_pixels<T, summation, V, 1>(tile, work, first, p);
  };
  std::int64_t first = 0;
  for (; first + together * lanes <= work.channels; first += together * lanes)
    all_pixels.template operator()<together>(first);
  for (; first < work.channels; first += lanes) all_pixels.template operator()<1>(first);
  finish(tile, work, 0);
}

template <class T>
PanelKernel<T> kernel(Lanes lanes, Summation summation) {
  const bool depthwise = lanes == Lanes::depthwise;
  if constexpr (sizeof(T) == sizeof(float)) {
    if (summation == Summation::chunk256)
      return depthwise ? depthwise_tile<T, Summation::chunk256>
                       : panel_tile<T, Summation::chunk256>;
  }
  return depthwise ? depthwise_tile<T, Summation::chain> : panel_tile<T, Summation::chain>;
}

}  // namespace

PanelKernel<float> kernel_of(Lanes lanes, Summation summation, float) {
  return kernel<float>(lanes, summation);
}
PanelKernel<double> kernel_of(Lanes lanes, Summation, double) {
  return kernel<double>(lanes, Summation::chain);
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

/// The contract in its plainest form, and the width `scalar`.
template <class T, Lanes lanes, Summation summation>
void scalar_tile(const Tile<T>& tile, const PanelWork<T>& work) {
  for (int p = 0; p < tile.pixels; ++p) {
    for (std::int64_t j = 0; j < work.channels; ++j) {
      T total{0}, acc{0};
      std::int64_t terms = 0;
      const T* const w = work.weights + j;
      const auto add_term = [&](T x, T weight) {
        if (summation == Summation::chunk256 && terms++ % chunk_terms == 0) {
          total = total + acc;
          acc = T{0};
        }
        acc = std::fma(x, weight, acc);
      };
      if (lanes == Lanes::depthwise) {
        for (int t = 0; t < tile.taps; ++t)
          add_term(tile.x[t * tile.pixels + p][work.channel + j], w[tile.tap[t] * work.width]);
      } else {
        for (std::int64_t block = 0; block < work.IC; block += channel_block) {
          const std::int64_t length = std::min(channel_block, work.IC - block);
          for (int t = 0; t < tile.taps; ++t)
            for (std::int64_t c = 0; c < length; ++c)
              add_term(tile.x[t * tile.pixels + p][block + c],
                       w[(block * work.taps + tile.tap[t] * length + c) * work.width]);
        }
      }
      tile.y[p][j] = total + acc + T{0};
    }
    apply(*work.epilogue, tile.y[p], work.channels, work.channel, InstructionSet::scalar);
  }
}

template <class T, Summation summation>
PanelKernel<T> scalar_kernel(Lanes lanes) {
  return lanes == Lanes::depthwise ? scalar_tile<T, Lanes::depthwise, summation>
                                   : scalar_tile<T, Lanes::outputs, summation>;
}
PanelKernel<float> scalar_kernel(Lanes lanes, Summation summation, float) {
  return summation == Summation::chunk256 ? scalar_kernel<float, Summation::chunk256>(lanes)
                                          : scalar_kernel<float, Summation::chain>(lanes);
}
PanelKernel<double> scalar_kernel(Lanes lanes, Summation, double) {
  return scalar_kernel<double, Summation::chain>(lanes);
}

}  // namespace

template <class T>
PanelKernel<T> panel_kernel(InstructionSet set, Lanes lanes, Summation summation) {
  using Find = PanelKernel<T> (*)(Lanes, Summation, T);
  return PARITY_WIDTHS(Find, scalar_kernel, kernel_of).at(set)(lanes, summation, T{});
}

int panel_kernel_pixels(InstructionSet set, Lanes lanes, std::int64_t strips) {
  if (lanes == Lanes::depthwise) return 8;
  if (set != InstructionSet::avx512) return 6;
  switch (strips) {
    case 1:
      return 16;
    case 2:
      return 12;
    case 3:
      return 8;
    default:
      return 6;
  }
}

/// The operands of the steps before the first that is no single operation, laid out like the panels:
/// padded to whole strips, one value repeated. (A sigmoid is too long to unroll over a register tile.)
template <class T>
class TileSteps {
 public:
  TileSteps(const Panels<T>& weights, const Epilogue<T>& epilogue, std::int64_t outputs) {
    std::size_t count = 0;
    using Kind = typename EpilogueStep<T>::Kind;
    const auto is_short = [](Kind kind) {
      return kind == Kind::add || kind == Kind::fma || kind == Kind::mul || kind == Kind::relu;
    };
    while (count < epilogue.size() && is_short(epilogue[count].kind)) ++count;
    for (std::size_t i = 0; i < weights.panels().size(); ++i) {
      const Panel& panel = weights.panels()[i];
      const std::size_t width = static_cast<std::size_t>(weights.strips_of(i) * Panels<T>::strip);
      const auto laid_out = [&](const std::vector<T>& values) {
        std::vector<T>& to = operands_.emplace_back(width, T{0});
        for (std::int64_t j = 0; j < panel.channels; ++j) {
          const std::int64_t channel = panel.group * outputs + panel.channel + j;
          if (!values.empty())
            to[static_cast<std::size_t>(j)] =
                values[values.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
        }
        return to.data();
      };
      std::vector<TileStep<T>>& steps = steps_.emplace_back();
      for (std::size_t k = 0; k < count; ++k)
        steps.push_back({epilogue[k].kind, laid_out(epilogue[k].a), laid_out(epilogue[k].b)});
    }
  }
  std::span<const TileStep<T>> of(std::size_t panel) const { return steps_[panel]; }

 private:
  std::vector<std::vector<T>> operands_;
  std::vector<std::vector<TileStep<T>>> steps_;
};

template <class T>
void run_panels(const Window& window, const T* x, const Panels<T>& weights, Summation summation,
                const Epilogue<T>& epilogue, T* y, const Execution& execution) {
  const Window walked = weights.walked(window);
  const InstructionSet set = resolve(execution.instruction_set);
  const PanelKernel<T> kernel = panel_kernel<T>(set, weights.lanes(), summation);
  const int pixels = panel_kernel_pixels(set, weights.lanes(), weights.strips());
  const TileSteps<T> steps(weights, epilogue, walked.OC);
  const ZeroTaps zero_taps =
      summation == Summation::chain && weights.finite() ? ZeroTaps::left_out : ZeroTaps::listed;
  walk<T>(walked, x, y, weights.panels(), pixels, zero_taps, execution,
          [&](const Tile<T>& tile, std::size_t panel, int) {
            const Panel& p = weights.panels()[panel];
            kernel(tile, {weights.weights(panel), weights.strips_of(panel) * Panels<T>::strip,
                          p.channels, walked.IC, walked.KH * walked.KW,
                          p.group * walked.OC + p.channel, &epilogue, steps.of(panel)});
          });
}

template PanelKernel<float> panel_kernel<float>(InstructionSet, Lanes, Summation);
template PanelKernel<double> panel_kernel<double>(InstructionSet, Lanes, Summation);
template void run_panels<float>(const Window&, const float*, const Panels<float>&, Summation,
                                const Epilogue<float>&, float*, const Execution&);
template void run_panels<double>(const Window&, const double*, const Panels<double>&, Summation,
                                 const Epilogue<double>&, double*, const Execution&);

}  // namespace parity::cpu
#endif  // HWY_ONCE
