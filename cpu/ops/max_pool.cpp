#include "model/ops/max_pool.hpp"

#include <algorithm>

#include "cpu/maximum.hpp"
#include "cpu/ops.hpp"
#include "cpu/threads.hpp"

// The IEEE maximum over each window's taps inside the image, channels-last: all channels of a pixel
// side by side. Free of order, so one loop serves every thread count, layout and vector width. On
// magnitudes it is the maximum of |x|.

namespace parity::cpu {
namespace {

/// Taps of one output position that lie inside the image: tap t reads element start + t * dilation.
struct Taps {
  std::int64_t start, first, last;
};
Taps taps_at(std::int64_t position, std::int64_t extent, const SlidingWindow& window,
             std::size_t axis) {
  const std::int64_t start = position * window.stride[axis] - window.pad_begin[axis],
                     step = window.dilation[axis];
  const std::int64_t first = start >= 0 ? 0 : (-start + step - 1) / step;
  const std::int64_t last = start >= extent ? 0 : (extent - 1 - start) / step + 1;
  return {start, first, std::min(last, window.kernel[axis])};
}

template <class T>
Value pool(const MaxPool& op, const Job& job) {
  const Elements<T> x = elements<T>(job.inputs[0], Layout::channels_last, job.execution);
  Fresh fresh(job.output, Layout::channels_last, &job.memory);
  T* const y = fresh.data<T>();
  const Shape& in = job.inputs[0].shape();
  const Shape& out = job.output.shape;
  const bool flat = in.size() == 3;
  const std::int64_t C = in[1], IH = flat ? 1 : in[2], IW = in.back(), OH = flat ? 1 : out[2],
                     OW = out.back();
  parallel_for(
      out[0] * OH * OW, 8, job.execution.threads, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t pixel = begin; pixel < end; ++pixel) {
          const std::int64_t n = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
          const Taps rows = taps_at(oh, IH, op.window, 0), columns = taps_at(ow, IW, op.window, 1);
          T* const best = y + pixel * C;
          for (std::int64_t kh = rows.first; kh < rows.last; ++kh) {
            for (std::int64_t kw = columns.first; kw < columns.last; ++kw) {
              const std::int64_t ih = rows.start + kh * op.window.dilation[0];
              const std::int64_t iw = columns.start + kw * op.window.dilation[1];
              // x[n, ih, iw, c], channels-last
              const T* const from = x.data + ((n * IH + ih) * IW + iw) * C;
              if (kh == rows.first && kw == columns.first)
                std::copy_n(from, C, best);
              else
                for (std::int64_t c = 0; c < C; ++c) best[c] = maximum(best[c], from[c]);
            }
          }
        }
      });
  return std::move(fresh).value();
}

}  // namespace

Value run(const MaxPool& op, const Job& job) {
  return job.in_double() ? pool<double>(op, job) : pool<float>(op, job);
}

}  // namespace parity::cpu
