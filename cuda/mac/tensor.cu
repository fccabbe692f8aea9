#include <limits>

#include "cuda/mac/tile.hpp"

// `tensor:k4f24` and `tensor:k8f25` on tensor cores: the implicit GEMM of simt.cu with
// mma.sync.m16n8k8.
//
// A stage is one tap of one block of 32 channels: up to four groups of 8 along k, each one mma, taken
// in k order into accumulators that live from the first k to the last. So every output is the
// contract's chain of steps; sm_80 takes a group in two steps of 4, sm_90 and later in one of 8.
// Groups beyond the block's channels are skipped, channels beyond them inside a group are zeros.
//
// Both operands lie k-major in shared memory, 32 floats a row, the eight 16-byte pieces of a row
// exchanged by its number mod 8, so that the eight rows that ldmatrix reads together lie in different
// banks. Weights were rounded when packed; x is rounded here, in registers.
//
// Static instruction mix: bench/README.md.

namespace parity::cuda {
namespace {

template <int warps_down, int warps_across, int m_tiles_, int n_tiles_, int stages_>
struct TensorShape {
  static constexpr int m_tiles = m_tiles_, n_tiles = n_tiles_, stages = stages_;
  static constexpr int across = warps_across;
  static constexpr int threads = warps_down * warps_across * 32;
  static constexpr int pixels = warps_down * m_tiles * 16, width = warps_across * n_tiles * 8;
  static constexpr int depth = static_cast<int>(channel_block);
  static constexpr int x_floats = pixels * depth, stage_floats = x_floats + width * depth;
  static constexpr int sum_pitch = width + 8;
  static constexpr int most(int a, int b) { return a > b ? a : b; }
  static constexpr int shared_floats = pixels + most(stages * stage_floats, pixels* sum_pitch);
  static constexpr int pieces = depth / 4;  ///< 16-byte pieces of a row
  static constexpr int copiers = threads / pieces;
  static constexpr int x_rows = pixels / copiers, w_rows = width / copiers;
  static_assert(copiers % 8 == 0, "a thread's rows are equal mod 8");
  static_assert(n_tiles % 2 == 0 && width % mac_panel == 0, "pairs of n tiles, whole panels");
};

/// Where piece `piece` of row `row` lies, in floats.
__device__ __forceinline__ int swizzled(int row, int piece) {
  return row * static_cast<int>(channel_block) + ((piece ^ row % 8) * 4);
}

/// round_to_tf32 but for the 13 low bits, which the instruction does not read: two operations.
template <Rounding rounding>
__device__ __forceinline__ std::uint32_t carried(std::uint32_t bits) {
  const bool finite =
      __builtin_fabsf(device::float_of(bits)) < std::numeric_limits<float>::infinity();
  const std::uint32_t carry = rounding == Rounding::rna ? 0x1000U : 0xfffU + (bits >> 13 & 1U);
  return finite ? bits + carry : bits;
}

template <class Shape, Rounding rounding, bool wide>
__device__ __forceinline__ void tensor(const TiledMacArgument& a) {
  const MacBlock block = mac_block<Shape>(a);
  const MacPlace& place = block.place;
  if (block.first_pixel >= place.pixels) return;  // all of it: a smaller class has fewer tiles
  float* const ring = block.ring;
  const int thread = static_cast<int>(device::thread_number());

  // What this thread copies: one piece of x_rows pixels and of w_rows output channels.
  const int piece = thread % Shape::pieces, copier = thread / Shape::pieces;
  const float* const x = a.x + block.matrix.x + place.group * a.IC + piece * 4;
  MacRow row[Shape::x_rows];
  mac_rows<Shape::copiers>(a, block, copier, piece, row);
  const int rows = static_cast<int>(mac_packed_rows(a.IC, a.taps));
  const int packed_channels = static_cast<int>(mac_panels(a.OC)) * mac_panel;
  const int first_channel = place.stretch * Shape::width + copier;
  // w[g][oc][k row]
  const float* const w =
      a.w + block.matrix.w +
      (static_cast<std::int64_t>(place.group) * packed_channels + first_channel) * rows + piece * 4;
  const int copy_at = swizzled(copier, piece);

  MacCursor cursor;
  const auto start_stage = [&](int stage) {
    float* const to = ring + stage * Shape::stage_floats + copy_at;
    if (piece * 4 >= MacCursor::length(a, cursor.block)) return;  // of a group that is skipped
    const int distance = cursor.distance(a, place);
    // x[pixel, g*IC + ic]
    const float* const channel = x + cursor.block;
#pragma unroll
    for (int i = 0; i < Shape::x_rows; ++i)
      mac_copy<wide>(to + i * Shape::copiers * Shape::depth,
                     channel + static_cast<std::int64_t>(row[i].pixel + distance) * a.x_pixel,
                     cursor.inside(row[i]), cursor.block + piece * 4, a);
    const float* const from = w + cursor.packed_row(a, place);
#pragma unroll
    for (int i = 0; i < Shape::w_rows; ++i) {
      const bool there = first_channel + i * Shape::copiers < packed_channels;
      device::copy_async<16>(
          to + Shape::x_floats + i * Shape::copiers * Shape::depth,
          there ? from + static_cast<std::int64_t>(i) * Shape::copiers * rows : from, there);
    }
  };

  // What ldmatrix reads for this lane: matrices of eight rows and one piece each.
  //   x  {rows 0-7, rows 8-15} of piece 2g, then of piece 2g + 1: the four registers of an m tile
  //   w  pieces 2g and 2g + 1 of rows 0-7, then of rows 8-15: the two registers of two n tiles
  const int warp = thread / 32, lane = thread % 32;
  const int x_row = warp / Shape::across * Shape::m_tiles * 16 + lane % 16, x_piece = lane / 16;
  const int w_row = warp % Shape::across * Shape::n_tiles * 8 + lane / 16 * 8 + lane % 8,
            w_piece = lane / 8 % 2;

  float acc[Shape::m_tiles][Shape::n_tiles][4];
#pragma unroll
  for (int m = 0; m < Shape::m_tiles; ++m)
#pragma unroll
    for (int n = 0; n < Shape::n_tiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) acc[m][n][i] = 0;

  const int blocks = (a.IC + Shape::depth - 1) / Shape::depth;
  const int stages_in_all = blocks * place.rows->taps * place.columns->taps;
  int first_channel_read = 0;  // of the block that is read, and how many taps of it are left
  int taps_left = place.rows->taps * place.columns->taps;
  mac_stages<Shape>(a, place, cursor, stages_in_all, start_stage, [&](int, int reading) {
    const float* const xs = ring + reading * Shape::stage_floats;
    const float* const ws = xs + Shape::x_floats;
    const int groups = MacCursor::length(a, first_channel_read) / 8;
    const auto multiply = [&](int g) {
      std::uint32_t wk[Shape::n_tiles][2];
#pragma unroll
      for (int n = 0; n < Shape::n_tiles; n += 2) {
        std::uint32_t pair[4];
        device::load_matrix_x4(pair, ws + swizzled(w_row + n * 8, 2 * g + w_piece));
        wk[n][0] = pair[0], wk[n][1] = pair[1], wk[n + 1][0] = pair[2], wk[n + 1][1] = pair[3];
      }
#pragma unroll
      for (int m = 0; m < Shape::m_tiles; ++m) {
        std::uint32_t xk[4];
        device::load_matrix_x4(xk, xs + swizzled(x_row + m * 16, 2 * g + x_piece));
        if constexpr (rounding != Rounding::truncate) {
#pragma unroll
          for (int i = 0; i < 4; ++i) xk[i] = carried<rounding>(xk[i]);
        }
#pragma unroll
        for (int n = 0; n < Shape::n_tiles; ++n) device::mma_m16n8k8(acc[m][n], xk, wk[n]);
      }
    };
    if constexpr (rounding == Rounding::rn) {
      // Ties to even need registers that four groups side by side leave none of on sm_90.
#pragma unroll 1
      for (int g = 0; g < groups; ++g) multiply(g);
    } else {
#pragma unroll
      for (int g = 0; g < Shape::depth / 8; ++g) {
        if (g >= groups) break;
        multiply(g);
      }
    }
    if (--taps_left == 0) {
      taps_left = place.rows->taps * place.columns->taps;
      first_channel_read += Shape::depth;
    }
  });

#pragma unroll
  for (int m = 0; m < Shape::m_tiles; ++m) {
#pragma unroll
    for (int n = 0; n < Shape::n_tiles; ++n) {
      const int p = warp / Shape::across * Shape::m_tiles * 16 + m * 16 + lane / 4;
      const int column = (warp % Shape::across * Shape::n_tiles + n) * 8 + lane % 4 * 2;
      float* const to = ring + p * Shape::sum_pitch + column;
      to[0] = device::add_rn(acc[m][n][0], 0.0F);
      to[1] = device::add_rn(acc[m][n][1], 0.0F);
      to[8 * Shape::sum_pitch] = device::add_rn(acc[m][n][2], 0.0F);
      to[8 * Shape::sum_pitch + 1] = device::add_rn(acc[m][n][3], 0.0F);
    }
  }
  device::barrier();
  mac_store<Shape>(a, block);
}

template <class Shape, Rounding rounding, bool wide>
__global__ void __launch_bounds__(Shape::threads, 1) tensor_mac(TiledMacArgument a) {
  tensor<Shape, rounding, wide>(a);
}

template <class Shape, Rounding rounding, bool wide = true>
Status launch_shape(const Queue& queue, const char* name, const TiledMacArgument& a) {
  return launch_tiles<Shape>(queue, name, tensor_mac<Shape, rounding, wide>, a);
}

using M128N128 = TensorShape<2, 2, 4, 8, 3>;
using M128N64 = TensorShape<2, 2, 4, 4, 4>;
using M64N64 = TensorShape<2, 2, 2, 4, 4>;

template <Rounding rounding>
Status launch_rounding(const Queue& queue, TensorTile tile, const TiledMacArgument& a) {
  switch (tile) {
    case TensorTile::m128n128:
      return launch_shape<M128N128, rounding>(queue, "mac tensor 128x128", a);
    case TensorTile::m128n64:
      return launch_shape<M128N64, rounding>(queue, "mac tensor 128x64", a);
    case TensorTile::m64n64:
      break;
  }
  return a.wide_reads ? launch_shape<M64N64, rounding>(queue, "mac tensor 64x64", a)
                      : launch_shape<M64N64, rounding, false>(queue, "mac tensor 64x64 narrow", a);
}

}  // namespace

bool tensor_takes(TensorTile tile, const TiledMacArgument& a) {
  return a.wide_reads || tile == TensorTile::m64n64;
}

Status launch_tensor_mac(const Queue& queue, TensorTile tile, Rounding rounding,
                         const TiledMacArgument& a) {
  if (!tensor_takes(tile, a)) return not_supported;
  switch (rounding) {
    case Rounding::rna:
      return launch_rounding<Rounding::rna>(queue, tile, a);
    case Rounding::rn:
      return launch_rounding<Rounding::rn>(queue, tile, a);
    case Rounding::truncate:
      break;
  }
  return launch_rounding<Rounding::truncate>(queue, tile, a);
}

}  // namespace parity::cuda
