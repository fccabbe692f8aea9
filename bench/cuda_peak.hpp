#pragma once

#include "cuda/api.hpp"

namespace parity::bench {

/// Kernels that do nothing but multiply and add in registers: the ceilings that shares are taken of.
enum class Peak { fma, tensor_core };

/// Launches one on every multiprocessor. `operations` becomes the floating-point operations it makes,
/// two per multiply-add. `sink` has room for 65536 floats a multiprocessor.
cuda::Status launch_peak(const cuda::Queue& queue, Peak peak, int multiprocessors, int rounds,
                         float* sink, double* operations);
inline constexpr int peak_sink_floats = 65536;

}  // namespace parity::bench
