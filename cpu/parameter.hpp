#pragma once

#include <cmath>

#include "cpu/ops.hpp"

namespace parity::cpu {

/// A parameter as a value that a room can read beside the others: row-major, in T, absolute in
/// magnitudes.
template <class T>
Value parameter_value(const Tensor& parameter, Reading reading) {
  Fresh fresh({type_of<T>(), parameter.shape()}, Layout::row_major);
  T* out = fresh.data<T>();
  for (const float value : parameter.values<float>())
    *out++ = reading == Reading::magnitudes ? std::abs(value) : value;
  return std::move(fresh).value();
}

}  // namespace parity::cpu
