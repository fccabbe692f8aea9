#include "model/ops/max_pool.hpp"

#include "cuda/ops.hpp"
#include "cuda/ops/max_pool.hpp"

// The IEEE maximum over each window's taps inside the image, channels-last. On magnitudes it is the maximum
// of |x|.

namespace parity::cuda {

Value run(const MaxPool& op, const Job& job) {
  const Elements<float> x = elements<float>(job.inputs[0], Layout::channels_last, job.session);
  Fresh fresh = job.fresh(Layout::channels_last);
  const Shape& in = job.inputs[0].shape();
  const Shape& out = job.output.shape;
  const bool flat = in.size() == 3;
  const SlidingWindow& w = op.window;
  job.check(
      launch_max_pool(job.queue(),
                      {x.data, fresh.data<float>(), in[0], in[1], flat ? 1 : in[2], in.back(),
                       flat ? 1 : out[2], out.back(), w.kernel[0], w.kernel[1], w.stride[0],
                       w.stride[1], w.pad_begin[0], w.pad_begin[1], w.dilation[0], w.dilation[1]}),
      "launching a max pool");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
