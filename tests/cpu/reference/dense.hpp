#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "model/tensor.hpp"

namespace parity::reference {

/// A tensor as plain nested loops see it: ONNX order, any index by its tuple.
template <class T>
struct Dense {
  Shape shape;
  std::vector<T> values;

  static Dense zeros(Shape shape) {
    const auto count = static_cast<std::size_t>(element_count(shape));
    return {std::move(shape), std::vector<T>(count, T{0})};
  }
  static Dense of(const Tensor& tensor) {
    Dense dense{tensor.shape(), {}};
    if (tensor.type().type == Type::float64)
      for (const double value : tensor.values<double>())
        dense.values.push_back(static_cast<T>(value));
    else if (tensor.type().type == Type::int64)
      for (const std::int64_t value : tensor.values<std::int64_t>())
        dense.values.push_back(static_cast<T>(value));
    else if (tensor.type().type == Type::boolean)
      for (const std::uint8_t value : tensor.values<std::uint8_t>())
        dense.values.push_back(static_cast<T>(value));
    else
      for (const float value : tensor.values<float>())
        dense.values.push_back(static_cast<T>(value));
    return dense;
  }

  std::int64_t offset(const std::vector<std::int64_t>& index) const {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) at = at * shape[axis] + index[axis];
    return at;
  }
  T& at(const std::vector<std::int64_t>& index) {
    return values[static_cast<std::size_t>(offset(index))];
  }
  const T& at(const std::vector<std::int64_t>& index) const {
    return values[static_cast<std::size_t>(offset(index))];
  }
  /// The element that broadcasting reads at `index` of a larger or equal rank.
  const T& stretched(const std::vector<std::int64_t>& index) const {
    std::vector<std::int64_t> own(shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      own[axis] = shape[axis] == 1 ? 0 : index[index.size() - shape.size() + axis];
    return at(own);
  }
};

/// Calls f with every index tuple of a shape, row-major.
template <class F>
void for_each_index(const Shape& shape, F f) {
  const std::int64_t count = element_count(shape);
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    f(index);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/// IEEE 754-2019 maximum.
template <class T>
T maximum(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

/// IEEE 754-2019 minimum.
template <class T>
T minimum(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

/// CONTRACTS section 3: 32 lanes, an xor tree, blocks of 4096; of the squares, each a fused
/// multiply-add, or of products from 1, where said.
enum class Summand { term, square, factor };
template <class T>
T lanes32(const std::vector<T>& x, Summand summand = Summand::term) {
  if (x.size() > 4096) {
    std::vector<T> sums;
    for (std::size_t first = 0; first < x.size(); first += 4096) {
      const std::size_t last = first + 4096 < x.size() ? first + 4096 : x.size();
      sums.push_back(lanes32(std::vector<T>(x.begin() + static_cast<std::ptrdiff_t>(first),
                                            x.begin() + static_cast<std::ptrdiff_t>(last)),
                             summand));
    }
    return lanes32(sums, summand == Summand::factor ? summand : Summand::term);
  }
  const bool factors = summand == Summand::factor;
  std::vector<T> acc(32, T{factors ? 1.0F : 0.0F});
  for (std::size_t i = 0; i < x.size(); ++i) {
    T& lane = acc[i % 32];
    lane = summand == Summand::square ? std::fma(x[i], x[i], lane)
           : factors                  ? lane * x[i]
                                      : lane + x[i];
  }
  for (const std::size_t d : {16, 8, 4, 2, 1}) {
    const std::vector<T> before = acc;
    for (std::size_t l = 0; l < 32; ++l)
      acc[l] = factors ? before[l] * before[l ^ d] : before[l] + before[l ^ d];
  }
  return acc[0];
}

}  // namespace parity::reference
