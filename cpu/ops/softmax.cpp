#include "model/ops/softmax.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/ops.hpp"
#include "cpu/rows.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/elementary.hpp"

// A row at a time (cpu/rows.hpp). Rows whose elements lie apart are gathered, a strip of neighbours at
// once, so that memory is read along its lines.
//
//   lanes32      the sum of the exponentials
//   fp64         the same in double, libm's exp
//   magnitudes   y (min(-s, 105) + K), 2 s + 4 log S + K: the bound's own form, from the values in float

namespace parity::cpu {
namespace {

constexpr std::int64_t strip = 16;

/// y of a row whose elements are x. In magnitudes what bounds it.
template <class T>
void softmax(const RowKernels<T>& rows, Softmax::Function function, const T* x, T* y,
             std::int64_t n) {
  const T most = rows.largest(x, n);
  const T sum = rows.exponentials(x, most, y, n);
  if (function == Softmax::Function::softmax) return rows.divide(y, sum, y, n);
  const T logarithm = elementary::log(sum);
  for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - most) - logarithm;
}

void softmax_magnitudes(const RowKernels<float>& rows, Softmax::Function function, const float* x,
                        float* y, std::int64_t n, float term) {
  const float most = rows.largest(x, n);
  if (function == Softmax::Function::softmax) {
    softmax(rows, function, x, y, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const float below = most - x[i];
      y[i] *= (below > 105.0F ? 105.0F : below) + term;
    }
    return;
  }
  const float logarithm = 4.0F * elementary::log(rows.exponentials(x, most, y, n));
  for (std::int64_t i = 0; i < n; ++i) y[i] = (2.0F * (most - x[i]) + logarithm) + term;
}

template <class T>
Value run_rows(const Softmax& op, const Job& job) {
  const SoftmaxExtents e = extents(op, job.output.shape);
  const Elements<T> x = elements<T>(job.inputs[0], Layout::row_major, job.execution, &job.memory);
  Fresh fresh(job.output, Layout::row_major, &job.memory);
  T* const y = fresh.data<T>();
  const RowKernels<T>& rows = row_kernels<T>(job.execution.instruction_set);
  const float term = softmax_magnitude_term(e.n);
  const auto row = [&](const T* from, T* to) {
    if constexpr (std::is_same_v<T, float>)
      if (job.magnitudes()) return softmax_magnitudes(rows, op.function, from, to, e.n, term);
    softmax(rows, op.function, from, to, e.n);
  };
  const std::int64_t strips = (e.inner + strip - 1) / strip;
  parallel_for(e.outer * strips, 1, job.execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 std::vector<T> apart(static_cast<std::size_t>(e.inner == 1 ? 0 : 2 * strip * e.n));
                 for (std::int64_t at = first; at < last; ++at) {
                   const std::int64_t inner = at % strips * strip,
                                      base = at / strips * e.n * e.inner + inner;
                   if (e.inner == 1) {
                     row(x.data + base, y + base);
                     continue;
                   }
                   const std::int64_t count = std::min(strip, e.inner - inner);
                   T* const in = apart.data();
                   T* const out = in + strip * e.n;
                   for (std::int64_t i = 0; i < e.n; ++i)
                     for (std::int64_t j = 0; j < count; ++j)
                       in[j * e.n + i] = x.data[base + i * e.inner + j];
                   for (std::int64_t j = 0; j < count; ++j) row(in + j * e.n, out + j * e.n);
                   for (std::int64_t i = 0; i < e.n; ++i)
                     for (std::int64_t j = 0; j < count; ++j)
                       y[base + i * e.inner + j] = out[j * e.n + i];
                 }
               });
  return std::move(fresh).value();
}

}  // namespace

Value run(const Softmax& op, const Job& job) {
  return job.in_double() ? run_rows<double>(op, job) : run_rows<float>(op, job);
}

}  // namespace parity::cpu
