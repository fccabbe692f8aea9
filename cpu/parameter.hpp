#pragma once

#include <cmath>
#include <type_traits>

#include "cpu/ops.hpp"

namespace parity::cpu {

/// A parameter as a value that a room can read beside the others: row-major, in T; absolute in
/// magnitudes, integers as they are.
template <class T>
Value parameter_value(const Tensor& parameter, Reading reading) {
  Fresh fresh({type_of<T>(), parameter.shape()}, Layout::row_major);
  T* out = fresh.data<T>();
  if constexpr (std::is_floating_point_v<T>) {
    for (const float value : parameter.values<float>())
      *out++ = reading == Reading::magnitudes ? std::abs(value) : value;
  } else {
    for (const T value : parameter.values<T>()) *out++ = value;
  }
  return std::move(fresh).value();
}

}  // namespace parity::cpu
