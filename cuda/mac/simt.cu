#include "cuda/mac/tile.hpp"

// `chain` and `chunk256` on FP32 units: an implicit GEMM of output pixels by output channels.
//
// A block copies `depth` k rows at a time into a ring of stages: x pixel-major with a pitch that keeps
// four-float reads of neighbouring pixels in different banks, weights as packed. A thread owns
// `rows` pixels x 8 channels in registers for the whole of K: per four k it reads its pixels as
// float4 along k and two float4 of weights per k, for 32 * rows multiply-adds. Within a quarter warp
// four pixels meet two groups of channels.
//
//   chain     the accumulators live from the first k to the last: each output is one fma chain
//   chunk256  when 256 terms are in, the accumulators are added to a total and start again at +0;
//             stages are full (simt_takes), so chunks end where stages do
//
// Static instruction mix: bench/README.md.

namespace parity::cuda {
namespace {

template <int pixel_threads, int channel_threads, int rows_, int depth_>
struct SimtShape {
  static constexpr int rows = rows_, depth = depth_, stages = 3;
  static constexpr int threads = pixel_threads * channel_threads;
  static constexpr int pixels = pixel_threads * rows, width = channel_threads * 8;
  static constexpr int x_pitch = depth + 4;  ///< floats from one pixel of a stage to the next
  static constexpr int x_floats = pixels * x_pitch, stage_floats = x_floats + depth * width;
  static constexpr int sum_pitch = width + 8;
  static constexpr int most(int a, int b) { return a > b ? a : b; }
  /// Numbers of the outputs, then the stages; the finished tile takes the stages' place.
  static constexpr int shared_floats = pixels + most(stages * stage_floats, pixels* sum_pitch);
  static constexpr int x_chunks = depth / 4;                  ///< float4 of a pixel's stage
  static constexpr int x_rows = pixels * x_chunks / threads;  ///< that one thread copies
  static constexpr int w_copies = depth * width / 4 / threads;
  static_assert(pixel_threads % 8 == 0 && channel_threads % 4 == 0, "whole warps of 8 x 4");
  static_assert(pixels * x_chunks % threads == 0 && depth * width / 4 % threads == 0,
                "even shares");
};

__device__ __forceinline__ float element(const device::Float4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

template <class Shape, MacOrder order, bool wide>
__device__ __forceinline__ void simt(const TiledMacArgument& a) {
  constexpr int rows = Shape::rows, depth = Shape::depth;
  const MacBlock block = mac_block<Shape>(a);
  const MacPlace& place = block.place;
  if (block.first_pixel >= place.pixels) return;  // all of it: a smaller class has fewer tiles
  float* const ring = block.ring;
  const int thread = static_cast<int>(device::thread_number());

  // What this thread copies: one float4 column of x_rows pixels.
  const int chunk = thread % Shape::x_chunks, copier = thread / Shape::x_chunks;
  constexpr int copiers = Shape::threads / Shape::x_chunks;
  const float* const x = a.x + block.matrix.x + place.group * a.IC + chunk * 4;
  MacRow row[Shape::x_rows];
  mac_rows<copiers>(a, block, copier, chunk, row);
  const int panels = static_cast<int>(mac_panels(a.OC));
  const std::int64_t panel_floats = mac_packed_rows(a.IC, a.taps) * mac_panel;
  constexpr int panels_here = Shape::width / mac_panel;
  const int first_panel = place.stretch * panels_here;
  const float* const w =
      a.w + block.matrix.w +
      (static_cast<std::int64_t>(place.group) * panels + first_panel) * panel_floats;

  MacCursor cursor;
  const auto start_stage = [&](int stage) {
    float* const to = ring + stage * Shape::stage_floats;
    const int distance = cursor.distance(a, place);
    const int c = cursor.block + cursor.channel;
    // x[pixel, g*IC + ic]
    const float* const channel = x + c;
#pragma unroll
    for (int i = 0; i < Shape::x_rows; ++i)
      mac_copy<wide>(to + (copier + i * copiers) * Shape::x_pitch + chunk * 4,
                     channel + static_cast<std::int64_t>(row[i].pixel + distance) * a.x_pixel,
                     cursor.inside(row[i]), c + chunk * 4, a);
    const float* const from =
        w + static_cast<std::int64_t>(cursor.packed_row(a, place)) * mac_panel;
#pragma unroll
    for (int i = 0; i < Shape::w_copies; ++i) {
      constexpr int chunks = Shape::width / 4, panel_chunks = mac_panel / 4;
      const int at = thread + i * Shape::threads;
      const int k = at / chunks, column = at % chunks;
      const int panel = column / panel_chunks;
      const bool there = panels_here == 1 || first_panel + panel < panels;
      device::copy_async<16>(
          to + Shape::x_floats + k * Shape::width + column * 4,
          there ? from + panel * panel_floats + k * mac_panel + column % panel_chunks * 4 : from,
          there);
    }
  };

  // Lanes of a quarter warp: four pixels x two groups of four channels.
  const int warp = thread / 32, lane = thread % 32;
  constexpr int warps_across = Shape::width / 32;  // a warp is 8 pixels x 4 groups of channels wide
  const int ty = warp / warps_across * 8 + lane / 16 * 4 + lane % 8 / 2;
  const int tx = warp % warps_across * 4 + lane / 8 % 2 * 2 + lane % 2;
  constexpr int pixel_threads = Shape::pixels / rows;

  constexpr bool chunked = order == MacOrder::chunk256;
  float acc[rows][8];
  float total[chunked ? rows : 1][8];
#pragma unroll
  for (int i = 0; i < rows; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      acc[i][j] = 0;
      if (chunked) total[i][j] = 0;
    }

  const int tiles =
      static_cast<int>(mac_packed_rows(a.IC, place.rows->taps * place.columns->taps)) / depth;
  mac_stages<Shape>(a, place, cursor, tiles, start_stage, [&](int t, int reading) {
    const float* const xs = ring + reading * Shape::stage_floats + ty * Shape::x_pitch;
    const float* const ws = ring + reading * Shape::stage_floats + Shape::x_floats + tx * 4;
#pragma unroll
    for (int k4 = 0; k4 < depth; k4 += 4) {
      device::Float4 xk[rows];
#pragma unroll
      for (int i = 0; i < rows; ++i)
        xk[i] = device::load4(xs + i * pixel_threads * Shape::x_pitch + k4);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const device::Float4 low = device::load4(ws + (k4 + k) * Shape::width);
        const device::Float4 high = device::load4(ws + (k4 + k) * Shape::width + Shape::width / 2);
#pragma unroll
        for (int i = 0; i < rows; ++i) {
          const float value = element(xk[i], k);
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            acc[i][j] = device::fma_rn(value, element(low, j), acc[i][j]);
            acc[i][j + 4] = device::fma_rn(value, element(high, j), acc[i][j + 4]);
          }
        }
      }
    }
    if (chunked && (t + 1) % (chunk_terms / depth) == 0) {
#pragma unroll
      for (int i = 0; i < rows; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          total[i][j] = device::add_rn(total[i][j], acc[i][j]);
          acc[i][j] = 0;
        }
    }
  });

#pragma unroll
  for (int i = 0; i < rows; ++i) {
    float closed[8];
#pragma unroll
    for (int j = 0; j < 8; ++j)
      closed[j] =
          device::add_rn(chunked ? device::add_rn(total[i][j], acc[i][j]) : acc[i][j], 0.0F);
    float* const to = ring + (ty + i * pixel_threads) * Shape::sum_pitch + tx * 4;
    device::store4(to, {closed[0], closed[1], closed[2], closed[3]});
    device::store4(to + Shape::width / 2, {closed[4], closed[5], closed[6], closed[7]});
  }
  device::barrier();
  mac_store<Shape>(a, block);
}

template <class Shape, MacOrder order, bool wide>
__global__ void __launch_bounds__(Shape::threads, 1) simt_mac(TiledMacArgument a) {
  simt<Shape, order, wide>(a);
}

template <class Shape, MacOrder order, bool wide = true>
Status launch_shape(const Queue& queue, const char* name, const TiledMacArgument& a) {
  return launch_tiles<Shape>(queue, name, simt_mac<Shape, order, wide>, a);
}

// Stages of 16 k rows need blocks of channels that fill up to multiples of 16; those of 8 fit always.
using M128N64 = SimtShape<16, 8, 8, 16>;
using M128N64Shallow = SimtShape<16, 8, 8, 8>;
using M64N64 = SimtShape<16, 8, 4, 16>;
using M64N64Shallow = SimtShape<16, 8, 4, 8>;
// With stages of 16 the 16 x 8 outputs of a thread leave ptxas too few registers on sm_80.
using M128N128 = SimtShape<8, 16, 16, 8>;

bool fills_16(const TiledMacArgument& a) {
  const int last = a.IC % static_cast<int>(channel_block);
  return (last + 7) / 8 % 2 == 0;
}

template <MacOrder order>
Status launch_order(const Queue& queue, SimtTile tile, const TiledMacArgument& a) {
  const bool deep = fills_16(a);
  switch (tile) {
    case SimtTile::m128n128:
      if constexpr (order == MacOrder::chain)
        return launch_shape<M128N128, order>(queue, "mac simt 128x128", a);
      break;
    case SimtTile::m128n64:
      return deep ? launch_shape<M128N64, order>(queue, "mac simt 128x64x16", a)
                  : launch_shape<M128N64Shallow, order>(queue, "mac simt 128x64x8", a);
    case SimtTile::m64n64:
      if (!a.wide_reads)
        return launch_shape<M64N64Shallow, order, false>(queue, "mac simt 64x64x8 narrow", a);
      return deep ? launch_shape<M64N64, order>(queue, "mac simt 64x64x16", a)
                  : launch_shape<M64N64Shallow, order>(queue, "mac simt 64x64x8", a);
  }
  return not_supported;
}

}  // namespace

std::size_t simt_shared_bytes(SimtTile tile) {
  switch (tile) {
    case SimtTile::m128n128:
      return M128N128::shared_floats * sizeof(float);
    case SimtTile::m128n64:
      return M128N64::shared_floats * sizeof(float);
    case SimtTile::m64n64:
      break;
  }
  return M64N64::shared_floats * sizeof(float);
}

bool simt_takes(SimtTile tile, MacOrder order, const TiledMacArgument& a) {
  if (!a.wide_reads && tile != SimtTile::m64n64) return false;
  if (order == MacOrder::chain) return true;
  // Chunks must end where stages do. And 128 totals beside 128 accumulators are more registers than
  // a thread has.
  return order == MacOrder::chunk256 && tile != SimtTile::m128n128 && a.IC % 8 == 0;
}

Status launch_simt_mac(const Queue& queue, SimtTile tile, MacOrder order,
                       const TiledMacArgument& a) {
  if (!simt_takes(tile, order, a)) return not_supported;
  return order == MacOrder::chunk256 ? launch_order<MacOrder::chunk256>(queue, tile, a)
                                     : launch_order<MacOrder::chain>(queue, tile, a);
}

}  // namespace parity::cuda
