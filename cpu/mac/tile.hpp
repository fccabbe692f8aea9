#pragma once

#include <cstdint>

namespace parity::cpu {

/// One multiply-accumulate problem in the form that every MAC room lowers to: Conv, ConvTranspose
/// (which gathers) and MatMul/Gemm (a 1x1 window over rows). Activations are channels-last.
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

/// A few output pixels that read the same taps, times one panel of output channels.
/// The MAC order is (ic div 32, tap ascending, ic mod 32) over the listed taps.
template <class T>
struct Tile {
  int pixels = 0;           ///< 1 … the kernel's maximum
  int taps = 0;             ///< listed taps, ascending
  const std::int32_t* tap;  ///< [taps] kh*KW + kw, which k rows of the packed weights
  const T* const* x;  ///< [taps * pixels] at [t * pixels + p]: channel 0 of the group at the tap's
                      ///< pixel, or of a row of zeros where the tap hits outside the image
  T* const* y;        ///< [pixels] channel 0 of the panel at the output pixel
};

}  // namespace parity::cpu
