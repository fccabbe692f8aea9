#include "model/ops/average_pool.hpp"

#include "cpu/pool.hpp"

// The sum of each window's taps inside the image in order, then one division (cpu/pool.hpp).
//
//   elementwise   add.rn from +0, div.rn by float(count)
//   fp64          the same in double
//   magnitudes    the same on |x|

namespace parity::cpu {
namespace {

/// Taps of an axis that count: inside the image and, where pads are included, inside its pads but not
/// in what ceil_mode added behind them.
std::int64_t counted(const AveragePool& op, const Taps& taps, std::int64_t extent,
                     std::size_t axis) {
  if (op.pads == AveragePool::Pads::excluded) return taps.last - taps.first;
  const std::int64_t end = extent + op.window.pad_end[axis] - op.beyond[axis];
  const std::int64_t dilation = op.window.dilation[axis];
  return std::min(op.window.kernel[axis], (end - 1 - taps.start) / dilation + 1);
}

template <class T>
Value mean(const AveragePool& op, const Job& job) {
  const Shape& in = job.inputs[0].shape();
  const std::int64_t IH = in.size() == 3 ? 1 : in[2], IW = in.back();
  return pool<T>(
      op.window, job, [](T* y, std::int64_t C) { std::fill_n(y, C, T{0}); },
      [](T* y, const T* x, std::int64_t C) {
        for (std::int64_t c = 0; c < C; ++c) y[c] += x[c];
      },
      [&](T* y, std::int64_t C, const Taps& rows, const Taps& columns) {
        const auto count = static_cast<T>(counted(op, rows, IH, 0) * counted(op, columns, IW, 1));
        for (std::int64_t c = 0; c < C; ++c) y[c] /= count;
      });
}

}  // namespace

Value run(const AveragePool& op, const Job& job) {
  return job.in_double() ? mean<double>(op, job) : mean<float>(op, job);
}

}  // namespace parity::cpu
