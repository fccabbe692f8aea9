#include "cuda/grid.hpp"
#include "cuda/movement.hpp"
#include "cuda/walk.hpp"
#include "model/arithmetic/magnitude.hpp"

// Memory-bound: each kernel reads and writes every element once. The transpose goes through a tile in
// shared memory, so that both sides are coalesced; its rows are one word longer than 32, so that a column of
// the tile lies in 32 banks.

namespace parity::cuda {
namespace {

constexpr int tile = 32;
constexpr int tile_rows = 8;  // of threads; each moves tile / tile_rows elements

template <class Word>
struct Tile {
  Word at[tile][tile + 1];
};

template <class Word>
__global__ void __launch_bounds__(tile* tile_rows) transpose(TransposeArgument a) {
  Tile<Word>& shared = device::static_shared<Tile<Word>>();
  const Extent thread = device::thread_index();
  const std::int64_t across = (a.columns + tile - 1) / tile, down = (a.rows + tile - 1) / tile;
  const std::int64_t number = device::block_index().x;
  const std::int64_t n = number / (across * down), row0 = number / across % down * tile,
                     column0 = number % across * tile;
  const Word* const from = static_cast<const Word*>(a.from) + n * a.rows * a.columns;
  Word* const to = static_cast<Word*>(a.to) + n * a.rows * a.columns;
  for (int i = static_cast<int>(thread.y); i < tile; i += tile_rows) {
    const std::int64_t row = row0 + i, column = column0 + thread.x;
    if (row < a.rows && column < a.columns) shared.at[i][thread.x] = from[row * a.columns + column];
  }
  device::barrier();
  for (int i = static_cast<int>(thread.y); i < tile; i += tile_rows) {
    const std::int64_t row = row0 + thread.x, column = column0 + i;
    if (row < a.rows && column < a.columns) to[column * a.rows + row] = shared.at[thread.x][i];
  }
}

template <class To, class From>
__global__ void __launch_bounds__(threads_per_block) convert(ConvertArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    static_cast<To*>(a.to)[i] = static_cast<To>(static_cast<const From*>(a.from)[i]);
}

template <class Word>
__global__ void __launch_bounds__(threads_per_block) strided_copy(StridedCopyArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    static_cast<Word*>(a.to)[offset_of(a.walk, a.to_steps, i)] =
        static_cast<const Word*>(a.from)[offset_of(a.walk, a.from_steps, i)];
}

template <class Word>
__global__ void __launch_bounds__(threads_per_block) placed_copy(PlacedCopyArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    std::int64_t at = a.start, rest = i;
    bool outside = false;
#pragma unroll 1
    for (int axis = a.walk.rank - 1; axis >= 0; --axis) {
      const std::int64_t index = rest % a.walk.extents[axis];
      rest /= a.walk.extents[axis];
      const std::int64_t* const table = a.tables[axis];
      const std::int64_t step = table != nullptr ? table[index] : index * a.steps.of[axis];
      outside = outside || (table != nullptr && step < 0);
      at += step;
    }
    static_cast<Word*>(a.to)[i] =
        outside ? static_cast<Word>(a.fill) : static_cast<const Word*>(a.from)[at];
  }
}

__global__ void __launch_bounds__(threads_per_block) magnitude(MagnitudeArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    a.to[i] = magnitude_operand(a.from[i]);
}

template <class Word>
Status transpose_words(const Queue& queue, const TransposeArgument& a) {
  const std::int64_t tiles = a.N * ((a.columns + tile - 1) / tile) * ((a.rows + tile - 1) / tile);
  return launch(queue, "transpose", transpose<Word>, {static_cast<unsigned>(tiles)},
                {tile, tile_rows}, 0, a);
}

template <class To>
Status convert_to(const Queue& queue, const ConvertArgument& a) {
  const Extent blocks = blocks_for(a.count), threads{threads_per_block};
  switch (a.from_type) {
    case ElementType::float32:
      return launch(queue, "convert", convert<To, float>, blocks, threads, 0, a);
    case ElementType::float64:
      return launch(queue, "convert", convert<To, double>, blocks, threads, 0, a);
    case ElementType::int64:
      return launch(queue, "convert", convert<To, std::int64_t>, blocks, threads, 0, a);
    case ElementType::boolean:
      return launch(queue, "convert", convert<To, std::uint8_t>, blocks, threads, 0, a);
  }
  return not_supported;
}

}  // namespace

Status launch_transpose(const Queue& queue, const TransposeArgument& argument) {
  return with_word(argument.word_bytes,
                   [&](auto word) { return transpose_words<decltype(word)>(queue, argument); });
}

Status launch_convert(const Queue& queue, const ConvertArgument& argument) {
  return argument.to_type == ElementType::float64 ? convert_to<double>(queue, argument)
                                                  : convert_to<float>(queue, argument);
}

Status launch_strided_copy(const Queue& queue, const StridedCopyArgument& argument) {
  return with_word(argument.word_bytes, [&](auto word) {
    return launch(queue, "strided copy", strided_copy<decltype(word)>, blocks_for(argument.count),
                  {threads_per_block}, 0, argument);
  });
}

Status launch_placed_copy(const Queue& queue, const PlacedCopyArgument& argument) {
  return with_word(argument.word_bytes, [&](auto word) {
    return launch(queue, "placed copy", placed_copy<decltype(word)>, blocks_for(argument.count),
                  {threads_per_block}, 0, argument);
  });
}

Status launch_magnitude(const Queue& queue, const MagnitudeArgument& argument) {
  return launch(queue, "magnitude", magnitude, blocks_for(argument.count), {threads_per_block}, 0,
                argument);
}

}  // namespace parity::cuda
