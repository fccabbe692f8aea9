#pragma once

#include <cstdint>

#include "cuda/api.hpp"
#include "model/arithmetic/epilogue_kind.hpp"

namespace parity::simt {

// Kernels that exercise the shim (probes.cu), good ones and bad ones.

/// y = x in reverse, 256 elements through shared memory.
struct ReverseArgument {
  const float* x;
  float* y;
};
cuda::Status launch_reverse(const cuda::Queue& queue, const ReverseArgument& argument);

enum class Misbehaviour {
  half_a_barrier,
  two_barriers,
  half_a_shuffle,
  hang,
  write_beside_shared,
  write_beside_global
};
struct MisbehaveArgument {
  Misbehaviour what;
  float* y;  ///< 64 elements
};
cuda::Status launch_misbehave(const cuda::Queue& queue, const MisbehaveArgument& argument);

enum class Wait { none, all };
/// y[i] = i < 32 ? x[i] : 0 by asynchronous copies, 64 elements.
struct CopyArgument {
  const float* x;
  float* y;
  Wait wait;
};
cuda::Status launch_copy(const cuda::Queue& queue, const CopyArgument& argument);

/// d[16x8] = c + a[16x8] b[8x8], row-major, by one matrix instruction, a fetched by load_matrix_x4; `tiles`
/// of them, one behind the other.
struct MatrixArgument {
  const float *a, *b, *c;
  float* d;
  unsigned tiles = 1;
};
cuda::Status launch_matrix(const cuda::Queue& queue, const MatrixArgument& argument);

/// y[i] = cvt.rna.tf32(x[i]).
struct ConversionArgument {
  const float* x;
  std::uint32_t* y;
  int count;
};
cuda::Status launch_conversion(const cuda::Queue& queue, const ConversionArgument& argument);

/// Adds bits(f(x_i)) * (2i + 1) mod 2^64 to `sum`, x_i having the bits i, over i = first, first + step, …
/// below 2^32; f a function of one operand with the attributes a and b.
struct ChecksumArgument {
  EpilogueKind function;
  float a, b;
  std::uint64_t first, step;
  std::uint64_t* sum;
};
cuda::Status launch_checksum(const cuda::Queue& queue, const ChecksumArgument& argument);

}  // namespace parity::simt
