#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/mac/mac.hpp"

namespace parity::cpu::reference {

/// What a Window computes, as nested loops straight from the contract: for every output one chain
/// of fma from +0 over (ic div 32, kh, kw, ic mod 32), taps outside the image multiplied as +0,
/// taps that a transposed window does not have left out, closed by adding +0. No epilogue. y {N,
/// OH, OW, G*OC}.
template <class T>
std::vector<T> multiply_accumulate(const Window& w, const std::vector<T>& x,
                                   const Weights<float>& weights) {
  std::vector<T> y(static_cast<std::size_t>(w.N * w.OH * w.OW * w.G * w.OC));
  std::size_t next = 0;
  for (std::int64_t n = 0; n < w.N; ++n)
    for (std::int64_t oh = 0; oh < w.OH; ++oh)
      for (std::int64_t ow = 0; ow < w.OW; ++ow)
        for (std::int64_t g = 0; g < w.G; ++g)
          for (std::int64_t oc = 0; oc < w.OC; ++oc) {
            T acc{0};
            for (std::int64_t block = 0; block < w.IC; block += 32)
              for (std::int64_t kh = 0; kh < w.KH; ++kh)
                for (std::int64_t kw = 0; kw < w.KW; ++kw) {
                  std::int64_t ih = oh * w.sh + kh * w.dh - w.ph;
                  std::int64_t iw = ow * w.sw + kw * w.dw - w.pw;
                  if (w.direction == Window::Direction::transposed) {
                    ih = oh + w.ph - kh * w.dh;
                    iw = ow + w.pw - kw * w.dw;
                    if (ih % w.sh != 0 || iw % w.sw != 0) continue;
                    ih /= w.sh;
                    iw /= w.sw;
                  }
                  const bool inside = ih >= 0 && ih < w.IH && iw >= 0 && iw < w.IW;
                  for (std::int64_t ic = block; ic < w.IC && ic < block + 32; ++ic) {
                    const std::int64_t at =
                        ((n * w.IH + ih) * w.IW + iw) * w.G * w.IC + g * w.IC + ic;
                    const T value = inside ? x[static_cast<std::size_t>(at)] : T{0};
                    const std::int64_t tap = kh * w.KW + kw;
                    const T weight = weights.data[g * weights.stride_g + tap * weights.stride_tap +
                                                  ic * weights.stride_ic + oc * weights.stride_oc];
                    acc = std::fma(value, weight, acc);
                  }
                }
            y[next++] = acc + T{0};
          }
  return y;
}

}  // namespace parity::cpu::reference
