#pragma once

#include <algorithm>

#include "cpu/ops.hpp"
#include "cpu/threads.hpp"
#include "model/ops/window.hpp"

namespace parity::cpu {

/// Taps of one output position that lie inside the image: tap t reads element start + t * dilation.
struct Taps {
  std::int64_t start, first, last;
};
inline Taps taps_at(std::int64_t position, std::int64_t extent, const SlidingWindow& window,
                    std::size_t axis) {
  const std::int64_t start = position * window.stride[axis] - window.pad_begin[axis],
                     step = window.dilation[axis];
  const std::int64_t first = start >= 0 ? 0 : (-start + step - 1) / step;
  const std::int64_t last = start >= extent ? 0 : (extent - 1 - start) / step + 1;
  return {start, first, std::min(last, window.kernel[axis])};
}

/// A pool, channels-last: all channels of a pixel side by side. `begin(y, C)` starts a window,
/// `join(y, x, C)` takes in one tap inside the image, kh then kw ascending, `close(y, C, rows,
/// columns)` ends it, given its taps.
template <class T, class Begin, class Join, class Close>
Value pool(const SlidingWindow& window, const Job& job, Begin begin, Join join, Close close) {
  const Elements<T> x = elements<T>(job.inputs[0], Layout::channels_last, job.execution);
  Fresh fresh(job.output, Layout::channels_last, &job.memory);
  T* const y = fresh.data<T>();
  const Shape& in = job.inputs[0].shape();
  const Shape& out = job.output.shape;
  const bool flat = in.size() == 3;
  const std::int64_t C = in[1], IH = flat ? 1 : in[2], IW = in.back(), OH = flat ? 1 : out[2],
                     OW = out.back();
  parallel_for(
      out[0] * OH * OW, 8, job.execution.threads, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t pixel = first; pixel < last; ++pixel) {
          const std::int64_t n = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
          const Taps rows = taps_at(oh, IH, window, 0), columns = taps_at(ow, IW, window, 1);
          T* const to = y + pixel * C;
          begin(to, C);
          for (std::int64_t kh = rows.first; kh < rows.last; ++kh) {
            for (std::int64_t kw = columns.first; kw < columns.last; ++kw) {
              const std::int64_t ih = rows.start + kh * window.dilation[0];
              const std::int64_t iw = columns.start + kw * window.dilation[1];
              // x[n, ih, iw, c], channels-last
              join(to, x.data + ((n * IH + ih) * IW + iw) * C, C);
            }
          }
          close(to, C, rows, columns);
        }
      });
  return std::move(fresh).value();
}

}  // namespace parity::cpu
