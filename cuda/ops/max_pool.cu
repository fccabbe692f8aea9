#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/max_pool.hpp"

// One thread per output, neighbouring channels side by side; free of order.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) max_pool(MaxPoolArgument a) {
  const std::int64_t count = a.N * a.OH * a.OW * a.C;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t c = i % a.C, ow = i / a.C % a.OW, oh = i / a.C / a.OW % a.OH,
                       n = i / a.C / a.OW / a.OH;
    float best = 0;
    bool any = false;
    for (std::int64_t kh = 0; kh < a.KH; ++kh) {
      const std::int64_t ih = oh * a.sh + kh * a.dh - a.ph;
      if (ih < 0 || ih >= a.IH) continue;
      for (std::int64_t kw = 0; kw < a.KW; ++kw) {
        const std::int64_t iw = ow * a.sw + kw * a.dw - a.pw;
        if (iw < 0 || iw >= a.IW) continue;
        // x[n, ih, iw, c]
        const float x = a.x[((n * a.IH + ih) * a.IW + iw) * a.C + c];
        best = any ? maximum(best, x) : x;
        any = true;
      }
    }
    if (any) a.y[i] = best;
  }
}

}  // namespace

Status launch_max_pool(const Queue& queue, const MaxPoolArgument& a) {
  return launch(queue, "max pool", max_pool, blocks_for(a.N * a.OH * a.OW * a.C),
                {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
