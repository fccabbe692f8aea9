#include "model/ops/top_k.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <type_traits>

#include "cpu/maximum.hpp"
#include "cpu/ops.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/total_order.hpp"
#include "model/shapes.hpp"

// Row-major. Of one element each (ArgMax): one pass over the axis for as many neighbouring results as
// lie side by side. Else the indices of a result are sorted by the total order, as far as asked for. In
// magnitudes every value is the largest |x|, which bounds whichever is selected.

namespace parity::cpu {
namespace {

template <class T>
class Axis {
 public:
  using Word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

  Axis(const TopK& op, const Job& job)
      : op_(op), x_(elements<T>(job.inputs[0], Layout::row_major, job.execution)) {
    const Shape& shape = job.inputs[0].shape();
    const std::size_t axis = normalised_axis(op.axis, shape.size(), "TopK");
    extent = shape[axis];
    inner = element_count(shape, axis + 1, shape.size());
    outer = element_count(shape, 0, axis);
  }

  /// Greater comes first.
  Word key(std::int64_t at) const {
    const Word order = total_order(std::bit_cast<Word>(x_.data[at]));
    return op_.first == TopK::First::largest ? order : static_cast<Word>(~order);
  }
  T value(std::int64_t at) const { return x_.data[at]; }
  /// `count` times the largest element of each result of one outer row.
  void largest(std::int64_t row, std::int64_t count, T* to) const {
    const T* const from = x_.data + row * extent * inner;
    for (std::int64_t j = 0; j < inner; ++j) {
      T most = from[j];
      for (std::int64_t i = 1; i < extent; ++i) most = maximum(most, from[i * inner + j]);
      for (std::int64_t k = 0; k < count; ++k) to[k * inner + j] = most;
    }
  }

  std::int64_t outer = 1, extent = 1, inner = 1;

 private:
  const TopK& op_;
  Elements<T> x_;
};

/// The index of the first element of each result of one outer row.
template <class T>
void first_of(const TopK& op, const Axis<T>& x, std::int64_t row, std::int64_t* indices) {
  using Word = typename Axis<T>::Word;
  const std::int64_t start = row * x.extent * x.inner;
  std::vector<Word> best(static_cast<std::size_t>(x.inner));
  for (std::int64_t j = 0; j < x.inner; ++j) best[static_cast<std::size_t>(j)] = x.key(start + j);
  std::fill_n(indices, x.inner, 0);
  for (std::int64_t i = 1; i < x.extent; ++i)
    for (std::int64_t j = 0; j < x.inner; ++j) {
      const Word key = x.key(start + i * x.inner + j);
      Word& held = best[static_cast<std::size_t>(j)];
      const bool takes = key > held || (op.tie == TopK::Tie::highest && key == held);
      if (!takes) continue;
      held = key;
      indices[j] = i;
    }
}

template <class T>
std::vector<Value> ranked(const TopK& op, const Job& job) {
  const Axis<T> x(op, job);
  const bool values = op.results == TopK::Results::values_and_indices;
  std::vector<Fresh> made;
  for (const TensorType& output : job.outputs)
    made.emplace_back(output, Layout::row_major, &job.memory);
  auto* const indices = made.back().template data<std::int64_t>();
  T* const y = values ? made.front().template data<T>() : nullptr;
  parallel_for(x.outer, 1, job.execution.threads, [&](std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(x.extent));
    for (std::int64_t row = first; row < last; ++row) {
      std::int64_t* const to = indices + row * op.count * x.inner;
      if (op.count == 1) {
        first_of(op, x, row, to);
      } else {
        for (std::int64_t j = 0; j < x.inner; ++j) {
          const std::int64_t start = row * x.extent * x.inner + j;
          std::iota(order.begin(), order.end(), 0);
          std::partial_sort(order.begin(), order.begin() + op.count, order.end(),
                            [&](std::int64_t a, std::int64_t b) {
                              const auto of_a = x.key(start + a * x.inner),
                                         of_b = x.key(start + b * x.inner);
                              return of_a != of_b ? of_a > of_b : a < b;
                            });
          for (std::int64_t k = 0; k < op.count; ++k)
            to[k * x.inner + j] = order[static_cast<std::size_t>(k)];
        }
      }
      if (!values) continue;
      if (job.magnitudes()) {
        x.largest(row, op.count, y + row * op.count * x.inner);
        continue;
      }
      for (std::int64_t i = 0; i < op.count * x.inner; ++i)
        y[row * op.count * x.inner + i] = x.value((row * x.extent + to[i]) * x.inner + i % x.inner);
    }
  });
  std::vector<Value> outputs;
  for (Fresh& each : made) outputs.push_back(std::move(each).value());
  return outputs;
}

}  // namespace

std::vector<Value> run(const TopK& op, const Job& job) {
  return in_double(job.contract) ? ranked<double>(op, job) : ranked<float>(op, job);
}

}  // namespace parity::cpu
