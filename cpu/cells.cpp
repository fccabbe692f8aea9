#include "cpu/cells.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/mac/highway.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cells.cpp"
// foreach_target.h comes first: it compiles the rest of this file once per target.
// clang-format off
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "cpu/epilogue-inl.hpp"
#include "cpu/sequences-inl.hpp"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace {

#include "model/arithmetic/recurrent_cell-inl.hpp"

struct VectorCell : Vectors<float> {
  static HWY_INLINE F sigmoid(F x) { return HWY_NAMESPACE::sigmoid<Vectors<float>>(x); }
  static HWY_INLINE F tanh(F x) { return HWY_NAMESPACE::tanh<Vectors<float>>(x); }
};
using A = VectorCell;
using F = VectorCell::F;
constexpr VectorCell::D lanes;

/// What gate k of elements [i, i + some) reads.
HWY_INLINE GateTerms<F> gate(const float* gx, const float* gh, std::int64_t k, std::int64_t H,
                             std::int64_t i, std::size_t some) {
  const F none = hn::Zero(lanes);
  return {load_some(lanes, gx + k * H + i, some), load_some(lanes, gh + k * H + i, some), none,
          none};
}
/// Calls each(i, some) for the pieces [i, i + some) of H elements.
template <class Each>
HWY_INLINE void for_each_piece(std::int64_t H, Each each) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(lanes));
  for (std::int64_t i = 0; i < H; i += width)
    each(i, static_cast<std::size_t>(std::min(width, H - i)));
}

void gru_row(const CellForm& form, const float* gx, const float* gh, float* h, std::int64_t H) {
  for_each_piece(H, [&](std::int64_t i, std::size_t some) {
    const GateTerms<F> gates[3] = {gate(gx, gh, 0, H, i, some), gate(gx, gh, 1, H, i, some),
                                   gate(gx, gh, 2, H, i, some)};
    store_some(lanes, gru<A>(gates, load_some(lanes, h + i, some), form, false), h + i, some);
  });
}
void gru_reset_row(const CellForm& form, const float* gx, const float* gh, const float* h, float* z,
                   float* reset, std::int64_t H) {
  for_each_piece(H, [&](std::int64_t i, std::size_t some) {
    const GateTerms<F> gates[2] = {gate(gx, gh, 0, H, i, some), gate(gx, gh, 1, H, i, some)};
    const GruReset<F> made = gru_reset<A>(gates, load_some(lanes, h + i, some), form, false);
    store_some(lanes, made.z, z + i, some);
    store_some(lanes, made.state, reset + i, some);
  });
}
void gru_after_reset_row(const CellForm& form, const float* gx, const float* gn, const float* z,
                         float* h, std::int64_t H) {
  for_each_piece(H, [&](std::int64_t i, std::size_t some) {
    const F next =
        gru_after_reset<A>(gate(gx + 2 * H, gn, 0, H, i, some), load_some(lanes, z + i, some),
                           load_some(lanes, h + i, some), form, false);
    store_some(lanes, next, h + i, some);
  });
}
void lstm_row(const CellForm& form, const float* gx, const float* gh, const float* peepholes,
              float* h, float* c, std::int64_t H) {
  for_each_piece(H, [&](std::int64_t i, std::size_t some) {
    const GateTerms<F> gates[4] = {gate(gx, gh, 0, H, i, some), gate(gx, gh, 1, H, i, some),
                                   gate(gx, gh, 2, H, i, some), gate(gx, gh, 3, H, i, some)};
    const auto peephole = [&](std::int64_t k) {
      return peepholes == nullptr ? hn::Zero(lanes) : load_some(lanes, peepholes + k * H + i, some);
    };
    const F seen[3] = {peephole(0), peephole(1), peephole(2)};
    const LstmState<F> next =
        lstm<A>(gates, seen, load_some(lanes, c + i, some), form, false, peepholes != nullptr);
    store_some(lanes, next.h, h + i, some);
    store_some(lanes, next.c, c + i, some);
  });
}

}  // namespace

const CellKernels<float>& cells() {
  static constexpr CellKernels<float> kernels{gru_row, gru_reset_row, gru_after_reset_row,
                                              lstm_row};
  return kernels;
}
#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

namespace cell = recurrent;

struct FloatCell : elementary::HostArithmetic {
  static float sigmoid(float x) { return elementary::sigmoid(x); }
  static float tanh(float x) { return elementary::tanh(x); }
};
struct DoubleCell : elementary::DoubleArithmetic {
  static double sigmoid(double x) { return elementary::sigmoid(x); }
  static double tanh(double x) { return std::tanh(x); }
};

template <class T>
GateTerms<T> gate_of(const T* gx, const T* gh, std::int64_t k, std::int64_t H, std::int64_t i) {
  return {gx[k * H + i], gh[k * H + i], 0, 0};
}

template <class A, class T = typename A::F>
const CellKernels<T>& scalar_cells() {
  static constexpr CellKernels<T> kernels{
      [](const CellForm& form, const T* gx, const T* gh, T* h, std::int64_t H) {
        for (std::int64_t i = 0; i < H; ++i) {
          const GateTerms<T> gates[3] = {gate_of(gx, gh, 0, H, i), gate_of(gx, gh, 1, H, i),
                                         gate_of(gx, gh, 2, H, i)};
          h[i] = cell::gru<A>(gates, h[i], form, false);
        }
      },
      [](const CellForm& form, const T* gx, const T* gh, const T* h, T* z, T* reset,
         std::int64_t H) {
        for (std::int64_t i = 0; i < H; ++i) {
          const GateTerms<T> gates[2] = {gate_of(gx, gh, 0, H, i), gate_of(gx, gh, 1, H, i)};
          const GruReset<T> made = cell::gru_reset<A>(gates, h[i], form, false);
          z[i] = made.z;
          reset[i] = made.state;
        }
      },
      [](const CellForm& form, const T* gx, const T* gn, const T* z, T* h, std::int64_t H) {
        for (std::int64_t i = 0; i < H; ++i)
          h[i] =
              cell::gru_after_reset<A>(gate_of(gx + 2 * H, gn, 0, H, i), z[i], h[i], form, false);
      },
      [](const CellForm& form, const T* gx, const T* gh, const T* peepholes, T* h, T* c,
         std::int64_t H) {
        for (std::int64_t i = 0; i < H; ++i) {
          const GateTerms<T> gates[4] = {gate_of(gx, gh, 0, H, i), gate_of(gx, gh, 1, H, i),
                                         gate_of(gx, gh, 2, H, i), gate_of(gx, gh, 3, H, i)};
          const bool peeps = peepholes != nullptr;
          const T seen[3] = {peeps ? peepholes[i] : 0, peeps ? peepholes[H + i] : 0,
                             peeps ? peepholes[2 * H + i] : 0};
          const LstmState<T> next = cell::lstm<A>(gates, seen, c[i], form, false, peeps);
          h[i] = next.h;
          c[i] = next.c;
        }
      }};
  return kernels;
}

}  // namespace

template <>
const CellKernels<float>& cell_kernels<float>(InstructionSet set) {
  using Cells = const CellKernels<float>& (*)();
  return PARITY_WIDTHS(Cells, scalar_cells<FloatCell>, cells).at(set)();
}
template <>
const CellKernels<double>& cell_kernels<double>(InstructionSet) {
  return scalar_cells<DoubleCell>();
}

}  // namespace parity::cpu
#endif  // HWY_ONCE
