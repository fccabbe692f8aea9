#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cpu/mac/mac.hpp"

namespace parity::cpu::reference {

/// What a Window computes, as nested loops straight from the contract: for every output one chain
/// of fma from +0 over (ic div 32, kh, kw, ic mod 32), taps outside the image multiplied as +0,
/// taps that a transposed window does not have left out, closed by adding +0. With `chunk`, every
/// that many terms are such a chain, and their sums are added in order. No epilogue. y {N, OH, OW,
/// G*OC}.
template <class T>
std::vector<T> multiply_accumulate(const Window& w, const std::vector<T>& x,
                                   const Weights<float>& weights,
                                   std::int64_t chunk = std::numeric_limits<std::int64_t>::max()) {
  std::vector<T> y(static_cast<std::size_t>(w.N * w.OH * w.OW * w.G * w.OC));
  std::size_t next = 0;
  for (std::int64_t n = 0; n < w.N; ++n)
    for (std::int64_t oh = 0; oh < w.OH; ++oh)
      for (std::int64_t ow = 0; ow < w.OW; ++ow)
        for (std::int64_t g = 0; g < w.G; ++g)
          for (std::int64_t oc = 0; oc < w.OC; ++oc) {
            std::vector<T> sums{T{0}};
            std::int64_t terms = 0;
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
                    if (terms > 0 && terms % chunk == 0) sums.push_back(T{0});
                    ++terms;
                    sums.back() = std::fma(value, weight, sums.back());
                  }
                }
            T total = sums.front();
            for (std::size_t i = 1; i < sums.size(); ++i) total = total + sums[i];
            y[next++] = total + T{0};
          }
  return y;
}

}  // namespace parity::cpu::reference
