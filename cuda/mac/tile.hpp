#pragma once

// What the tiled MAC kernels share: which pixels a block has, where their taps lie, and how a finished
// tile is written. Included by .cu files only.

#include "cuda/arithmetic.hpp"
#include "cuda/mac/mac.hpp"

namespace parity::cuda {

/// A block's place: a tile of pixels of one class of one matrix, and a stretch of output channels of
/// one group. Blocks of neighbouring numbers share their pixels, so that x is read while it is in the
/// cache.
struct MacPlace {
  const MacAxis* rows;
  const MacAxis* columns;
  std::int64_t tile;    ///< of this class
  std::int64_t pixels;  ///< of this class
  std::int32_t group;
  std::int32_t stretch;  ///< channels [stretch * width, …) of the group
  std::int32_t matrix;
};

__device__ __forceinline__ MacPlace mac_place(const TiledMacArgument& a, int width) {
  const int stretches = (a.OC + width - 1) / width;
  const int per_tile = stretches * a.G;
  const int block = static_cast<int>(device::block_index().x);
  const int rest = block % per_tile, tile = block / per_tile;
  MacPlace place{};
  place.tile = tile % a.tiles;
  place.group = rest / stretches;
  place.stretch = rest % stretches;
  const int classes = a.row_classes * a.column_classes;
  const int whole = tile / a.tiles;  // a class of a matrix
  place.matrix = whole / classes;
  place.rows = &a.rows[whole % classes / a.column_classes];
  place.columns = &a.columns[whole % a.column_classes];
  place.pixels = static_cast<std::int64_t>(a.N) * place.rows->count * place.columns->count;
  return place;
}

/// Tiles of the class that has most; every class is given as many.
inline std::int64_t mac_tiles(const TiledMacArgument& a, int pixels) {
  std::int64_t most = 0;
  for (int r = 0; r < a.row_classes; ++r)
    for (int c = 0; c < a.column_classes; ++c) {
      const std::int64_t all =
          static_cast<std::int64_t>(a.N) * a.rows[r].count * a.columns[c].count;
      if (all > most) most = all;
    }
  return (most + pixels - 1) / pixels;
}

/// Launches a tiled kernel: all tiles of all matrices along one axis of the grid.
template <class Shape>
Status launch_tiles(const Queue& queue, const char* name, void (*kernel)(TiledMacArgument),
                    TiledMacArgument a) {
  const std::int64_t tiles = mac_tiles(a, Shape::pixels);
  const std::int64_t stretches = (a.OC + Shape::width - 1) / Shape::width;
  const std::int64_t blocks =
      tiles * stretches * a.G * a.row_classes * a.column_classes * a.matrix_count;
  if (blocks > most_mac_blocks) return not_supported;
  a.tiles = static_cast<std::int32_t>(tiles);
  return launch(queue, name, kernel, {static_cast<unsigned>(blocks)}, {Shape::threads},
                Shape::shared_floats * sizeof(float), a);
}

/// A row of the tile as its loader sees it: the number of the input pixel that its first tap reads, or
/// would read, and which taps are inside the image: bit t for row tap t, bit 16 + t for column tap t.
struct MacRow {
  int pixel;
  std::uint32_t inside;
};

/// The pixel-th pixel of the place. `output` is its number among the outputs, -1 beyond the last.
__device__ __forceinline__ MacRow mac_row(const TiledMacArgument& a, const MacPlace& place,
                                          std::int64_t pixel, int& output) {
  if (pixel >= place.pixels) {
    output = -1;
    return {0, 0};
  }
  const MacAxis& rows = *place.rows;
  const MacAxis& columns = *place.columns;
  const int p = static_cast<int>(pixel);
  const int j = p % columns.count, i = p / columns.count % rows.count,
            n = p / columns.count / rows.count;
  output = (n * a.OH + rows.first + i * rows.step) * a.OW + columns.first + j * columns.step;
  const int ih = i * rows.input_step + rows.offset, iw = j * columns.input_step + columns.offset;
  std::uint32_t inside = 0;
  for (int t = 0; t < rows.taps; ++t) {
    const int at = ih + t * rows.offset_step;
    if (at >= 0 && at < a.IH) inside |= 1U << t;
  }
  for (int t = 0; t < columns.taps; ++t) {
    const int at = iw + t * columns.offset_step;
    if (at >= 0 && at < a.IW) inside |= 1U << (16 + t);
  }
  return {(n * a.IH + ih) * a.IW + iw, inside};
}

/// Walks the stages of a place in MAC order: `depth` k rows of one tap and block each, the last of a
/// block and tap maybe filled up with zeros.
struct MacCursor {
  std::int32_t block = 0, row_tap = 0, column_tap = 0, channel = 0;  ///< channel: inside the block

  /// Channels of the block, filled up to a multiple of 8.
  __device__ __forceinline__ static int length(const TiledMacArgument& a, int block) {
    const int left = (a.IC - block + 7) / 8 * 8;
    return left < channel_block ? left : static_cast<int>(channel_block);
  }
  /// The packed k row of channel `channel` of the block and tap.
  __device__ __forceinline__ int packed_row(const TiledMacArgument& a,
                                            const MacPlace& place) const {
    const int tap = (place.rows->tap + row_tap * place.rows->tap_step) * a.KW + place.columns->tap +
                    column_tap * place.columns->tap_step;
    return block * a.taps + tap * length(a, block) + channel;
  }
  /// From a MacRow's pixel to the one that this tap reads.
  __device__ __forceinline__ int distance(const TiledMacArgument& a, const MacPlace& place) const {
    return row_tap * place.rows->offset_step * a.IW + column_tap * place.columns->offset_step;
  }
  __device__ __forceinline__ bool inside(const MacRow& row) const {
    return (row.inside >> row_tap & row.inside >> (16 + column_tap) & 1U) != 0;
  }
  __device__ __forceinline__ void advance(const TiledMacArgument& a, const MacPlace& place,
                                          int depth) {
    channel += depth;
    if (channel < length(a, block)) return;
    channel = 0;
    if (++column_tap < place.columns->taps) return;
    column_tap = 0;
    if (++row_tap < place.rows->taps) return;
    row_tap = 0;
    block += static_cast<int>(channel_block);
  }
};

/// What a block of a tiled kernel works on, and its shared memory: the numbers of its outputs, then the
/// stages, whose place the finished tile takes.
struct MacBlock {
  MacPlace place;
  std::int64_t first_pixel;
  MacMatrix matrix;
  int* output;
  float* ring;
};
template <class Shape>
__device__ __forceinline__ MacBlock mac_block(const TiledMacArgument& a) {
  float* const shared = device::dynamic_shared<float>();
  const MacPlace place = mac_place(a, Shape::width);
  const MacMatrix none{0, 0, 0};
  return {place, place.tile * Shape::pixels,
          a.matrices == nullptr ? none : a.matrices[place.matrix], reinterpret_cast<int*>(shared),
          shared + Shape::pixels};
}

/// The pixels that this thread copies one piece of, `copiers` apart from `copier` on; who copies the first
/// piece notes their outputs.
template <int copiers, int count>
__device__ __forceinline__ void mac_rows(const TiledMacArgument& a, const MacBlock& block,
                                         int copier, int piece, MacRow (&row)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const int p = copier + i * copiers;
    int number = 0;
    row[i] = mac_row(a, block.place, block.first_pixel + p, number);
    if (piece == 0) block.output[p] = number;
  }
}

/// Goes through `count` stages in a ring of Shape::stages: start(s) begins to copy the one that the cursor is
/// at into place s, multiply(t, s) takes the t-th from place s while others are on their way.
template <class Shape, class Start, class Multiply>
__device__ __forceinline__ void mac_stages(const TiledMacArgument& a, const MacPlace& place,
                                           MacCursor& cursor, int count, const Start& start,
                                           const Multiply& multiply) {
  constexpr int stages = Shape::stages;
#pragma unroll
  for (int s = 0; s < stages - 1; ++s) {
    if (s < count) {
      start(s);
      cursor.advance(a, place, Shape::depth);
    }
    device::commit_copies();
  }
  int reading = 0, writing = stages - 1;
  for (int t = 0; t < count; ++t) {
    device::wait_copies<stages - 2>();
    device::barrier();  // the stage to read is here, and nobody reads the one to write any more
    if (t + stages - 1 < count) {
      start(writing);
      cursor.advance(a, place, Shape::depth);
    }
    device::commit_copies();
    multiply(t, reading);
    reading = reading + 1 == stages ? 0 : reading + 1;
    writing = writing + 1 == stages ? 0 : writing + 1;
  }
  device::barrier();  // the finished tile takes the stages' place
}

/// Copies channels c … c + 3 of a tap, zeros where it lies outside or the channels end; in one piece
/// when the argument has wide_reads.
template <bool wide>
__device__ __forceinline__ void mac_copy(float* to, const float* from, bool inside, int c,
                                         const TiledMacArgument& a) {
  if constexpr (wide) {
    device::copy_async<16>(to, from, inside && c < a.IC);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) device::copy_async<4>(to + i, from + i, inside && c + i < a.IC);
  }
}

/// Writes a finished tile from shared memory, [pixels][sum_pitch] where the stages were, closed, through the
/// epilogue.
template <class Shape>
__device__ __forceinline__ void mac_store(const TiledMacArgument& a, const MacBlock& block) {
  const MacPlace& place = block.place;
  const float* const sums = block.ring;
  const int* const output = block.output;
  float* const y = a.y + block.matrix.y;
  constexpr int chunks = Shape::width / 4;
  for (int i = static_cast<int>(device::thread_number()); i < Shape::pixels * chunks;
       i += Shape::threads) {
    const int p = i / chunks, column = i % chunks * 4;
    const int oc = place.stretch * Shape::width + column;
    if (output[p] < 0 || oc >= a.OC) continue;
    const int channel = place.group * a.OC + oc;
    device::Float4 v = device::load4(sums + p * Shape::sum_pitch + column);
    for (int s = 0; s < a.epilogue.count; ++s) {
      // Beyond the last channel there is no constant to read, and nothing to store.
      const EpilogueStep& step = a.epilogue.steps[s];
      v.x = apply(step, v.x, channel);
      if (oc + 1 < a.OC) v.y = apply(step, v.y, channel + 1);
      if (oc + 2 < a.OC) v.z = apply(step, v.z, channel + 2);
      if (oc + 3 < a.OC) v.w = apply(step, v.w, channel + 3);
    }
    float* const to = y + output[p] * a.y_pixel + channel;
    if (a.wide_writes) {
      device::store4(to, v);
      continue;
    }
    to[0] = v.x;
    if (oc + 1 < a.OC) to[1] = v.y;
    if (oc + 2 < a.OC) to[2] = v.z;
    if (oc + 3 < a.OC) to[3] = v.w;
  }
}

}  // namespace parity::cuda
