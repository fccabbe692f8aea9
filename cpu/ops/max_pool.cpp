#include "model/ops/max_pool.hpp"

#include <limits>

#include "cpu/maximum.hpp"
#include "cpu/pool.hpp"

// The IEEE maximum over each window's taps inside the image (cpu/pool.hpp). Free of order, so one loop
// serves every thread count, layout and vector width; starting from -infinity changes nothing. On
// magnitudes it is the maximum of |x|.

namespace parity::cpu {
namespace {

template <class T>
Value largest(const MaxPool& op, const Job& job) {
  return pool<T>(
      op.window, job,
      [](T* y, std::int64_t C) { std::fill_n(y, C, -std::numeric_limits<T>::infinity()); },
      [](T* y, const T* x, std::int64_t C) {
        for (std::int64_t c = 0; c < C; ++c) y[c] = maximum(y[c], x[c]);
      },
      [](T*, std::int64_t, const Taps&, const Taps&) {});
}

}  // namespace

Value run(const MaxPool& op, const Job& job) {
  return job.in_double() ? largest<double>(op, job) : largest<float>(op, job);
}

}  // namespace parity::cpu
