#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Inference batch normalisation, ONNX `BatchNormalization`.
///
/// Formula  y[n,c,...] = (x[n,c,...] - mean[c]) * gamma[c] / sqrt(var[c] + eps) + beta[c]
/// Shapes   x {N, C, ...}, rank 2 to 4; gamma, beta, mean, var {C}; y as x. float32.
/// Order    s64 = double(gamma)/sqrt(double(var)+double(eps)), t64 = double(beta) -
/// double(mean)*s64, once on the
///          host; s = float(s64), t = float(t64); y = fma(x, s, t).
/// Error    own: u(|s z| + |t| + |y|)(1 + 4u) + 2^-150 <= (2u + 8u^2) * M with M = |s||z| + |t|
/// (|y| <= M); the error
///          of x grows by |s|. Between sides that share s and t only u|y| remains, which this
///          contains.
/// Source   ONNX operator specification, BatchNormalization; CONTRACTS section 2 and 7.
struct BatchNorm {
  float epsilon = 1e-5F;

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<BatchNorm> from_onnx(const NodeView& node);
  std::string_view kind() const { return "BatchNorm"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<BatchNorm>> cases();
};

/// The two constants per channel, in double and rounded once.
struct ScaleShift {
  std::vector<double> s64, t64;
  std::vector<float> s, t;
};
/// `parameters`: gamma, beta, mean, var.
ScaleShift scale_shift(const BatchNorm& op,
                       std::span<const std::shared_ptr<const Tensor>> parameters);

/// What a convolution becomes when the BatchNorm after it is multiplied in: w' =
/// float(double(w)*s64[oc]), b' = float(double(b)*s64[oc] + t64[oc]), b = 0 where there was no
/// bias.
struct FoldedWeights {
  Tensor weights, bias;
};
/// `channel_of(i)`: the output channel of weight element i.
FoldedWeights fold(const Tensor& weights, const Tensor* bias, const ScaleShift& norm,
                   const std::function<std::int64_t(std::int64_t)>& channel_of);

}  // namespace parity
