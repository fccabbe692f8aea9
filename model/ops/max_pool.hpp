#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/window.hpp"

namespace parity {

/// The largest element of each window, ONNX `MaxPool` without indices; 1-D with KH = IH = OH = 1.
///
/// Formula  y[n,c,oh,ow] = max over kh,kw of x[n, c, oh*sh + kh*dh - pad_top, ow*sw + kw*dw -
/// pad_left] inside the
///          image; padding is no term. ceil_mode and auto_pad become pads at import.
/// Shapes   x {N, C, IH, IW} or {N, C, IW}; y {N, C, OH, OW} or {N, C, OW}. float32.
/// Order    none: IEEE 754-2019 maximum (any NaN gives NaN, +0 > -0) is associative and
/// commutative. Error    none of its own, and 1-Lipschitz in the largest error of the window.
/// Magnitudes: max |x|. Source   ONNX operator specification, MaxPool; CONTRACTS section 4.
struct MaxPool {
  SlidingWindow window;

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<MaxPool> from_onnx(const NodeView& node);
  std::string_view kind() const { return "MaxPool"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  static std::vector<Case<MaxPool>> cases();
};

}  // namespace parity
