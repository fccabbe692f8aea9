#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Tensors laid one after the other along an axis, ONNX `Concat`.
///
/// Formula  y[…, j, …] = x_i[…, j - (J_0 + … + J_(i-1)), …] for the i whose share of the axis holds
/// j. Shapes   x_i equal but for the extent J_i of `axis`; y has extent J_0 + J_1 + … there.
/// float32. Order    bits pass (`move`). Error    none. Magnitudes: |x|. Source   ONNX operator
/// specification, Concat.
struct Concat {
  std::int64_t axis = 1;  ///< negative counts from the back

  static constexpr Family family = Family::move;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<Concat> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Concat"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  static std::vector<Case<Concat>> cases();
};

}  // namespace parity
