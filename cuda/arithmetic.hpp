#pragma once

// Device code that rooms share; included by .cu files only.

#include "cuda/device.hpp"
#include "cuda/epilogue.hpp"
#include "model/arithmetic/sequences.hpp"

namespace parity::cuda {

/// The operations of model/arithmetic/sequences.hpp on the device.
struct DeviceSpelling {
  __host__ __device__ static float fma_rn(float a, float b, float c) {
    return device::fma_rn(a, b, c);
  }
  __host__ __device__ static float add_rn(float a, float b) { return device::add_rn(a, b); }
  __host__ __device__ static float sub_rn(float a, float b) { return device::sub_rn(a, b); }
  __host__ __device__ static float mul_rn(float a, float b) { return device::mul_rn(a, b); }
  __host__ __device__ static float div_rn(float a, float b) { return device::div_rn(a, b); }
  __host__ __device__ static float sqrt_rn(float a) { return device::sqrt_rn(a); }
  __host__ __device__ static double fma_rn(double a, double b, double c) {
    return device::fma_rn(a, b, c);
  }
  __host__ __device__ static double add_rn(double a, double b) { return device::add_rn(a, b); }
  __host__ __device__ static double sub_rn(double a, double b) { return device::sub_rn(a, b); }
  __host__ __device__ static double mul_rn(double a, double b) { return device::mul_rn(a, b); }
  __host__ __device__ static double div_rn(double a, double b) { return device::div_rn(a, b); }
  __host__ __device__ static float narrow_rn(double a) { return device::narrow_rn(a); }
  __host__ __device__ static std::uint32_t bits_of(float a) { return device::bits_of(a); }
  __host__ __device__ static float float_of(std::uint32_t a) { return device::float_of(a); }
  __host__ __device__ static std::uint64_t bits_of(double a) { return device::bits_of(a); }
  __host__ __device__ static double double_of(std::uint64_t a) { return device::double_of(a); }
};
using DeviceArithmetic = sequences::OneFloat<DeviceSpelling>;

/// relu of the lab: NaN passes, -0 becomes +0.
__device__ __forceinline__ float relu(float x) { return x > 0 ? x : (x != x ? x : 0.0F); }

/// IEEE 754-2019 maximum: a NaN on either side gives NaN, +0 > -0.
__device__ __forceinline__ float maximum(float a, float b) {
  const bool positive = (device::bits_of(b) >> 31) == 0;
  return b > a || b != b || (b == a && positive) ? b : a;
}

/// IEEE 754-2019 minimum: a NaN on either side gives NaN, -0 < +0.
__device__ __forceinline__ float minimum(float a, float b) {
  const bool negative = (device::bits_of(b) >> 31) != 0;
  return b < a || b != b || (b == a && negative) ? b : a;
}

__device__ __forceinline__ float sigmoid(float x) {
  return sequences::sigmoid<DeviceArithmetic>(x);
}

/// One step on the element y of channel c, of any kind.
__device__ __forceinline__ float apply_any(const EpilogueStep& step, float y, std::int64_t c) {
  const float a = step.a == nullptr ? 0.0F : step.a[step.stride * c];
  const float b = step.b == nullptr ? 0.0F : step.b[step.stride * c];
  return sequences::any_step<DeviceArithmetic>(step.kind, y, a, b);
}

/// One step of a kind that rides on a product (rides_on_product): the others would only lengthen its
/// kernels.
__device__ __forceinline__ float apply(const EpilogueStep& step, float y, std::int64_t c) {
  const std::int64_t at = step.stride * c;
  switch (step.kind) {
    case EpilogueKind::add:
      return device::add_rn(y, step.a[at]);
    case EpilogueKind::fma:
      return device::fma_rn(y, step.a[at], step.b[at]);
    case EpilogueKind::mul:
      return device::mul_rn(y, step.a[at]);
    case EpilogueKind::relu:
      return relu(y);
    case EpilogueKind::sigmoid:
    case EpilogueKind::swish: {  // one text of the sigmoid in the kernel's code
      const bool gated = step.kind == EpilogueKind::swish;
      const float s = sigmoid(gated ? device::mul_rn(step.a[at], y) : y);
      return gated ? device::mul_rn(y, s) : s;
    }
    default:
      return y;
  }
}

/// All steps that ride, in order.
__device__ __forceinline__ float apply(const Epilogue& epilogue, float y, std::int64_t c) {
#pragma unroll 1
  for (int i = 0; i < epilogue.count; ++i) y = apply(epilogue.steps[i], y, c);
  return y;
}

}  // namespace parity::cuda
