#include "cuda/grid.hpp"
#include "cuda/ops/average_pool.hpp"

// One thread per output, neighbouring channels side by side; taps in order, then one division.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) average_pool(AveragePoolArgument a) {
  const std::int64_t count = a.N * a.OH * a.OW * a.C;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t c = i % a.C, ow = i / a.C % a.OW, oh = i / a.C / a.OW % a.OH,
                       n = i / a.C / a.OW / a.OH;
    float sum = 0;
    std::int64_t taps = 0;
    for (std::int64_t kh = 0; kh < a.KH; ++kh) {
      const std::int64_t ih = oh * a.sh + kh * a.dh - a.ph;
      if (ih < a.first_row || ih >= a.last_row) continue;
      for (std::int64_t kw = 0; kw < a.KW; ++kw) {
        const std::int64_t iw = ow * a.sw + kw * a.dw - a.pw;
        if (iw < a.first_column || iw >= a.last_column) continue;
        ++taps;
        if (ih < 0 || ih >= a.IH || iw < 0 || iw >= a.IW) continue;
        // x[n, ih, iw, c]
        sum = device::add_rn(sum, a.x[((n * a.IH + ih) * a.IW + iw) * a.C + c]);
      }
    }
    a.y[i] = device::div_rn(sum, static_cast<float>(taps));
  }
}

}  // namespace

Status launch_average_pool(const Queue& queue, const AveragePoolArgument& a) {
  return launch(queue, "average pool", average_pool, blocks_for(a.N * a.OH * a.OW * a.C),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
