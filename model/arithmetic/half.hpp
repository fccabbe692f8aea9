#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "model/arithmetic/bits.hpp"
#include "model/tensor.hpp"

namespace parity {

inline constexpr double half_roundoff = 0x1p-11;  ///< of float16, to nearest
inline constexpr double half_smallest_normal = 0x1p-14;

/// The nearest float16, ties to even, as a float32, which holds every one of them. Beyond 65504 and
/// half a step infinity; below 2^-14 a multiple of 2^-24; NaN stays.
inline float round_to_half(float x) {
  const std::uint32_t bits = bits_of(x);
  if ((bits & 0x7f800000U) == 0x7f800000U) return x;
  if (std::fabs(x) < 0x1p-14F)
    return std::copysign(std::nearbyintf(std::fabs(x) * 0x1p24F) * 0x1p-24F, x);
  const float nearest = float_of((bits + 0xfffU + ((bits >> 13) & 1U)) & ~0x1fffU);
  if (std::fabs(nearest) > 65504.0F)
    return std::copysign(std::numeric_limits<float>::infinity(), x);
  return nearest;
}

/// Every element of a float32 tensor as a float16 would hold it; other types stay.
inline Tensor rounded_to_half(const Tensor& tensor) {
  if (tensor.type().type != Type::float32) return tensor;
  const std::span<const float> values = tensor.values<float>();
  std::vector<float> rounded(values.size());
  std::transform(values.begin(), values.end(), rounded.begin(), round_to_half);
  return Tensor::of(tensor.shape(), std::move(rounded));
}

}  // namespace parity
