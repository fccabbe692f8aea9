#pragma once

#include <cstdint>
#include <vector>

#include "cpu/mac/mac.hpp"
#include "model/arithmetic/fill.hpp"

namespace parity::cpu {

// Multiply-accumulate problems for tests of both backends, and their operands.

inline Window convolution(std::int64_t N, std::int64_t G, std::int64_t IC, std::int64_t OC,
                          std::int64_t IH, std::int64_t IW, std::int64_t KH, std::int64_t KW) {
  Window w;
  w.N = N, w.G = G, w.IC = IC, w.OC = OC, w.IH = IH, w.IW = IW, w.KH = KH, w.KW = KW;
  w.OH = IH - KH + 1;
  w.OW = IW - KW + 1;
  return w;
}

inline Window padded(Window w, std::int64_t top, std::int64_t left, std::int64_t bottom,
                     std::int64_t right, std::int64_t stride = 1, std::int64_t dilation = 1) {
  w.ph = top, w.pw = left, w.sh = w.sw = stride, w.dh = w.dw = dilation;
  w.OH = (w.IH + top + bottom - (w.KH - 1) * dilation - 1) / stride + 1;
  w.OW = (w.IW + left + right - (w.KW - 1) * dilation - 1) / stride + 1;
  return w;
}

inline Window transposed(Window w, std::int64_t sh, std::int64_t sw, std::int64_t top,
                         std::int64_t left, std::int64_t bottom, std::int64_t right,
                         std::int64_t dilation = 1) {
  w.direction = Window::Direction::transposed;
  w.sh = sh, w.sw = sw, w.ph = top, w.pw = left, w.dh = w.dw = dilation;
  w.OH = (w.IH - 1) * sh + (w.KH - 1) * dilation + 1 - top - bottom;
  w.OW = (w.IW - 1) * sw + (w.KW - 1) * dilation + 1 - left - right;
  return w;
}

inline Window product(std::int64_t M, std::int64_t K, std::int64_t columns) {
  Window w;
  w.N = M, w.IC = K, w.OC = columns;
  return w;
}

/// Weights in ONNX's order: w {G*OC, IC, KH, KW}.
inline Weights<float> onnx_order(const Window& w, const float* data) {
  const std::int64_t taps = w.KH * w.KW;
  return {data, w.OC * w.IC * taps, 1, taps, w.IC * taps};
}

template <class T>
std::vector<T> operands(std::int64_t count, Fill fill, std::uint64_t seed) {
  const Tensor made = filled({Type::float32, {count}}, fill, seed);
  const auto values = made.values<float>();
  return {values.begin(), values.end()};
}

inline std::int64_t input_size(const Window& w) { return w.N * w.IH * w.IW * w.G * w.IC; }
inline std::int64_t output_size(const Window& w) { return w.N * w.OH * w.OW * w.G * w.OC; }
inline std::int64_t weight_size(const Window& w) { return w.G * w.OC * w.IC * w.KH * w.KW; }

}  // namespace parity::cpu
