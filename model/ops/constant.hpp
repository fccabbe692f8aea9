#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// A tensor known at import that some step reads as a value, ONNX `Constant`.
///
/// Formula  y = the parameter.
/// Shapes   no input; y as the parameter. float32.
/// Order    bits pass (`move`).
/// Error    none. Magnitudes: |y|.
/// Source   ONNX operator specification, Constant.
struct Constant {
  static constexpr Family family = Family::move;
  static std::span<const std::string_view> onnx_types();
  static Imported<Constant> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Constant"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  static std::vector<Case<Constant>> cases();
};

}  // namespace parity
