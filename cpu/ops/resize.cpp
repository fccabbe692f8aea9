#include "model/ops/resize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cpu/places.hpp"
#include "cpu/threads.hpp"
#include "cpu/weighted.hpp"

// One pass per resized axis, the last axis first, in the layout that x has: elements that lie side by
// side inside the axis (the channels of a pixel, a row) are summed side by side on vectors.
//
//   elementwise   nearest: a tabled copy (cpu/places.cpp); else mul by the first weight, fma by the
//                 others, weights rounded to float
//   fp64          the same in double, weights in double
//   magnitudes    the same on |x|, |w|

namespace parity::cpu {
namespace {

/// An axis of a value as it lies in memory.
struct Strips {
  std::int64_t outer, inner;  ///< elements outside and inside of the axis
};
Strips strips_of(const Shape& shape, std::size_t axis, Layout layout) {
  const std::int64_t inner = memory_strides(shape, layout)[axis];
  return {element_count(shape) / (inner * shape[axis]), inner};
}

template <class T>
std::vector<T> weights_of(const Resize::Table& table, Reading reading) {
  std::vector<T> weights;
  for (const double weight : table.weights)
    weights.push_back(static_cast<T>(reading == Reading::magnitudes ? std::abs(weight) : weight));
  return weights;
}

template <class T>
Value along(const Resize& op, const Resize::Axis& axis, const Value& x, const Job& job) {
  const auto at = static_cast<std::size_t>(axis.axis);
  const Layout layout = layout_of(x);
  TensorType type = x.type();
  const std::int64_t I = type.shape[at], O = axis.extent;
  const auto [outer, inner] = strips_of(type.shape, at, layout);
  type.shape[at] = O;
  Fresh fresh(type, layout, &job.memory);
  T* const y = fresh.data<T>();
  const auto* const from = static_cast<const T*>(storage_of(x).data());
  const Resize::Table table = op.table(axis, I);
  const std::vector<T> weights = weights_of<T>(table, job.reading);
  parallel_for(outer * O, std::max<std::int64_t>(1, 4096 / inner), job.execution.threads,
               [&, inner = inner](std::int64_t first, std::int64_t last) {
                 std::array<const T*, 4> rows{};
                 for (std::int64_t i = first; i < last; ++i) {
                   const std::int64_t index = i % O * table.taps;
                   const T* const strip = from + i / O * I * inner;
                   const T* const w = weights.data() + index;
                   for (std::int64_t t = 0; t < table.taps; ++t)
                     rows[static_cast<std::size_t>(t)] =
                         strip + table.at[static_cast<std::size_t>(index + t)] * inner;
                   if (inner > 1) {
                     weighted_sum(rows.data(), w, table.taps, y + i * inner, inner,
                                  job.execution.instruction_set);
                     continue;
                   }
                   T sum = *rows[0] * w[0];
                   for (std::int64_t t = 1; t < table.taps; ++t)
                     sum = std::fma(*rows[static_cast<std::size_t>(t)], w[t], sum);
                   y[i] = sum;
                 }
               });
  return std::move(fresh).value();
}

template <class T>
Value resized(const Resize& op, const Job& job) {
  Value y = elements<T>(job.inputs[0], layout_of(job.inputs[0]), job.execution).value;
  if (op.mode == Resize::Mode::nearest) return placed(op.places(y.shape()), y, job.output, 0, job);
  for (auto axis = op.axes.rbegin(); axis != op.axes.rend(); ++axis)
    y = along<T>(op, *axis, y, job);
  return y;
}

}  // namespace

Value run(const Resize& op, const Job& job) {
  return job.in_double() ? resized<double>(op, job) : resized<float>(op, job);
}

}  // namespace parity::cpu
