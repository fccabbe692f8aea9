#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/batch_norm.hpp"
#include "model/ops/window.hpp"

namespace parity {

/// 2-D cross-correlation, ONNX `Conv`; a 1-D Conv is one with KH = IH = OH = 1 on rank-3 tensors.
///
/// Formula  y[n,oc,oh,ow] = bias[oc] + sum over ic,kh,kw of
///          x[n, g*IC/G + ic, oh*sh + kh*dh - ph, ow*sw + kw*dw - pw] * w[oc,ic,kh,kw],  g = oc /
///          (OC/G)
/// Shapes   x {N, IC, IH, IW} or {N, IC, IW}; w {OC, IC/G, KH, KW} or {OC, IC/G, KW}; bias {OC} or
/// absent;
///          y {N, OC, OH, OW} or {N, OC, OW}. float32.
/// Order    `chain`: start from +0; k = (ic div 32, kh, kw, ic mod 32), ic counting inside the
/// group; one fma
///          per term; a tap outside the image is fma(+0, w, acc), inside the chain; closed by
///          add(acc, +0); bias[oc] is added last, one rounded addition. `tensor:*`: the same k
///          order in groups of 8 channels of one tap, operands rounded to TF32, each group one
///          tensor-core step.
/// Error    |y - exact| <= c * M + underflow, M = |bias| + sum |x||w|, K = IC/G*KH*KW, u = 2^-24:
///          `chain` c = gamma(K) + u with a bias; `tensor:*` adds the operand rounding and the
///          accumulation per step (mac_allowance in model/arithmetic/bounds.hpp).
/// Source   ONNX operator specification, Conv; Higham, Accuracy and Stability, 2nd ed.,
/// section 3.1.
struct Conv2d {
  std::int64_t group = 1;
  SlidingWindow window;

  static constexpr Family family = Family::conv;
  static std::span<const std::string_view> onnx_types();
  static Imported<Conv2d> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Conv2d"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes& types) const;
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// The parameters with a following BatchNorm multiplied in (clause bnfold).
  FoldedWeights folded(std::span<const std::shared_ptr<const Tensor>> parameters,
                       const ScaleShift& norm) const;
  /// Input channels of one group.
  std::int64_t group_channels(const OperandTypes& types) const;
  static std::vector<Case<Conv2d>> cases();
};

/// What the rooms of both backends start from.
ConvExtents extents(const Conv2d& op, const TensorType& x, const TensorType& w);
Window window_of(const Conv2d& op, const TensorType& x, const TensorType& w);
WeightStrides weight_strides(const Conv2d& op, const Window& window);

}  // namespace parity
