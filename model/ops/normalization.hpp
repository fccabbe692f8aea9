#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/arithmetic/normalization_bound.hpp"
#include "model/op.hpp"

namespace parity {

/// Rows shifted to mean 0 and scaled to variance 1, ONNX `LayerNormalization`,
/// `InstanceNormalization` and `GroupNormalization`.
///
/// Formula  y = (x - m) * q * gamma + beta, m = mean x, v = mean (x - m)^2, q = 1 / sqrt(v + eps), over
///          the n elements of a row.
/// Shapes   x {N, G, C, P} in effect; a row is (n, g), n = C * P elements; gamma and beta one element per
///          (g, c). Layer: N the axes before `axis`, G = P = 1, C those from it on. Instance: x {N, G,
///          P…}, C = 1. Group: x {N, G * C, P…}. float32.
/// Order    A row's elements by (p, c), c innermost. m = div(`lanes32` of x, n); d = sub(x, m);
///          v = div(`lanes32` of fma(d, d, .), n); q = div(1, sqrt(add(v, eps))); z = mul(d, q);
///          y = fma(z, gamma, beta), mul(z, gamma) without beta.
/// Error    |y^ - y| <= u * M, M by a pass of its own in double on the values (NormalizationBound in
///          model/arithmetic/normalization_bound.hpp, with the derivation): it is not linear in |x|,
///          because the mean's error, relative to mean |x|, meets deviations that may be far smaller.
///          Outputs Mean and InvStdDev likewise.
/// Source   ONNX operator specification, LayerNormalization, InstanceNormalization, GroupNormalization;
///          CONTRACTS section 1 and 5; Higham, 2nd ed., sections 1.9 and 4.2.
struct Normalization {
  enum class Rows { layer, instance, group };
  Rows rows = Rows::layer;
  std::int64_t axis = 0;    ///< of layer, counted from the front
  std::int64_t groups = 1;  ///< of group
  float epsilon = 1e-5F;
  std::vector<int> outputs = {0};  ///< 0 Y, and of layer 1 Mean, 2 InvStdDev; ascending

  static constexpr Family family = Family::reduction;
  bool bounds_itself() const { return true; }
  bool keeps_items(const OperandTypes&) const { return rows != Rows::layer || axis != 0; }
  static std::span<const std::string_view> onnx_types();
  static Imported<Normalization> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<Normalization>> cases();
};

/// The extents of the formula: element (n, g, c, p) is x[((n * G + g) * C + c) * P + p].
struct NormalizationExtents {
  std::int64_t N, G, C, P;
  std::int64_t rows() const { return N * G; }
  std::int64_t n() const { return C * P; }
};
NormalizationExtents extents(const Normalization& op, const Shape& x);
NormalizationBound normalization_bound(const Normalization& op, const Shape& x);

}  // namespace parity
