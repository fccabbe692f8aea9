#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/window.hpp"

namespace parity {

/// The mean of each window, ONNX `AveragePool`; 1-D with KH = IH = OH = 1.
///
/// Formula  y[n,c,oh,ow] = (sum over kh,kw of x[n, c, oh*sh + kh*dh - pad_top, ow*sw + kw*dw -
///          pad_left] inside the image) / count; count has the taps inside the image, or (`included`)
///          those inside the image and its pads. What ceil_mode adds behind the pads (`beyond`) never
///          counts.
/// Shapes   x {N, C, IH, IW} or {N, C, IW}; y {N, C, OH, OW} or {N, C, OW}. float32.
/// Order    from +0, add.rn over the taps inside the image, kh then kw ascending; then one division
///          by float(count) (`elementwise`).
/// Error    (gamma(K) + u) * (sum |x|) / count, K = KH*KW. Magnitudes: the same on |x|.
/// Source   ONNX operator specification, AveragePool; CONTRACTS section 3; Higham, 2nd ed.,
///          section 4.2.
struct AveragePool {
  enum class Pads { excluded, included };
  SlidingWindow window;                      ///< pad_end with what ceil_mode adds
  std::array<std::int64_t, 2> beyond{0, 0};  ///< the part of pad_end that ceil_mode added
  Pads pads = Pads::excluded;

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<AveragePool> from_onnx(const NodeView& node);
  std::string_view kind() const { return "AveragePool"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<AveragePool>> cases();
};

}  // namespace parity
