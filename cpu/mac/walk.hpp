#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "cpu/mac/tile.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// Output channels of one group that are computed together.
struct Panel {
  std::int64_t group = 0;
  std::int64_t channel = 0;   ///< first output channel, inside the group
  std::int64_t channels = 0;  ///< how many
};

/// Computes one tile times one panel, writing channels [0, channels) at every tile.y. Called from
/// several threads; `worker` in [0, execution.threads) names the calling one, for scratch memory.
template <class T>
using TileKernel = std::function<void(const Tile<T>& tile, std::size_t panel, int worker)>;

/// What becomes of a tap at which every pixel of a tile reads zeros only. Left out, it changes no
/// bit of a single chain of finite weights: fma(0, w, acc) is acc, up to the sign of a zero, which
/// the closing add(acc, +0) takes away (CONTRACTS section 2).
enum class ZeroTaps {
  listed,   ///< like any other
  left_out  ///< where the input is sparse enough that looking for them pays
};

/// Visits every output pixel of every panel once, as tiles of at most `pixels` pixels that share a
/// tap list. Forward: every tap is listed, those outside the image point to a row of IC + 64 zeros,
/// so a weight that is not finite acts there as the contract says. Transposed: output pixels are
/// taken by residue class of (oh mod sh, ow mod sw), whose taps are the same; an output without
/// taps comes as a tile of no taps. All pixels of one panel come before the next panel, so that the
/// panel's weights stay in the core's cache. The threads take runs of tiles as they become free:
/// which one computes a pixel decides no bit.
template <class T>
void walk(const Window& window, const T* x, T* y, std::span<const Panel> panels, int pixels,
          ZeroTaps zero_taps, const Execution& execution, const TileKernel<T>& kernel);

extern template void walk<float>(const Window&, const float*, float*, std::span<const Panel>, int,
                                 ZeroTaps, const Execution&, const TileKernel<float>&);
extern template void walk<double>(const Window&, const double*, double*, std::span<const Panel>,
                                  int, ZeroTaps, const Execution&, const TileKernel<double>&);

}  // namespace parity::cpu
