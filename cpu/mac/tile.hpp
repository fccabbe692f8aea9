#pragma once

#include <cstdint>

#include "model/arithmetic/window.hpp"

namespace parity::cpu {

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
