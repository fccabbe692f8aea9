#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/api.hpp"
#include "cuda/epilogue.hpp"
#include "model/arithmetic/window.hpp"
#include "model/rounding.hpp"

// Multiply-accumulate on the GPU: what Conv, ConvTranspose, MatMul and Gemm lower to. Three families
// of kernels compute the same Window, and a vendor's library multiplies what it is gathered into:
//
//   plain    one thread per output, every order of the contracts spelled out: the reference in the
//            tree, and the path for shapes that the tiled ones do not take
//   simt     `chain` and `chunk256`: tiles in shared memory, FP32 fused multiply-adds in registers
//   tensor   `tensor:*`: the same tiles, mma.sync.m16n8k8
//   library  `gemm:cublas`: a matrix of taps (im2col), which the library multiplies
//
// The tiled families read weights that launch_pack laid out. No tile shape decides a bit: every
// output's terms are taken in MAC order (model/arithmetic/window.hpp) by one thread.

namespace parity::cuda {

/// The orders of CONTRACTS section 2. k4f24 and k8f25 are the tensor core's in integers on the plain
/// path, the instruction's own on the tensor path.
enum class MacOrder { chain, chunk256, k4f24, k8f25 };

/// Where matrix i of a stack of products starts in x, w and y, in elements. A convolution is one
/// matrix.
struct MacMatrix {
  std::int64_t x, w, y;
};

/// y = epilogue(MAC(x, w)) by one thread per output.
struct PlainMacArgument {
  Window window;
  MacOrder order;
  Rounding rounding;  ///< of both operands, under k4f24 and k8f25
  bool magnitudes;    ///< read w as magnitude_operand(w)
  const float* x;
  std::int64_t x_pixel;  ///< elements from one pixel of x to the next
  const float* w;        ///< as stored
  WeightStrides strides;
  float* y;
  std::int64_t y_pixel;
  std::int32_t matrix_count;  ///< at least 1
  const MacMatrix* matrices;  ///< on the device; null for one matrix that starts everywhere at 0
  Epilogue epilogue;
};
Status launch_plain_mac(const Queue& queue, const PlainMacArgument& argument);

/// Output channels of a packed panel.
inline constexpr int mac_panel = 64;

/// The k rows of a packed panel: for each block of 32 channels and each tap, the block's channels
/// filled up with zeros to a multiple of 8.
constexpr std::int64_t mac_packed_rows(std::int64_t channels, std::int64_t taps) {
  return (channels + 7) / 8 * 8 * taps;
}
/// Panels of one group.
constexpr std::int64_t mac_panels(std::int64_t outputs) {
  return (outputs + mac_panel - 1) / mac_panel;
}

enum class PackedAs {
  rows,     ///< [g][panel][k row][64 output channels], for simt
  channels  ///< [g][panel][64 output channels][k row], for tensor
};

/// Lays weights out once for the tiled kernels, output channels filled up with zeros to whole
/// panels. Operands are rounded here, so that no product rounds its weight again.
struct PackArgument {
  const float* w;
  WeightStrides strides;  ///< g may also step over the matrices of a stack
  std::int32_t G, IC, OC, taps;
  PackedAs layout;
  bool rounds;  ///< to TF32 by `rounding`; false keeps float32
  Rounding rounding;
  bool magnitudes;  ///< read w as magnitude_operand(w)
  float* to;        ///< G * mac_panels(OC) * mac_packed_rows(IC, taps) * 64 elements
};
Status launch_pack(const Queue& queue, const PackArgument& argument);

/// One axis of a class of output pixels that read the same taps: the i-th lies at output first +
/// i*step and reads by its t-th tap, which is tap + t*tap_step of the weights, input i*input_step +
/// offset + t*offset_step. Forward convolutions have one class, transposed ones `stride` of them.
struct MacAxis {
  std::int32_t first, step, count, input_step;
  std::int32_t taps, tap, tap_step;
  std::int32_t offset, offset_step;
};
inline constexpr int most_mac_classes = 8;  ///< per axis
inline constexpr int most_mac_taps = 16;    ///< per axis of a class
/// Blocks of one launch.
inline constexpr std::int64_t most_mac_blocks = 0x7fffffff;

/// y = epilogue(MAC(x, w)) by tiles. Pixels are numbered in 31 bits, elements in 63.
struct TiledMacArgument {
  const float* x;
  const float* w;  ///< packed
  float* y;
  std::int32_t x_pixel;  ///< elements from one pixel of x to the next
  std::int64_t y_pixel;
  std::int32_t N, G, IC, IH, IW, OC, OH, OW, KW, taps;  ///< taps: of the weights
  std::int32_t row_classes, column_classes;
  MacAxis rows[most_mac_classes], columns[most_mac_classes];
  std::int32_t matrix_count;
  const MacMatrix* matrices;
  std::int32_t tiles;  ///< filled in by the launch
  bool wide_reads;     ///< every channel 0 of x lies at a multiple of 16 bytes, IC is one of 4
  bool wide_writes;    ///< the same of y and OC
  Epilogue epilogue;
};

/// The taps of pixels of one class of outputs as a matrix: to[p][t*IC + ic], zero outside the image.
struct GatherTapsArgument {
  const float* x;        ///< channel 0 of the group
  std::int64_t x_pixel;  ///< elements from one pixel of x to the next
  std::int32_t IC, IH, IW;
  MacAxis rows, columns;
  std::int64_t first, count;  ///< pixels, as the class counts them
  float* to;
};
Status launch_gather_taps(const Queue& queue, const GatherTapsArgument& argument);

/// The weights that one class of outputs reads as matrices: to[g][t*IC + ic][oc].
struct GatherWeightsArgument {
  const float* w;
  WeightStrides strides;  ///< g may also step over the matrices of a stack
  std::int32_t G, IC, OC, KW;
  MacAxis rows, columns;
  float* to;
};
Status launch_gather_weights(const Queue& queue, const GatherWeightsArgument& argument);

/// Products of pixels of one class to where they belong: from[p][oc].
struct PlaceOutputsArgument {
  const float* from;
  float* y;              ///< channel 0 of the group
  std::int64_t y_pixel;  ///< elements from one pixel of y to the next
  std::int32_t OC, OH, OW;
  MacAxis rows, columns;
  std::int64_t first, count;  ///< pixels, as the class counts them
};
Status launch_place_outputs(const Queue& queue, const PlaceOutputsArgument& argument);

/// Tiles of the simt family: pixels x output channels.
enum class SimtTile { m128n64, m64n64, m128n128 };
inline constexpr SimtTile simt_tiles[] = {SimtTile::m128n64, SimtTile::m64n64, SimtTile::m128n128};
/// Shared memory of a block.
std::size_t simt_shared_bytes(SimtTile tile);
/// Whether the tile can do this problem in this order.
bool simt_takes(SimtTile tile, MacOrder order, const TiledMacArgument& argument);
/// A tile that does not take the problem, or takes it in more than most_mac_blocks, is refused with
/// cudaErrorNotSupported.
Status launch_simt_mac(const Queue& queue, SimtTile tile, MacOrder order,
                       const TiledMacArgument& argument);

/// Tiles of the tensor family.
enum class TensorTile { m128n128, m128n64, m64n64 };
inline constexpr TensorTile tensor_tiles[] = {TensorTile::m128n128, TensorTile::m128n64,
                                              TensorTile::m64n64};
bool tensor_takes(TensorTile tile, const TiledMacArgument& argument);
/// Rounds what it reads of x by `rounding`; an x that is rounded already is rounded for nothing, and
/// Rounding::truncate, which the instruction does by itself, costs nothing.
Status launch_tensor_mac(const Queue& queue, TensorTile tile, Rounding rounding,
                         const TiledMacArgument& argument);

}  // namespace parity::cuda
