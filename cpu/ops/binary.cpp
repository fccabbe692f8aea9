#include "model/ops/binary.hpp"

#include <algorithm>

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"
#include "cpu/threads.hpp"
#include "model/shapes.hpp"

// One rounded addition or multiplication per element.
//
//   elementwise   a constant that is a scalar or one per channel runs as an epilogue step, fused or
//                 alone; everything else by the broadcasting loop below, in the layout of the
//                 operands when they share one
//   fp64          the same in double
//   magnitudes    |a| + |b|, |a||b|

namespace parity::cpu {
namespace {

/// Strides of an operand along the axes of y in memory order; 0 where the operand is stretched.
std::vector<std::int64_t> stretched_strides(const Shape& shape, Layout layout,
                                            const std::vector<std::size_t>& order) {
  std::vector<std::int64_t> strides;
  if (layout == Layout::row_major) {
    const std::vector<std::int64_t> logical = broadcast_strides(shape, order.size());
    for (const std::size_t axis : order) strides.push_back(logical[axis]);
    return strides;
  }
  const std::vector<std::int64_t> memory = memory_strides(shape, layout);
  for (const std::size_t axis : order) strides.push_back(shape[axis] == 1 ? 0 : memory[axis]);
  return strides;
}

template <class T, class F>
void row_of(const T* a, std::int64_t sa, const T* b, std::int64_t sb, T* y, std::int64_t count,
            F f) {
  if (sa == 1 && sb == 1)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  else if (sa == 1 && sb == 0)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i], *b);
  else if (sa == 0 && sb == 1)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(*a, b[i]);
  else
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i * sa], b[i * sb]);
}

template <class T, class F>
Value combine(const Value& left, const Value& right, const Job& job, F f) {
  const Shape& shape = job.output.shape;
  const std::size_t rank = shape.size();
  const bool last =
      left.shape().size() == rank && right.shape().size() == rank &&
      (layout_of(left) == Layout::channels_last || layout_of(right) == Layout::channels_last);
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const Elements<T> a = elements<T>(left, layout, job.execution),
                    b = elements<T>(right, layout, job.execution);
  Fresh fresh(job.output, layout, &job.memory);
  T* const y = fresh.data<T>();
  const std::int64_t count = element_count(shape);
  if (left.shape() == right.shape()) {
    parallel_for(count, 4096, job.execution.threads, [&](std::int64_t first, std::int64_t end) {
      row_of(a.data + first, 1, b.data + first, 1, y + first, end - first, f);
    });
    return std::move(fresh).value();
  }
  const std::vector<std::size_t> order = memory_order(rank, layout);
  const auto sa = stretched_strides(left.shape(), layout, order),
             sb = stretched_strides(right.shape(), layout, order);
  const std::int64_t columns = shape[order.back()];
  if (count == 0) return std::move(fresh).value();
  parallel_for(count / columns, std::max<std::int64_t>(1, 4096 / columns), job.execution.threads,
               [&](std::int64_t first, std::int64_t end) {
                 for (std::int64_t row = first; row < end; ++row) {
                   std::int64_t at_a = 0, at_b = 0, rest = row;
                   for (std::size_t i = rank - 1; i-- > 0;) {
                     const std::int64_t index = rest % shape[order[i]];
                     at_a += index * sa[i];
                     at_b += index * sb[i];
                     rest /= shape[order[i]];
                   }
                   row_of(a.data + at_a, sa.back(), b.data + at_b, sb.back(), y + row * columns,
                          columns, f);
                 }
               });
  return std::move(fresh).value();
}

template <class T>
Value run_in(const Binary& op, const Job& job) {
  const Value& left = job.inputs[0];
  const Value right =
      job.parameters.empty() ? job.inputs[1] : parameter_value<T>(*job.parameters[0], job.reading);
  if (op.function == Binary::Function::add)
    return combine<T>(left, right, job, [](T a, T b) { return a + b; });
  return combine<T>(left, right, job, [](T a, T b) { return a * b; });
}

}  // namespace

Value run(const Binary& op, const Job& job) {
  const Shape& shape = job.output.shape;
  const std::int64_t channels = shape.size() >= 2 ? shape[1] : 1;
  const bool one_step = job.inputs[0].shape() == shape &&
                        as_epilogue<float>(op, job.parameters, channels, job.reading).has_value();
  if (one_step) return run_as_epilogue(op, job);
  return job.in_double() ? run_in<double>(op, job) : run_in<float>(op, job);
}

}  // namespace parity::cpu
