#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cpu/threads.hpp"
#include "model/layout.hpp"
#include "model/shapes.hpp"

namespace parity::cpu {

/// Where a run of elements begins in each operand, and how far apart its elements lie there: 1, or 0 where
/// the operand is stretched, or another step.
template <std::size_t operands>
struct Run {
  std::array<std::int64_t, operands> at, step;
  std::int64_t first, count;  ///< in the result
};

/// Steps of an operand along the axes of a result in memory order; 0 where the operand is stretched. A
/// channels-last operand has the result's rank.
inline std::vector<std::int64_t> stretched_strides(const Shape& shape, Layout layout,
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

/// Threads share runs, so none is longer than this by taking axes together.
constexpr std::int64_t longest_joined = 1 << 16;

/// The axes of a result in memory order, of which neighbours are one where every operand goes on
/// evenly, or stays, over both: runs are longer, and fewer indices are counted.
template <std::size_t operands>
struct Axes {
  std::vector<std::int64_t> extents;
  std::array<std::vector<std::int64_t>, operands> strides;

  void add(std::int64_t extent, const std::array<std::int64_t, operands>& steps) {
    bool even = !extents.empty() && extents.back() * extent <= longest_joined;
    for (std::size_t k = 0; k < operands && even; ++k)
      even = strides[k].back() == extent * steps[k];
    if (even)
      extents.back() *= extent;
    else
      extents.push_back(extent);
    for (std::size_t k = 0; k < operands; ++k) {
      if (even) strides[k].pop_back();
      strides[k].push_back(steps[k]);
    }
  }
};

/// Calls visit(run) for runs that make up a result of `shape` in `layout`, made from operands that lie in
/// the same layout and are read again along their extents of 1.
template <std::size_t operands, class Visit>
void for_each_run(const Shape& shape, Layout layout, const std::array<Shape, operands>& of,
                  int threads, Visit visit) {
  const std::int64_t count = element_count(shape);
  if (count == 0) return;
  if (std::all_of(of.begin(), of.end(), [&](const Shape& operand) { return operand == shape; })) {
    parallel_for(count, 4096, threads, [&](std::int64_t first, std::int64_t end) {
      Run<operands> run{{}, {}, first, end - first};
      run.at.fill(first);
      run.step.fill(1);
      visit(run);
    });
    return;
  }
  const std::vector<std::size_t> order = memory_order(shape.size(), layout);
  std::array<std::vector<std::int64_t>, operands> strides;
  for (std::size_t k = 0; k < operands; ++k) strides[k] = stretched_strides(of[k], layout, order);
  Axes<operands> axes;
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::array<std::int64_t, operands> steps;
    for (std::size_t k = 0; k < operands; ++k) steps[k] = strides[k][i];
    if (shape[order[i]] != 1) axes.add(shape[order[i]], steps);
  }
  if (axes.extents.empty()) axes.add(1, {});
  const std::size_t outer = axes.extents.size() - 1;
  const std::int64_t columns = axes.extents[outer];
  parallel_for(count / columns, std::max<std::int64_t>(1, 4096 / columns), threads,
               [&](std::int64_t first, std::int64_t end) {
                 Run<operands> run{{}, {}, first * columns, columns};
                 for (std::size_t k = 0; k < operands; ++k) run.step[k] = axes.strides[k][outer];
                 std::vector<std::int64_t> index(outer);
                 std::int64_t rest = first;
                 for (std::size_t i = outer; i-- > 0;) {
                   index[i] = rest % axes.extents[i];
                   rest /= axes.extents[i];
                   for (std::size_t k = 0; k < operands; ++k)
                     run.at[k] += index[i] * axes.strides[k][i];
                 }
                 for (std::int64_t row = first; row < end; ++row, run.first += columns) {
                   visit(run);
                   for (std::size_t i = outer; i-- > 0;) {
                     const bool over = ++index[i] == axes.extents[i];
                     for (std::size_t k = 0; k < operands; ++k)
                       run.at[k] +=
                           over ? (1 - axes.extents[i]) * axes.strides[k][i] : axes.strides[k][i];
                     if (!over) break;
                     index[i] = 0;
                   }
                 }
               });
}

/// y[i] = f(a[i], b[i]) over one run; the usual steps as loops of their own, so that they vectorise.
template <class T, class Y, class F>
void combine_run(const Run<2>& run, const T* a, const T* b, Y* y, F f) {
  const std::int64_t sa = run.step[0], sb = run.step[1], count = run.count;
  a += run.at[0];
  b += run.at[1];
  y += run.first;
  if (sa == 1 && sb == 1)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  else if (sa == 1 && sb == 0)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i], *b);
  else if (sa == 0 && sb == 1)
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(*a, b[i]);
  else
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i * sa], b[i * sb]);
}

}  // namespace parity::cpu
