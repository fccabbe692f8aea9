#include "model/ops/average_pool.hpp"

#include "cuda/ops.hpp"
#include "cuda/ops/average_pool.hpp"

// The sum of each window's taps inside the image in order, then one division, channels-last. On magnitudes
// the same on |x|.

namespace parity::cuda {

Value run(const AveragePool& op, const Job& job) {
  const Elements<float> x = elements<float>(job.inputs[0], Layout::channels_last, job.session);
  Fresh fresh = job.fresh(Layout::channels_last);
  const Shape& in = job.inputs[0].shape();
  const Shape& out = job.output.shape;
  const bool flat = in.size() == 3;
  const SlidingWindow& w = op.window;
  AveragePoolArgument a{x.data,
                        fresh.data<float>(),
                        in[0],
                        in[1],
                        flat ? 1 : in[2],
                        in.back(),
                        flat ? 1 : out[2],
                        out.back(),
                        w.kernel[0],
                        w.kernel[1],
                        w.stride[0],
                        w.stride[1],
                        w.pad_begin[0],
                        w.pad_begin[1],
                        w.dilation[0],
                        w.dilation[1],
                        0,
                        0,
                        0,
                        0};
  a.last_row = a.IH;
  a.last_column = a.IW;
  if (op.pads == AveragePool::Pads::included) {
    a.first_row = -w.pad_begin[0];
    a.first_column = -w.pad_begin[1];
    a.last_row += w.pad_end[0] - op.beyond[0];
    a.last_column += w.pad_end[1] - op.beyond[1];
  }
  job.check(launch_average_pool(job.queue(), a), "launching an average pool");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
