#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "model/op.hpp"
#include "model/tensor.hpp"

namespace parity {

// Results held to their bound, for tests of any backend.

template <class T>
std::vector<T> numbers_of(const Tensor& tensor) {
  const auto all = [](const auto& values) { return std::vector<T>(values.begin(), values.end()); };
  switch (tensor.type().type) {
    case Type::float64:
      return all(tensor.values<double>());
    case Type::int64:
      return all(tensor.values<std::int64_t>());
    case Type::boolean:
      return all(tensor.values<std::uint8_t>());
    case Type::float32:
      break;
  }
  return all(tensor.values<float>());
}

/// Judges every element by |got - exact| <= bound; elements whose bound is not finite judge
/// nothing.
struct Judged {
  std::int64_t elements = 0, informative = 0;
};
template <class Got, class Exact>
Judged judge(const Got& got, const Exact& exact, const Tensor& magnitude, Allowance allowance,
             double oracle, const std::string& text) {
  const std::vector<float> m = numbers_of<float>(magnitude);
  Judged judged;
  for (std::size_t i = 0; i < m.size(); ++i, ++judged.elements) {
    const double M = std::fabs(m[i]);  // an integer is its own magnitude, with its sign
    if (!(M * (1 + 0x1p-9) < 0x1p127)) continue;
    const auto error = static_cast<double>(
        std::abs(static_cast<long double>(got[i]) - static_cast<long double>(exact[i])));
    const double bound = (allowance.coefficient + oracle) * M + allowance.underflow;
    if (!(error <= bound)) {
      ADD_FAILURE() << text << ", element " << i << ": off by " << error << ", allowed " << bound
                    << ", M = " << M << ", got " << static_cast<double>(got[i]) << ", exactly "
                    << static_cast<double>(exact[i]);
      return judged;
    }
    ++judged.informative;
  }
  return judged;
}

inline std::vector<std::int64_t> every_index(std::int64_t count) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i);
  return indices;
}

}  // namespace parity
