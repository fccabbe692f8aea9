#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/mac/mac.hpp"
#include "model/arithmetic/magnitude.hpp"
#include "model/arithmetic/tensor_core_step.hpp"

// The contracts of CONTRACTS section 2 read aloud: one thread per output, channels fastest, so that a
// warp reads x of one pixel (depthwise: of neighbouring channels) together.
//
//   chain      one fused multiply-add per term
//   chunk256   the same, every 256 terms from +0, the sums added in order
//   k4f24      terms in groups of 8 channels of one tap, filled up with zeros, each two steps of 4
//   k8f25      the same, one step of 8; the steps are the integer model of the processor's oracle
//
// A tap outside the image is a term with x = +0; a tap that a transposed window lacks is none. All
// close by adding +0.

namespace parity::cuda {
namespace {

struct Chain {
  float acc = 0;
  __device__ __forceinline__ void add(float x, float w) { acc = device::fma_rn(x, w, acc); }
  __device__ __forceinline__ void end_tap() {}
  __device__ __forceinline__ float sum() const { return acc; }
};

struct Chunks {
  float total = 0, acc = 0;
  int terms = 0;
  __device__ __forceinline__ void add(float x, float w) {
    if (terms == chunk_terms) {
      total = device::add_rn(total, acc);
      acc = 0;
      terms = 0;
    }
    acc = device::fma_rn(x, w, acc);
    ++terms;
  }
  __device__ __forceinline__ void end_tap() {}
  __device__ __forceinline__ float sum() const { return device::add_rn(total, acc); }
};

template <int block, int fraction_bits, int exponent_floor>
struct Core {
  Rounding rounding;
  std::uint32_t acc = 0;
  int terms = 0;
  std::uint32_t a[tensor_core_group] = {}, b[tensor_core_group] = {};

  __device__ __forceinline__ void add(float x, float w) {
    a[terms] = round_to_tf32(device::bits_of(x), rounding);
    b[terms] = round_to_tf32(device::bits_of(w), rounding);
    if (++terms == tensor_core_group) step();
  }
  __device__ __forceinline__ void end_tap() {
    if (terms == 0) return;
    while (terms < tensor_core_group) {
      a[terms] = b[terms] = 0;
      ++terms;
    }
    step();
  }
  __device__ __forceinline__ float sum() const { return device::float_of(acc); }

 private:
  __device__ __forceinline__ void step() {
    const TensorCore core{block, fraction_bits, exponent_floor};
    for (int k = 0; k < tensor_core_group; k += block)
      acc = tensor_core_step(core, a + k, b + k, acc);
    terms = 0;
  }
};
using CoreK4 = Core<k4f24.block, k4f24.fraction_bits, k4f24.exponent_floor>;
using CoreK8 = Core<k8f25.block, k8f25.fraction_bits, k8f25.exponent_floor>;

/// The input row or column that tap k of output o reads, on one axis. False: the tap is no term.
__device__ __forceinline__ bool input_of(Window::Direction direction, std::int64_t o,
                                         std::int64_t k, std::int64_t stride, std::int64_t pad,
                                         std::int64_t dilation, std::int64_t& i) {
  if (direction == Window::Direction::forward) {
    i = o * stride + k * dilation - pad;
    return true;
  }
  i = o + pad - k * dilation;
  if (i % stride != 0) return false;
  i /= stride;
  return true;
}

/// One output: n, oh, ow of channel oc of group g.
template <class Sum>
__device__ float output(const PlainMacArgument& a, const float* x, const float* w, Sum sum,
                        std::int64_t n, std::int64_t oh, std::int64_t ow, std::int64_t g,
                        std::int64_t oc) {
  const Window& v = a.window;
  w += g * a.strides.g + oc * a.strides.oc;
  for (std::int64_t block = 0; block < v.IC; block += channel_block) {
    const std::int64_t end = block + channel_block < v.IC ? block + channel_block : v.IC;
    for (std::int64_t kh = 0; kh < v.KH; ++kh) {
      std::int64_t ih = 0;
      if (!input_of(v.direction, oh, kh, v.sh, v.ph, v.dh, ih)) continue;
      for (std::int64_t kw = 0; kw < v.KW; ++kw) {
        std::int64_t iw = 0;
        if (!input_of(v.direction, ow, kw, v.sw, v.pw, v.dw, iw)) continue;
        const bool inside = ih >= 0 && ih < v.IH && iw >= 0 && iw < v.IW;
        // x[n, ih, iw, g*IC + ic]
        const float* const from = x + ((n * v.IH + ih) * v.IW + iw) * a.x_pixel + g * v.IC;
        const float* const weight = w + (kh * v.KW + kw) * a.strides.tap;
        for (std::int64_t ic = block; ic < end; ++ic) {
          const float wk = weight[ic * a.strides.ic];
          sum.add(inside ? from[ic] : 0.0F, a.magnitudes ? magnitude_operand(wk) : wk);
        }
        sum.end_tap();
      }
    }
  }
  return device::add_rn(sum.sum(), 0.0F);
}

template <class Sum>
__device__ void outputs(const PlainMacArgument& a, const Sum& empty) {
  const Window& v = a.window;
  const MacMatrix none{0, 0, 0};
  const std::int64_t channels = v.G * v.OC, pixels = v.N * v.OH * v.OW;
  const std::int64_t count = a.matrix_count * pixels * channels;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t channel = i % channels, pixel = i / channels % pixels;
    const MacMatrix matrix = a.matrices == nullptr ? none : a.matrices[i / channels / pixels];
    const std::int64_t ow = pixel % v.OW, oh = pixel / v.OW % v.OH, n = pixel / v.OW / v.OH;
    const float y =
        output(a, a.x + matrix.x, a.w + matrix.w, empty, n, oh, ow, channel / v.OC, channel % v.OC);
    a.y[matrix.y + pixel * a.y_pixel + channel] = apply(a.epilogue, y, channel);
  }
}

__global__ void __launch_bounds__(threads_per_block) plain_chain(PlainMacArgument a) {
  outputs(a, Chain{});
}
__global__ void __launch_bounds__(threads_per_block) plain_chunk256(PlainMacArgument a) {
  outputs(a, Chunks{});
}
__global__ void __launch_bounds__(threads_per_block) plain_k4f24(PlainMacArgument a) {
  outputs(a, CoreK4{a.rounding});
}
__global__ void __launch_bounds__(threads_per_block) plain_k8f25(PlainMacArgument a) {
  outputs(a, CoreK8{a.rounding});
}

}  // namespace

Status launch_plain_mac(const Queue& queue, const PlainMacArgument& a) {
  const Window& v = a.window;
  const Extent grid = blocks_for(a.matrix_count * v.N * v.OH * v.OW * v.G * v.OC);
  const Extent block{threads_per_block};
  switch (a.order) {
    case MacOrder::chain:
      return launch(queue, "mac plain chain", plain_chain, grid, block, 0, a);
    case MacOrder::chunk256:
      return launch(queue, "mac plain chunk256", plain_chunk256, grid, block, 0, a);
    case MacOrder::k4f24:
      return launch(queue, "mac plain k4f24", plain_k4f24, grid, block, 0, a);
    case MacOrder::k8f25:
      break;
  }
  return launch(queue, "mac plain k8f25", plain_k8f25, grid, block, 0, a);
}

}  // namespace parity::cuda
