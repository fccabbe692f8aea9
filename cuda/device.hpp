#pragma once

// What device code is written in: the only place with CUDA built-ins and inline PTX. The tests have
// a twin of the same names (tests/simt/twin/cuda/device.hpp), found in its stead by the include
// path, under which the same .cu files are ordinary C++ that runs on the processor.
//
// A room is three files (DESIGN section 3):
//
//   cuda/ops/x.hpp   plain structs and `Status launch_x(const Queue&, const XArgument&)`; no std::
//   cuda/ops/x.cu    C++17: kernels, and launch_x below them
//   cuda/ops/x.cpp   C++20: what is computed by what, refusals, layouts, memory
//
// How a kernel is written:
//
//   namespace parity::cuda {
//   namespace {
//   struct Tile { float x[128][20]; };                     // everything a block shares, as a struct
//   __global__ void __launch_bounds__(128) scale(ScaleArgument a) {   // one argument, plain, by value
//     Tile& tile = device::static_shared<Tile>();          // or dynamic_shared<float>(), see below
//     const unsigned i = device::block_index().x * 128 + device::thread_index().x;
//     ...
//     device::barrier();
//   }
//   }  // namespace
//   Status launch_scale(const Queue& queue, const ScaleArgument& a) {
//     return launch(queue, "scale", scale, {blocks}, {128}, shared_bytes, a);
//   }
//   }  // namespace parity::cuda
//
// Rules:
//   - Every operation that decides bits is spelled: fma_rn, add_rn, mul_rn, div_rn, sqrt_rn. Plain + and *
//     only on integers, and on floats never.
//   - All threads of a block reach the same barrier() and all lanes of a warp the same shuffle, ballot,
//     mma or ldmatrix; a thread does not return before others meet a barrier. The twin checks that.
//   - Shared memory starts as NaN (0xff) in the twin and is guarded on both sides.
//   - copy_async lands at wait_copies() and not before: the twin keeps the target NaN until then.
//     After it a barrier() makes it visible to the other threads.
//   - A template kernel is launched by its instance: launch(queue, "chain 128x64", chain<128, 64>, …).
//   - Functions of your own carry __device__ (and __forceinline__); constexpr functions of model/arithmetic
//     may be called as they are.
//   - #pragma unroll is allowed. No printf, no recursion, no dynamic memory, no built-in variables.

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {
namespace device {

// Where this thread is.

__device__ __forceinline__ Extent thread_index() { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
__device__ __forceinline__ Extent block_index() { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
__device__ __forceinline__ Extent block_extent() { return {blockDim.x, blockDim.y, blockDim.z}; }
__device__ __forceinline__ Extent grid_extent() { return {gridDim.x, gridDim.y, gridDim.z}; }
/// Number in the block, x fastest; the warp is thread_number() / 32, the lane thread_number() % 32.
__device__ __forceinline__ unsigned thread_number() {
  return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}

// Arithmetic, each operation rounded once to nearest even, subnormals kept. On the host too, so that
// sequences of model/arithmetic can be instantiated with it.

#if defined(__CUDA_ARCH__)
__host__ __device__ __forceinline__ float fma_rn(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
__host__ __device__ __forceinline__ float add_rn(float a, float b) { return __fadd_rn(a, b); }
__host__ __device__ __forceinline__ float sub_rn(float a, float b) { return __fsub_rn(a, b); }
__host__ __device__ __forceinline__ float mul_rn(float a, float b) { return __fmul_rn(a, b); }
__host__ __device__ __forceinline__ float div_rn(float a, float b) { return __fdiv_rn(a, b); }
__host__ __device__ __forceinline__ float sqrt_rn(float a) { return __fsqrt_rn(a); }
__host__ __device__ __forceinline__ double fma_rn(double a, double b, double c) {
  return __fma_rn(a, b, c);
}
__host__ __device__ __forceinline__ double add_rn(double a, double b) { return __dadd_rn(a, b); }
__host__ __device__ __forceinline__ double sub_rn(double a, double b) { return __dsub_rn(a, b); }
__host__ __device__ __forceinline__ double mul_rn(double a, double b) { return __dmul_rn(a, b); }
__host__ __device__ __forceinline__ double div_rn(double a, double b) { return __ddiv_rn(a, b); }
__host__ __device__ __forceinline__ double sqrt_rn(double a) { return __dsqrt_rn(a); }
/// A double rounded to float, to nearest even.
__host__ __device__ __forceinline__ float narrow_rn(double a) { return __double2float_rn(a); }
__host__ __device__ __forceinline__ std::uint32_t bits_of(float a) { return __float_as_uint(a); }
__host__ __device__ __forceinline__ float float_of(std::uint32_t a) { return __uint_as_float(a); }
__host__ __device__ __forceinline__ std::uint64_t bits_of(double a) {
  return static_cast<std::uint64_t>(__double_as_longlong(a));
}
__host__ __device__ __forceinline__ double double_of(std::uint64_t a) {
  return __longlong_as_double(static_cast<long long>(a));
}
#else
// nvcc's host pass needs the names; nothing there calls them.
__host__ __device__ float fma_rn(float a, float b, float c);
__host__ __device__ float add_rn(float a, float b);
__host__ __device__ float sub_rn(float a, float b);
__host__ __device__ float mul_rn(float a, float b);
__host__ __device__ float div_rn(float a, float b);
__host__ __device__ float sqrt_rn(float a);
__host__ __device__ double fma_rn(double a, double b, double c);
__host__ __device__ double add_rn(double a, double b);
__host__ __device__ double sub_rn(double a, double b);
__host__ __device__ double mul_rn(double a, double b);
__host__ __device__ double div_rn(double a, double b);
__host__ __device__ double sqrt_rn(double a);
__host__ __device__ float narrow_rn(double a);
__host__ __device__ std::uint32_t bits_of(float a);
__host__ __device__ float float_of(std::uint32_t a);
__host__ __device__ std::uint64_t bits_of(double a);
__host__ __device__ double double_of(std::uint64_t a);
#endif

// Memory.

/// Four floats moved by one 16-byte access; addresses are multiples of 16.
struct alignas(16) Float4 {
  float x, y, z, w;
};
__device__ __forceinline__ Float4 load4(const float* from) {
  return *reinterpret_cast<const Float4*>(from);
}
__device__ __forceinline__ void store4(float* to, const Float4& value) {
  *reinterpret_cast<Float4*>(to) = value;
}

/// The block's one object of type T: a plain struct without initialisers.
template <class T>
__device__ __forceinline__ T& static_shared() {
  __shared__ T storage;
  return storage;
}

/// The memory that launch() was given `shared_bytes` for, 16-byte aligned. More than 48 KB in all is
/// allowed where the device has it.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char parity_dynamic_shared[];
  return reinterpret_cast<T*>(parity_dynamic_shared);
}

/// Starts copying Bytes (4, 8 or 16, to which both addresses are aligned) from global to shared memory, or
/// with `inside` false writes zeros (`from` is then not read, but must be a valid pointer).
template <int Bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* from, bool inside) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = inside ? Bytes : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(to), "l"(from), "n"(Bytes),
               "r"(bytes)
               : "memory");
#else
  // sm_75 has no asynchronous copy: the same result at once.
  unsigned* const to = static_cast<unsigned*>(shared);
  const unsigned* const words = static_cast<const unsigned*>(from);
#pragma unroll
  for (int i = 0; i < Bytes / 4; ++i) to[i] = inside ? words[i] : 0U;
#endif
}
/// Closes the group of copies that this thread has started since the last call.
__device__ __forceinline__ void commit_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}
/// Waits until at most `Open` of this thread's newest groups have not landed.
template <int Open>
__device__ __forceinline__ void wait_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Open) : "memory");
#endif
}

// Meetings.

/// All threads of the block. The twin knows a barrier by its file and line.
__device__ __forceinline__ void barrier() { __syncthreads(); }
/// All lanes of the warp: what they wrote to shared memory is seen by the others.
__device__ __forceinline__ void warp_barrier() { __syncwarp(); }

/// The value of lane `lane() ^ mask`; of lane `lane`. T: 4 or 8 bytes.
template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(0xffffffffU, value, mask);
}
template <class T>
__device__ __forceinline__ T shuffle(T value, int lane) {
  return __shfl_sync(0xffffffffU, value, lane);
}
/// Bit l says what lane l said.
__device__ __forceinline__ unsigned ballot(bool predicate) {
  return __ballot_sync(0xffffffffU, predicate);
}

// Atomic operations on integers, whose result is free of order.

__device__ __forceinline__ void atomic_add(std::uint32_t* at, std::uint32_t value) {
  atomicAdd(at, value);
}
__device__ __forceinline__ void atomic_add(std::uint64_t* at, std::uint64_t value) {
  static_assert(sizeof(unsigned long long) == 8, "64 bits");
  atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
}
__device__ __forceinline__ void atomic_max(std::uint32_t* at, std::uint32_t value) {
  atomicMax(at, value);
}
__device__ __forceinline__ void atomic_max(std::uint64_t* at, std::uint64_t value) {
  atomicMax(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
}
__device__ __forceinline__ void atomic_min(std::uint64_t* at, std::uint64_t value) {
  atomicMin(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
}

// Tensor cores: TF32 operands, float32 accumulator. In the twin, tensor_core_step() of
// model/arithmetic/tensor_core.hpp in the block size of the simulated device.

/// d[16x8] += a[16x8] b[8x8] over a warp, `mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32`, sm_80 up.
/// With g = lane / 4 and t = lane % 4 a lane holds
///   a  { A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4] }   b  { B[t][g], B[t+4][g] }
///   d  { D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1] }
/// Operands are float32 bits; the 13 low ones are ignored.
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4],
                                            const std::uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();  // no such instruction: refused on the host before any launch
#endif
}

/// Four 8x8 matrices of 16-bit pairs, that is of 8x4 32-bit words: r[j] = word lane % 4 of row lane / 4
/// of matrix j, whose row r starts at the `row` that lane 8j + r gives (shared memory, 16-byte aligned).
__device__ __forceinline__ void load_matrix_x4(std::uint32_t (&r)[4], const void* row) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
#else
  __trap();
#endif
}

/// cvt.rna.tf32.f32: what round_to_tf32(bits, Rounding::rna) is by integers. Only to compare the two.
__device__ __forceinline__ std::uint32_t cvt_rna_tf32(float value) {
  std::uint32_t result = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(result) : "f"(value));
#else
  __trap();
#endif
  return result;
}

}  // namespace device

/// Keeps an argument out of template deduction.
template <class T>
struct Same {
  using type = T;
};

/// Launches on the queue's stream. An empty grid is no launch and a success.
template <class Argument>
Status launch(const Queue& queue, const char* name, void (*kernel)(Argument), Extent grid,
              Extent block, std::size_t shared_bytes,
              const typename Same<Argument>::type& argument) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return success;
  const Kernel launched{name, reinterpret_cast<const void*>(kernel), sizeof(Argument), nullptr};
  return queue.api->launch(launched, grid, block, shared_bytes, &argument, queue.stream);
}

}  // namespace parity::cuda
