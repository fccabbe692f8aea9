#include "cpu/transpose.hpp"

#include <algorithm>
#include <cstdint>

#include "cpu/mac/highway.hpp"
#include "hwy/cache_control.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/transpose.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// One block of 4x4 floats or 2x2 doubles, in registers.
#if HWY_TARGET != HWY_SCALAR
HWY_INLINE void transpose_block(const float* from, std::int64_t from_stride, float* to,
                                std::int64_t to_stride) {
  const hn::FixedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_stride);
  const auto r2 = hn::LoadU(d, from + 2 * from_stride), r3 = hn::LoadU(d, from + 3 * from_stride);
  const auto low02 = hn::InterleaveLower(d, r0, r2), low13 = hn::InterleaveLower(d, r1, r3);
  const auto high02 = hn::InterleaveUpper(d, r0, r2), high13 = hn::InterleaveUpper(d, r1, r3);
  hn::StoreU(hn::InterleaveLower(d, low02, low13), d, to);
  hn::StoreU(hn::InterleaveUpper(d, low02, low13), d, to + to_stride);
  hn::StoreU(hn::InterleaveLower(d, high02, high13), d, to + 2 * to_stride);
  hn::StoreU(hn::InterleaveUpper(d, high02, high13), d, to + 3 * to_stride);
}
HWY_INLINE void transpose_block(const double* from, std::int64_t from_stride, double* to,
                                std::int64_t to_stride) {
  const hn::FixedTag<double, 2> d;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_stride);
  hn::StoreU(hn::InterleaveLower(d, r0, r1), d, to);
  hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, to + to_stride);
}
#endif

/// Elements of a tile's side: one cache line of floats, so that lines are read and written whole.
constexpr std::int64_t side = 16;

/// A whole tile by way of the first-level cache, its lines written whole.
template <class T>
void transpose_whole_tile(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                          bool past_caches) {
#if HWY_TARGET == HWY_SCALAR
  (void)past_caches;
  for (std::int64_t c = 0; c < side; ++c)
    for (std::int64_t r = 0; r < side; ++r) to[c * to_stride + r] = from[r * from_stride + c];
#else
  constexpr std::int64_t block = 16 / static_cast<std::int64_t>(sizeof(T));
  const hn::ScalableTag<T> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  HWY_ALIGN T tile[side * side];
  for (std::int64_t r = 0; r < side; r += block)
    for (std::int64_t c = 0; c < side; c += block)
      transpose_block(from + r * from_stride + c, from_stride, tile + c * side + r, side);
  for (std::int64_t c = 0; c < side; ++c) {
    for (std::int64_t r = 0; r < side; r += lanes) {
      const auto line = hn::Load(d, tile + c * side + r);
      if (past_caches)
        hn::Stream(line, d, to + c * to_stride + r);
      else
        hn::StoreU(line, d, to + c * to_stride + r);
    }
  }
#endif
}

template <class T>
void transpose_tiles(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                     std::int64_t rows, std::int64_t columns, Into into) {
  const bool lines =
      reinterpret_cast<std::uintptr_t>(to) % (side * sizeof(T)) == 0 && to_stride % side == 0;
  const bool past_caches = into == Into::memory && lines;
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t ahead = 8 * side;  // of more streams than the hardware foresees
  const auto tile = [&](std::int64_t r, std::int64_t c, std::int64_t next_r, std::int64_t next_c) {
    const T* const source = from + r * from_stride + c;
    T* const target = to + c * to_stride + r;
    if (rows - r >= side && columns - c >= side) {
      for (std::int64_t i = 0; i < side; ++i)
        for (std::int64_t j = 0; j < side; j += line)
          hwy::Prefetch(source + (i + next_r) * from_stride + next_c + j);
      return transpose_whole_tile(source, from_stride, target, to_stride, past_caches);
    }
    for (std::int64_t j = 0; j < std::min(side, columns - c); ++j)
      for (std::int64_t i = 0; i < std::min(side, rows - r); ++i)
        target[j * to_stride + i] = source[i * from_stride + j];
  };
  // Walk along the side whose rows lie far apart: its few streams then run through memory in order.
  if (from_stride >= to_stride) {
    for (std::int64_t r = 0; r < rows; r += side)
      for (std::int64_t c = 0; c < columns; c += side) tile(r, c, 0, ahead);
  } else {
    for (std::int64_t c = 0; c < columns; c += side)
      for (std::int64_t r = 0; r < rows; r += side) tile(r, c, ahead, 0);
  }
  if (past_caches) hwy::FlushStream();
}

}  // namespace

void transpose_matrix(const float* from, std::int64_t from_stride, float* to,
                      std::int64_t to_stride, std::int64_t rows, std::int64_t columns, Into into) {
  transpose_tiles(from, from_stride, to, to_stride, rows, columns, into);
}
void transpose_matrix(const double* from, std::int64_t from_stride, double* to,
                      std::int64_t to_stride, std::int64_t rows, std::int64_t columns, Into into) {
  transpose_tiles(from, from_stride, to, to_stride, rows, columns, into);
}

}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

template <class T>
using Transpose = void (*)(const T*, std::int64_t, T*, std::int64_t, std::int64_t, std::int64_t,
                           Into);

template <class T>
Transpose<T> transpose_for(InstructionSet set) {
  return PARITY_WIDTHS(Transpose<T>, HWY_STATIC_DISPATCH(transpose_matrix), transpose_matrix)
      .at(set);
}

}  // namespace

void transpose(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride,
               std::int64_t rows, std::int64_t columns, Into into, InstructionSet set) {
  transpose_for<float>(set)(from, from_stride, to, to_stride, rows, columns, into);
}

void transpose(const double* from, std::int64_t from_stride, double* to, std::int64_t to_stride,
               std::int64_t rows, std::int64_t columns, Into into, InstructionSet set) {
  transpose_for<double>(set)(from, from_stride, to, to_stride, rows, columns, into);
}

}  // namespace parity::cpu
#endif
