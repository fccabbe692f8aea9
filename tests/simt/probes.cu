#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "tests/simt/probes.hpp"

namespace parity::simt {
namespace {

using namespace cuda;  // NOLINT: kernels read as those of cuda/

struct Row {
  float x[256];
};

__global__ void reverse(ReverseArgument a) {
  Row& row = device::static_shared<Row>();
  const unsigned i = device::thread_index().x;
  row.x[i] = a.x[i];
  device::barrier();
  a.y[i] = row.x[255 - i];
}

struct Small {
  float x[64];
};

__global__ void misbehave(MisbehaveArgument a) {
  Small& small = device::static_shared<Small>();
  const unsigned i = device::thread_index().x;
  switch (a.what) {
    case Misbehaviour::half_a_barrier:
      if (i < 32) device::barrier();
      break;
    case Misbehaviour::two_barriers:
      if (i < 32)
        device::barrier();
      else
        device::barrier();
      break;
    case Misbehaviour::half_a_shuffle:
      if (i % 2 == 0) a.y[i] = device::shuffle_xor(1.0F, 2);
      break;
    case Misbehaviour::hang: {
      std::uint32_t& word = *reinterpret_cast<std::uint32_t*>(a.y);
      if (i == 0) word = 0;
      while (word == 0) device::atomic_max(&word, 0U);
      break;
    }
    case Misbehaviour::write_beside_shared:
      (&small.x[0])[i == 63 ? 64 : i] = 0;
      break;
    case Misbehaviour::write_beside_global:
      a.y[i + 1] = 0;
      break;
  }
}

__global__ void copy(CopyArgument a) {
  Small& small = device::static_shared<Small>();
  const unsigned i = device::thread_index().x;
  device::copy_async<16>(&small.x[4 * i], a.x + 4 * i, i < 8);
  device::commit_copies();
  if (a.wait == Wait::all) device::wait_copies<0>();
  device::barrier();
  for (unsigned j = i; j < 64; j += 16) a.y[j] = small.x[j];
}

__global__ void matrix(MatrixArgument a) {
  struct Operand {
    float x[16][8];
  };
  Operand& shared = *device::dynamic_shared<Operand>();
  const int lane = static_cast<int>(device::thread_number()), g = lane / 4, t = lane % 4;
  const std::size_t tile = device::block_index().x;
  a.a += tile * 128, a.b += tile * 64, a.c += tile * 128, a.d += tile * 128;
  for (int i = lane; i < 128; i += 32) shared.x[i / 8][i % 8] = a.a[i];
  device::barrier();
  std::uint32_t x[4];
  // Matrices in the order of the fragment: rows 0-7 and 8-15 of columns 0-3, then of 4-7.
  device::load_matrix_x4(x, &shared.x[lane % 16][lane / 16 * 4]);
  const std::uint32_t y[2] = {device::bits_of(a.b[t * 8 + g]),
                              device::bits_of(a.b[(t + 4) * 8 + g])};
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = a.c[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  device::mma_m16n8k8(d, x, y);
  for (int i = 0; i < 4; ++i) a.d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

__global__ void conversion(ConversionArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    a.y[i] = device::cvt_rna_tf32(a.x[i]);
}

__global__ void __launch_bounds__(threads_per_block) checksum(ChecksumArgument a) {
  std::uint64_t sum = 0;
  const std::uint64_t end = std::uint64_t{1} << 32;
  for (std::uint64_t i = a.first + a.step * static_cast<std::uint64_t>(first_index()); i < end;
       i += a.step * static_cast<std::uint64_t>(index_step())) {
    const float x = device::float_of(static_cast<std::uint32_t>(i));
    const float y = sequences::any_step<DeviceArithmetic>(a.function, x, a.a, a.b);
    sum += (y != y ? nan_bits32 : device::bits_of(y)) * (2 * i + 1);
  }
  for (int d = 16; d > 0; d /= 2) sum += device::shuffle_xor(sum, d);
  if (device::thread_index().x % 32 == 0) device::atomic_add(a.sum, sum);
}

}  // namespace

Status launch_reverse(const Queue& queue, const ReverseArgument& argument) {
  return launch(queue, "reverse", reverse, {1}, {256}, 0, argument);
}
Status launch_misbehave(const Queue& queue, const MisbehaveArgument& argument) {
  return launch(queue, "misbehave", misbehave, {1}, {64}, 0, argument);
}
Status launch_copy(const Queue& queue, const CopyArgument& argument) {
  return launch(queue, "copy", copy, {1}, {16}, 0, argument);
}
Status launch_matrix(const Queue& queue, const MatrixArgument& argument) {
  return launch(queue, "matrix", matrix, {argument.tiles}, {32}, 16 * 8 * sizeof(float), argument);
}

Status launch_conversion(const Queue& queue, const ConversionArgument& argument) {
  return launch(queue, "conversion", conversion, blocks_for(argument.count), {threads_per_block}, 0,
                argument);
}
Status launch_checksum(const Queue& queue, const ChecksumArgument& argument) {
  const std::uint64_t count = ((std::uint64_t{1} << 32) - argument.first) / argument.step + 1;
  // 64 inputs a thread at least.
  return launch(queue, "checksum", checksum, blocks_for(static_cast<std::int64_t>(count / 64 + 1)),
                {threads_per_block}, 0, argument);
}

}  // namespace parity::simt
