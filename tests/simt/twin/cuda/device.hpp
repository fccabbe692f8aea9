#pragma once

// The twin of cuda/device.hpp: the same names, as ordinary C++ on the fibers of tests/simt. Kernels
// compiled against it run on the processor, with the same bits, and are watched while they do.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda/api.hpp"
#include "tests/simt/thread.hpp"

// CUDA's keywords mean nothing here.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace parity::cuda {
namespace device {

using parity::Where;

inline Extent thread_index() { return simt::this_thread().index; }
inline Extent block_index() { return simt::this_thread().block_index(); }
inline Extent block_extent() { return simt::this_thread().block_extent(); }
inline Extent grid_extent() { return simt::this_thread().grid_extent(); }
inline unsigned thread_number() { return simt::this_thread().number; }

inline float fma_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float add_rn(float a, float b) { return a + b; }
inline float sub_rn(float a, float b) { return a - b; }
inline float mul_rn(float a, float b) { return a * b; }
inline float div_rn(float a, float b) { return a / b; }
inline float sqrt_rn(float a) { return std::sqrt(a); }
inline double fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline double add_rn(double a, double b) { return a + b; }
inline double sub_rn(double a, double b) { return a - b; }
inline double mul_rn(double a, double b) { return a * b; }
inline double div_rn(double a, double b) { return a / b; }
inline double sqrt_rn(double a) { return std::sqrt(a); }
inline float narrow_rn(double a) { return static_cast<float>(a); }
inline std::uint32_t bits_of(float a) { return std::bit_cast<std::uint32_t>(a); }
inline float float_of(std::uint32_t a) { return std::bit_cast<float>(a); }
inline std::uint64_t bits_of(double a) { return std::bit_cast<std::uint64_t>(a); }
inline double double_of(std::uint64_t a) { return std::bit_cast<double>(a); }

struct alignas(16) Float4 {
  float x, y, z, w;
};
inline Float4 load4(const float* from, Where where = Where::here()) {
  simt::require_aligned(from, 16, where);
  Float4 value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline void store4(float* to, const Float4& value, Where where = Where::here()) {
  simt::require_aligned(to, 16, where);
  std::memcpy(to, &value, sizeof value);
}

template <class T>
T& static_shared() {
  static const char key = 0;  // its address stands for T
  return *static_cast<T*>(simt::this_thread().static_shared(&key, sizeof(T)));
}
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(simt::this_thread().dynamic_shared());
}

template <int Bytes>
void copy_async(void* shared, const void* from, bool inside, Where where = Where::here()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  simt::require_aligned(shared, Bytes, where);
  simt::require_aligned(from, Bytes, where);
  simt::this_thread().start_copy(shared, inside ? from : nullptr, Bytes);
}
inline void commit_copies() { simt::this_thread().commit_copies(); }
template <int Open>
void wait_copies() {
  simt::this_thread().wait_copies(Open);
}

inline void barrier(Where where = Where::here()) { simt::this_thread().barrier(where); }
inline void warp_barrier(Where where = Where::here()) {
  simt::this_thread().meet_warp("warp_barrier", where, nullptr, 0);
}

template <class T>
T shuffle(T value, int lane, Where where = Where::here()) {
  const simt::Warp& warp = simt::this_thread().meet_warp("shuffle", where, &value, sizeof value);
  T result;
  std::memcpy(&result, warp.said(lane, where), sizeof result);
  return result;
}
template <class T>
T shuffle_xor(T value, int mask, Where where = Where::here()) {
  const int lane = static_cast<int>(thread_number() % 32);
  return shuffle(value, lane ^ mask, where);
}
inline unsigned ballot(bool predicate, Where where = Where::here()) {
  const simt::Warp& warp =
      simt::this_thread().meet_warp("ballot", where, &predicate, sizeof predicate);
  unsigned votes = 0;
  for (int lane = 0; lane < warp.lanes(); ++lane)
    votes |= (*static_cast<const bool*>(warp.said(lane, where)) ? 1U : 0U) << lane;
  return votes;
}

template <class T>
void atomic_add(T* at, T value) {
  simt::this_thread().step();
  *at += value;
}
template <class T>
void atomic_max(T* at, T value) {
  simt::this_thread().step();
  if (*at < value) *at = value;
}
template <class T>
void atomic_min(T* at, T value) {
  simt::this_thread().step();
  if (value < *at) *at = value;
}

inline void mma_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                        Where where = Where::here()) {
  simt::mma_m16n8k8(d, a, b, where);
}
inline void load_matrix_x4(std::uint32_t (&r)[4], const void* row, Where where = Where::here()) {
  simt::require_aligned(row, 16, where);
  const simt::Warp& warp = simt::this_thread().meet_warp("ldmatrix", where, &row, sizeof row);
  const int lane = static_cast<int>(thread_number() % 32);
  for (int j = 0; j < 4; ++j) {
    const void* from = nullptr;
    std::memcpy(&from, warp.said(8 * j + lane / 4, where), sizeof from);
    std::memcpy(&r[j], static_cast<const std::uint32_t*>(from) + lane % 4, sizeof r[j]);
  }
}
inline std::uint32_t cvt_rna_tf32(float value) { return simt::cvt_rna_tf32(value); }

}  // namespace device

template <class T>
struct Same {
  using type = T;
};

template <class Argument>
Status launch(const Queue& queue, const char* name, void (*kernel)(Argument), Extent grid,
              Extent block, std::size_t shared_bytes,
              const typename Same<Argument>::type& argument) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return success;
  const auto call = [](const void* entry, const void* bytes) {
    reinterpret_cast<void (*)(Argument)>(const_cast<void*>(entry))(
        *static_cast<const Argument*>(bytes));
  };
  const Kernel launched{name, reinterpret_cast<const void*>(kernel), sizeof(Argument), call};
  return queue.api->launch(launched, grid, block, shared_bytes, &argument, queue.stream);
}

}  // namespace parity::cuda
