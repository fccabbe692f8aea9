#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// Elements as another type, ONNX `Cast`. The lab has float32, int64 and boolean; int32 is held as int64
/// within its range.
///
/// Formula  to float32: the nearest float; false is 0, true 1. To int64: cut toward zero; beyond the range
///          its nearest end, NaN is 0. To int32: a float as before in 32 bits; of an int64 the low 32 bits.
///          To boolean: x != 0, so NaN is true.
/// Shapes   x any, float32, int64 or boolean; y the same shape.
/// Order    at most one rounding per element (`elementwise`).
/// Error    int64 to float32 u|y|, else none. What turns a float into an integer jumps, so every cast
///          that changes the type heads its stage, and M is |y|; float32 to float32 passes bits.
/// Source   ONNX operator specification, Cast (its behaviour out of range is undefined; ours is above).
struct Cast {
  enum class To { float32, int32, int64, boolean };
  Type from = Type::float32;
  To to = To::float32;

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<Cast> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Cast"; }
  Type result() const;
  std::int64_t onnx_type() const;  ///< TensorProto::DataType
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  bool heads_stage() const { return from != Type::float32 || to != To::float32; }
  bool bounds_itself() const { return heads_stage(); }
  static std::vector<Case<Cast>> cases();
};

}  // namespace parity
