#include "cpu/threads.hpp"

#include <omp.h>

#include <algorithm>
#include <exception>

namespace parity::cpu {

void parallel_for(std::int64_t count, std::int64_t grain, int threads,
                  const std::function<void(std::int64_t first, std::int64_t last)>& f) {
  if (count <= 0) return;
  const std::int64_t grains = (count + grain - 1) / grain;
  const std::int64_t shares = std::min<std::int64_t>(std::max(threads, 1), grains);
  if (shares == 1) {
    f(0, count);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for num_threads(static_cast <int>(shares)) schedule(static, 1)
  for (std::int64_t share = 0; share < shares; ++share) {
    const std::int64_t first = grains * share / shares * grain;
    const std::int64_t last = std::min(count, grains * (share + 1) / shares * grain);
    try {
      if (first < last) f(first, last);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace parity::cpu
