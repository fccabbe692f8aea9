#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/arithmetic/window.hpp"
#include "model/op.hpp"

namespace parity {

/// Stride, dilation and padding of a sliding window over one or two spatial axes; 1-D ones have
/// extent 1 on the first. Shared by Conv, ConvTranspose and the pools.
struct SlidingWindow {
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 2> pad_begin{0, 0}, pad_end{0, 0};
};

/// The extents of a convolution or a transposed one; 1-D ones have H = 1. IC and OC count over all
/// groups.
struct ConvExtents {
  std::int64_t N, IC, IH, IW, OC, OH, OW, KH, KW, G;
};

/// Reads kernel_shape, strides, dilations, pads and auto_pad of a node for an input of `spatial`
/// extents (one or two, outermost first). `kernel` is what the weights say, empty for a pool.
/// Refuses what does not fit.
SlidingWindow window_from_onnx(const NodeView& node, const std::vector<std::int64_t>& spatial,
                               const std::vector<std::int64_t>& kernel);

/// The window of a pool's node; ceil_mode becomes padding at the far end, told apart as `beyond`.
struct PoolWindow {
  SlidingWindow window;
  std::array<std::int64_t, 2> beyond;
};
/// Refuses an input that is not of rank 3 or 4.
PoolWindow pool_from_onnx(const NodeView& node);
/// What a pool makes of its one operand. Throws Fault::bad_model when a window lies wholly in the
/// padding, "where `nothing`".
TensorType pooled(const OperandTypes& types, const SlidingWindow& window, const std::string& kind,
                  const std::string& nothing);

/// What a convolution's node, transposed or not, carries.
struct ConvolutionConstants {
  Tensor weights;
  std::optional<Tensor> bias;
};
/// Reads weights and bias. Refuses an input that is no float32 of rank 3 or 4, and weights of
/// another rank.
ConvolutionConstants constants_from_onnx(const NodeView& node);
/// Refuses a bias that is not one number per output channel.
void require_bias(const NodeView& node, const std::optional<Tensor>& bias, std::int64_t channels);

/// Output extent of a forward window on one axis: floor((in + pads - dilated kernel) / stride) + 1,
/// 0 when negative.
std::int64_t windowed_extent(std::int64_t input, const SlidingWindow& window, std::size_t axis);

/// The multiply-accumulate problem of a convolution, forward or transposed.
Window window_of(const ConvExtents& extents, const SlidingWindow& sliding,
                 Window::Direction direction);

}  // namespace parity
