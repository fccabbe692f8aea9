#include "cuda/grid.hpp"
#include "cuda/mac/mac.hpp"

// What stands around a library's product: the taps of its pixels gathered into a matrix (im2col), its
// weights, and its outputs put where they belong. One thread per element at a time, writes coalesced.
// Elements move; none is computed.

namespace parity::cuda {
namespace {

/// Where the p-th pixel of a class lies: image, position along the rows and along the columns.
struct ClassPixel {
  std::int64_t n;
  std::int32_t i, j;
};
__device__ __forceinline__ ClassPixel class_pixel(const MacAxis& rows, const MacAxis& columns,
                                                  std::int64_t p) {
  return {p / columns.count / rows.count, static_cast<std::int32_t>(p / columns.count % rows.count),
          static_cast<std::int32_t>(p % columns.count)};
}

__global__ void __launch_bounds__(threads_per_block) gather_taps(GatherTapsArgument a) {
  const std::int64_t depth = static_cast<std::int64_t>(a.rows.taps) * a.columns.taps * a.IC;
  for (std::int64_t e = first_index(); e < a.count * depth; e += index_step()) {
    const int ic = static_cast<int>(e % a.IC);
    const int tap = static_cast<int>(e % depth / a.IC);
    const ClassPixel at = class_pixel(a.rows, a.columns, a.first + e / depth);
    const int ih =
        at.i * a.rows.input_step + a.rows.offset + tap / a.columns.taps * a.rows.offset_step;
    const int iw = at.j * a.columns.input_step + a.columns.offset +
                   tap % a.columns.taps * a.columns.offset_step;
    const bool inside = ih >= 0 && ih < a.IH && iw >= 0 && iw < a.IW;
    // x[n, ih, iw, g*IC + ic]
    a.to[e] = inside ? a.x[((at.n * a.IH + ih) * a.IW + iw) * a.x_pixel + ic] : 0.0F;
  }
}

__global__ void __launch_bounds__(threads_per_block) gather_weights(GatherWeightsArgument a) {
  const std::int64_t taps = static_cast<std::int64_t>(a.rows.taps) * a.columns.taps;
  for (std::int64_t e = first_index(); e < a.G * taps * a.IC * a.OC; e += index_step()) {
    const std::int64_t oc = e % a.OC, ic = e / a.OC % a.IC, g = e / a.OC / a.IC / taps;
    const int t = static_cast<int>(e / a.OC / a.IC % taps);
    const std::int64_t tap =
        static_cast<std::int64_t>(a.rows.tap + t / a.columns.taps * a.rows.tap_step) * a.KW +
        a.columns.tap + t % a.columns.taps * a.columns.tap_step;
    a.to[e] = a.w[g * a.strides.g + tap * a.strides.tap + ic * a.strides.ic + oc * a.strides.oc];
  }
}

__global__ void __launch_bounds__(threads_per_block) place_outputs(PlaceOutputsArgument a) {
  for (std::int64_t e = first_index(); e < a.count * a.OC; e += index_step()) {
    const ClassPixel at = class_pixel(a.rows, a.columns, a.first + e / a.OC);
    const std::int64_t oh = a.rows.first + at.i * a.rows.step,
                       ow = a.columns.first + at.j * a.columns.step;
    a.y[((at.n * a.OH + oh) * a.OW + ow) * a.y_pixel + e % a.OC] = a.from[e];
  }
}

}  // namespace

Status launch_gather_taps(const Queue& queue, const GatherTapsArgument& a) {
  const std::int64_t depth = static_cast<std::int64_t>(a.rows.taps) * a.columns.taps * a.IC;
  return launch(queue, "mac gather taps", gather_taps, blocks_for(a.count * depth),
                {threads_per_block}, 0, a);
}

Status launch_gather_weights(const Queue& queue, const GatherWeightsArgument& a) {
  const std::int64_t taps = static_cast<std::int64_t>(a.rows.taps) * a.columns.taps;
  return launch(queue, "mac gather weights", gather_weights, blocks_for(a.G * taps * a.IC * a.OC),
                {threads_per_block}, 0, a);
}

Status launch_place_outputs(const Queue& queue, const PlaceOutputsArgument& a) {
  return launch(queue, "mac place outputs", place_outputs, blocks_for(a.count * a.OC),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
