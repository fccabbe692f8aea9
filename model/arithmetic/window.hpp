#pragma once

#include <cstdint>

namespace parity {

/// One multiply-accumulate problem in the form that every MAC room lowers to: Conv, ConvTranspose
/// (which gathers) and MatMul/Gemm (a 1x1 window over rows). Activations are channels-last. C++17,
/// so that device code reads it too.
///
///   y[n, oh, ow, g*OC + oc] = sum over taps (kh, kw) and channels ic < IC of
///                             x[n, ih, iw, g*IC + ic] * w[g, kh, kw, ic, oc]
/// with (forward)    ih = oh*sh + kh*dh - ph
///      (transposed) ih = (oh + ph - kh*dh) / sh, only for taps where the division is exact.
struct Window {
  std::int64_t N = 1, G = 1;
  std::int64_t IC = 1, IH = 1, IW = 1;  ///< IC counts inside a group
  std::int64_t OC = 1, OH = 1, OW = 1;  ///< OC counts inside a group
  std::int64_t KH = 1, KW = 1, sh = 1, sw = 1, ph = 0, pw = 0, dh = 1, dw = 1;
  enum class Direction { forward, transposed } direction = Direction::forward;
};

/// Where the weights of a MAC lie in their tensor, in elements: w(g, tap, ic, oc) with tap =
/// kh*KW + kw, ic and oc inside the group.
struct WeightStrides {
  std::int64_t g, tap, ic, oc;
};

/// Channels of the outermost loop of the MAC order: k runs over (ic div 32, tap, ic mod 32).
inline constexpr std::int64_t channel_block = 32;
/// Terms of a chunk of `chunk256`.
inline constexpr std::int64_t chunk_terms = 256;

}  // namespace parity
