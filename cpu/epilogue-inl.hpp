// What the kernels of this folder share on vectors, compiled once per Highway target by the files that
// include it (their own foreach_target).

#include <cstring>
#include <span>

#include "cpu/epilogue.hpp"
#include "hwy/highway.h"

#if defined(PARITY_CPU_EPILOGUE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PARITY_CPU_EPILOGUE_INL
#undef PARITY_CPU_EPILOGUE_INL
#else
#define PARITY_CPU_EPILOGUE_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace hn = hwy::HWY_NAMESPACE;

/// The first `count` lanes from memory, the rest zero; reads nothing beyond them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_some(D d, const T* from, std::size_t count) {
  if (count >= hn::Lanes(d)) return hn::LoadU(d, from);
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)] = {};
  std::memcpy(buffer, from, count * sizeof(T));
  return hn::Load(d, buffer);
}

/// Writes the first `count` lanes and nothing beyond them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_some(D d, hn::Vec<D> v, T* to, std::size_t count) {
  if (count >= hn::Lanes(d)) return hn::StoreU(v, d, to);
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, buffer);
  std::memcpy(to, buffer, count * sizeof(T));
}

/// x > 0 ? x : (x != x ? x : +0): a NaN is not <= 0 and passes.
template <class D>
HWY_INLINE hn::Vec<D> relu(D d, hn::Vec<D> x) {
  return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x);
}

/// Applies the steps to `count` channels, numbered from `channel`, of each of `rows` rows
/// (cpu/epilogue.cpp).
void apply_rows(std::span<const EpilogueStep<float>> epilogue, float* const* y, int rows,
                std::size_t count, std::size_t channel);
void apply_rows(std::span<const EpilogueStep<double>> epilogue, double* const* y, int rows,
                std::size_t count, std::size_t channel);

#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per-target include guard
