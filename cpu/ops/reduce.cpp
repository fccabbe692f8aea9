#include "model/ops/reduce.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cpu/maximum.hpp"
#include "cpu/ops.hpp"
#include "cpu/threads.hpp"

// One element per set of elements that agree on the kept axes.
//
//   lanes32      32 interleaved lanes and an xor tree per block of 4096, block sums as a new list;
//                mean divides once, L2 takes one root. Elements that lie side by side in memory and
//                belong to neighbouring results (the channels of a pixel) are summed side by side:
//                other results, so no order changes
//   max, min     IEEE 754-2019; no order
//   fp64         the same in double
//   magnitudes   the same on |x|; min: the maximum of |x|; prod on max(|x|, 1)

namespace parity::cpu {
namespace {

/// Results computed side by side: enough to fill a vector, few enough that 32 lanes of them stay in
/// the first cache.
constexpr std::int64_t width = 32;
constexpr std::int64_t lanes = 32, block = 4096;

/// Where a reduction's elements lie: at a table's offsets, or evenly.
struct Tabled {
  const std::int64_t* offsets;
  std::int64_t operator()(std::int64_t i) const { return offsets[i]; }
};
struct Even {
  std::int64_t stride;
  std::int64_t operator()(std::int64_t i) const { return i * stride; }
};

/// How a reduction goes on from a lane's value by one element (`take`) and by another lane's (`join`);
/// `start` is what an empty lane holds, `List` how the blocks' results go on as a new list.
template <class T>
struct Sum {
  using List = Sum;
  static constexpr T start = 0;
  static T take(T acc, T x) { return acc + x; }
  static T join(T a, T b) { return a + b; }
};
template <class T>
struct SumOfMagnitudes : Sum<T> {
  static T take(T acc, T x) { return acc + std::abs(x); }
};
template <class T>
struct SumOfSquares : Sum<T> {
  static T take(T acc, T x) { return std::fma(x, x, acc); }
};
template <class T>
struct Product {
  using List = Product;
  static constexpr T start = 1;
  static T take(T acc, T x) { return acc * x; }
  static T join(T a, T b) { return a * b; }
};
/// What bounds a product's error.
template <class T>
struct ProductOfGrowth : Product<T> {
  static T take(T acc, T x) { return acc * (x < T{1} ? T{1} : x); }
};

/// results[j] = `lanes32` over x[offset(i) + j], i < n, for j < columns <= width.
template <class How, class T, class Offset>
void lanes32(const T* x, Offset offset, std::int64_t n, std::int64_t columns, T* results) {
  std::array<T, lanes * width> acc;
  const auto one_block = [&](std::int64_t first, std::int64_t last, T* result) {
    acc.fill(How::start);
    for (std::int64_t i = first; i < last; ++i) {
      T* const lane = acc.data() + (i - first) % lanes * width;
      const T* const from = x + offset(i);
      for (std::int64_t j = 0; j < columns; ++j) lane[j] = How::take(lane[j], from[j]);
    }
    // acc_l += acc_(l xor d); only the lanes that reach lane 0 are needed.
    for (std::int64_t d = lanes / 2; d > 0; d /= 2)
      for (std::int64_t l = 0; l < d; ++l)
        for (std::int64_t j = 0; j < columns; ++j)
          acc[l * width + j] = How::join(acc[l * width + j], acc[(l + d) * width + j]);
    std::copy_n(acc.data(), columns, result);
  };
  if (n <= block) {
    one_block(0, n, results);
    return;
  }
  const std::int64_t blocks = (n + block - 1) / block;
  std::vector<T> list(static_cast<std::size_t>(blocks * columns));
  for (std::int64_t b = 0; b < blocks; ++b)
    one_block(b * block, std::min(n, (b + 1) * block), list.data() + b * columns);
  lanes32<typename How::List>(list.data(), Even{columns}, blocks, columns, results);
}

template <class T, class Better>
void best(const T* x, const std::vector<std::int64_t>& offset, std::int64_t columns, T* result,
          Better better) {
  std::copy_n(x + offset[0], columns, result);
  for (std::size_t i = 1; i < offset.size(); ++i) {
    const T* const from = x + offset[i];
    for (std::int64_t j = 0; j < columns; ++j) result[j] = better(result[j], from[j]);
  }
}

/// The results of one strip of neighbours.
template <class T>
void strip(const Reduce& op, const Job& job, const T* x, const std::vector<std::int64_t>& terms,
           std::int64_t columns, T* y) {
  const auto n = static_cast<std::int64_t>(terms.size());
  const Tabled at{terms.data()};
  switch (op.function) {
    case Reduce::Function::max:
      return best(x, terms, columns, y, maximum<T>);
    case Reduce::Function::min:
      // In magnitudes the largest: it bounds the smallest and passes on the largest error.
      return best(x, terms, columns, y, job.magnitudes() ? maximum<T> : minimum<T>);
    case Reduce::Function::sum:
      return lanes32<Sum<T>>(x, at, n, columns, y);
    case Reduce::Function::mean:
      lanes32<Sum<T>>(x, at, n, columns, y);
      for (std::int64_t j = 0; j < columns; ++j) y[j] /= static_cast<T>(n);
      return;
    case Reduce::Function::l1:
      return lanes32<SumOfMagnitudes<T>>(x, at, n, columns, y);
    case Reduce::Function::sum_square:
      return lanes32<SumOfSquares<T>>(x, at, n, columns, y);
    case Reduce::Function::l2:
      lanes32<SumOfSquares<T>>(x, at, n, columns, y);
      for (std::int64_t j = 0; j < columns; ++j) y[j] = std::sqrt(y[j]);
      return;
    case Reduce::Function::prod:
      return job.magnitudes() ? lanes32<ProductOfGrowth<T>>(x, at, n, columns, y)
                              : lanes32<Product<T>>(x, at, n, columns, y);
  }
}

/// Offsets of all index tuples over `axes`, the last one fastest.
std::vector<std::int64_t> offsets_over(const std::vector<std::size_t>& axes, const Shape& shape,
                                       const std::vector<std::int64_t>& strides) {
  std::vector<std::int64_t> offsets{0};
  for (const std::size_t axis : axes) {
    std::vector<std::int64_t> finer;
    finer.reserve(offsets.size() * static_cast<std::size_t>(shape[axis]));
    for (const std::int64_t offset : offsets)
      for (std::int64_t i = 0; i < shape[axis]; ++i) finer.push_back(offset + i * strides[axis]);
    offsets = std::move(finer);
  }
  return offsets;
}

template <class T>
Value reduce(const Reduce& op, const Job& job) {
  const Value& input = job.inputs[0];
  const Shape& shape = input.shape();
  // Dropped axes change what "channels last" means for y, so x is put in order first.
  const Layout layout = op.reduced == Reduce::Axes::kept ? layout_of(input) : Layout::row_major;
  const Elements<T> x = elements<T>(input, layout, job.execution);
  if (op.axes.empty()) return x.value;

  const std::vector<std::int64_t> strides = memory_strides(shape, layout);
  std::vector<std::size_t> reduced(op.axes.begin(), op.axes.end()), kept;
  for (const std::size_t axis : memory_order(shape.size(), layout))
    if (!std::binary_search(reduced.begin(), reduced.end(), axis)) kept.push_back(axis);
  // Ascending axes, row-major: the contract's order of the n elements, whatever the layout.
  const std::vector<std::int64_t> terms = offsets_over(reduced, shape, strides);
  const bool side_by_side = !kept.empty() && strides[kept.back()] == 1;
  const std::int64_t columns = side_by_side ? shape[kept.back()] : 1;
  if (side_by_side) kept.pop_back();
  const std::vector<std::int64_t> rows = offsets_over(kept, shape, strides);

  Fresh fresh(job.output, layout, &job.memory);
  T* const y = fresh.data<T>();
  // Of few strips each thread would get an uneven share; a cache line of floats is the least.
  const auto outer = static_cast<std::int64_t>(rows.size());
  const bool few = outer * columns / width < 4 * std::int64_t{job.execution.threads};
  const std::int64_t wide = few && job.execution.threads > 1 ? width / 2 : width;
  const std::int64_t strips = (columns + wide - 1) / wide;
  parallel_for(outer * strips, 1, job.execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) {
                   const std::int64_t row = i / strips, column = i % strips * wide;
                   const std::int64_t count = std::min(wide, columns - column);
                   const T* const from = x.data + rows[static_cast<std::size_t>(row)] + column;
                   T* const to = y + row * columns + column;
                   strip(op, job, from, terms, count, to);
                 }
               });
  return std::move(fresh).value();
}

}  // namespace

Value run(const Reduce& op, const Job& job) {
  return job.in_double() ? reduce<double>(op, job) : reduce<float>(op, job);
}

}  // namespace parity::cpu
