#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/batch_norm.hpp"
#include "model/ops/window.hpp"

namespace parity {

/// Transposed 2-D convolution, ONNX `ConvTranspose`; a 1-D one has KH = IH = OH = 1 on rank-3
/// tensors.
///
/// Formula  y[n,oc,p,q] = bias[oc] + sum over ic,kh,kw of x[n, g*IC/G + ic, i, j] * w[g*IC/G + ic,
/// oc mod OC/G, kh, kw]
///          where i*sh = p + pad_top - kh*dh and j*sw = q + pad_left - kw*dw have integer
///          solutions; g = oc / (OC/G).
/// Shapes   x {N, IC, IH, IW} or {N, IC, IW}; w {IC, OC/G, KH, KW} or {IC, OC/G, KW}; bias {OC} or
/// absent; y
///          {N, OC, (IH-1)*sh + (KH-1)*dh + 1 - pads + extra, …}. output_shape and auto_pad become
///          pads at import. float32.
/// Order    gathered, `chain`: start from +0; k = (ic div 32, kh, kw, ic mod 32), ic counting
/// inside the group, kh and
///          kw the stored indices ascending; a tap without an integer solution is no term; one that
///          hits outside x is fma(+0, w, acc); closed by add(acc, +0), so an output with no tap is
///          +0; bias[oc] last, one rounded addition. `tensor:*`: the same k in groups of 8 channels
///          of one tap, operands rounded to TF32.
/// Error    |y - exact| <= c * M + underflow, M = |bias| + sum |x||w|, over at most K = IC/G *
/// (most taps that any
///          output has) terms: mac_allowance, and one rounding for the bias.
/// Source   ONNX operator specification, ConvTranspose; CONTRACTS section 2 and 7.
struct ConvTranspose2d {
  std::int64_t group = 1;
  SlidingWindow window;
  std::array<std::int64_t, 2> extra{
      0, 0};  ///< output_padding: rows and columns of y past the last tap

  static constexpr Family family = Family::conv;
  static std::span<const std::string_view> onnx_types();
  static Imported<ConvTranspose2d> from_onnx(const NodeView& node);
  std::string_view kind() const { return "ConvTranspose2d"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes& types) const;
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// Input channels of one group.
  std::int64_t group_channels(const OperandTypes& types) const;
  /// Taps that the output with the most of them has.
  std::int64_t most_taps() const;
  /// The weights and bias with a BatchNorm behind them multiplied in (clause bnfold).
  FoldedWeights folded(std::span<const std::shared_ptr<const Tensor>> parameters,
                       const ScaleShift& norm) const;
  static std::vector<Case<ConvTranspose2d>> cases();
};

/// What the rooms of both backends start from.
ConvExtents extents(const ConvTranspose2d& op, const TensorType& x, const TensorType& w);
Window window_of(const ConvTranspose2d& op, const TensorType& x, const TensorType& w);
WeightStrides weight_strides(const ConvTranspose2d& op, const Window& window);

}  // namespace parity
