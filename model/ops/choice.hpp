#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Elements of one tensor or of another, as a mask says: ONNX `Where`. Operands that are constant are
/// parameters.
///
/// Formula  y[i] = c[i] ? a[i] : b[i], with broadcasting.
/// Shapes   c boolean, a and b of one type (float32, int64 or boolean), of any ranks; y the broadcast
///          shape, of that type.
/// Order    bits pass (`elementwise`).
/// Error    exact; both sides read the same mask, so an error of the chosen operand passes as it is.
///          Magnitudes: of the chosen operand.
/// Source   ONNX operator specification, Where.
struct Choice {
  std::array<bool, 3> constant{};  ///< which of c, a, b are parameters, in this order

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<Choice> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Where"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {{0, 0}, 1};
  }
  static std::vector<Case<Choice>> cases();
};

}  // namespace parity
