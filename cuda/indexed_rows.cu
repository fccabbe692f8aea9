#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/indexed_rows.hpp"
#include "cuda/walk.hpp"

// Gather and scatter. Memory-bound; neighbouring threads handle neighbouring elements of a row.

namespace parity::cuda {
namespace {

/// Where row r starts in x.
__device__ __forceinline__ std::int64_t start_of(const RowsArgument& a, std::int64_t r) {
  std::int64_t at = offset_of(a.walk, a.x_steps, r);
  const std::int64_t* const index = a.indices + offset_of(a.walk, a.index_steps, r);
#pragma unroll 1
  for (int c = 0; c < a.components; ++c) {
    const std::int64_t place = index[c];
    at += (place < 0 ? place + a.extents[c] : place) * a.steps[c];
  }
  return at;
}

__global__ void __launch_bounds__(threads_per_block) check_indices(CheckArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    const std::int64_t extent = a.extents[i % a.components];
    if (a.indices[i] < -extent || a.indices[i] >= extent)
      device::atomic_min(a.first, static_cast<std::uint64_t>(i));
  }
}

template <class Word>
__global__ void __launch_bounds__(threads_per_block) gather(GatherRowsArgument a) {
  const std::int64_t count = a.rows.rows * a.rows.run;
  for (std::int64_t i = first_index(); i < count; i += index_step())
    static_cast<Word*>(a.y)[i] =
        static_cast<const Word*>(a.x)[start_of(a.rows, i / a.rows.run) + i % a.rows.run];
}

__global__ void __launch_bounds__(threads_per_block) winners(WinnersArgument a) {
  for (std::int64_t r = first_index(); r < a.rows.rows; r += index_step())
    device::atomic_max(a.winners + start_of(a.rows, r) / a.rows.run,
                       static_cast<std::uint64_t>(r + 1));
}

__global__ void __launch_bounds__(threads_per_block) replace(ScatterArgument a) {
  const std::int64_t count = a.rows.rows * a.rows.run;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t r = i / a.rows.run, start = start_of(a.rows, r);
    if (a.winners[start / a.rows.run] == static_cast<std::uint64_t>(r + 1))
      a.y[start + i % a.rows.run] = a.updates[i];
  }
}

__device__ __forceinline__ float joined(ScatterFunction function, float y, float u) {
  switch (function) {
    case ScatterFunction::add:
      return device::add_rn(y, u);
    case ScatterFunction::mul:
      return device::mul_rn(y, u);
    case ScatterFunction::max:
      return maximum(y, u);
    case ScatterFunction::min:
      return minimum(y, u);
    case ScatterFunction::replace:
      break;
  }
  return u;
}

__device__ __forceinline__ float grown(float x) { return x < 1.0F ? 1.0F : x; }

__global__ void __launch_bounds__(threads_per_block) accumulate(ScatterArgument a) {
  for (std::int64_t j = first_index(); j < a.rows.run; j += index_step())
    for (std::int64_t r = 0; r < a.rows.rows; ++r) {
      float* const y = a.y + start_of(a.rows, r) + j;
      const float u = a.updates[r * a.rows.run + j];
      *y = joined(a.function, *y, a.grow ? grown(u) : u);
    }
}

__global__ void __launch_bounds__(threads_per_block) grow(GrowArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) a.to[i] = grown(a.from[i]);
}

}  // namespace

Status launch_check_indices(const Queue& queue, const CheckArgument& a) {
  return launch(queue, "check indices", check_indices, blocks_for(a.count), {threads_per_block}, 0,
                a);
}

Status launch_gather_rows(const Queue& queue, const GatherRowsArgument& a) {
  return with_word(a.word_bytes, [&](auto word) {
    return launch(queue, "gather", gather<decltype(word)>, blocks_for(a.rows.rows * a.rows.run),
                  {threads_per_block}, 0, a);
  });
}

Status launch_winners(const Queue& queue, const WinnersArgument& a) {
  return launch(queue, "winners", winners, blocks_for(a.rows.rows), {threads_per_block}, 0, a);
}

Status launch_scatter(const Queue& queue, const ScatterArgument& a) {
  if (a.function == ScatterFunction::replace)
    return launch(queue, "scatter", replace, blocks_for(a.rows.rows * a.rows.run),
                  {threads_per_block}, 0, a);
  return launch(queue, "scatter in order", accumulate, blocks_for(a.rows.run), {threads_per_block},
                0, a);
}

Status launch_grow(const Queue& queue, const GrowArgument& a) {
  return launch(queue, "grow", grow, blocks_for(a.count), {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
