#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/indexed_rows.hpp"

namespace parity {

/// Elements at places that a tensor of indices gives, ONNX `Gather`, `GatherElements` and `GatherND`.
/// Data and indices are each a value or known at import.
///
/// Formula  along: y[i…, j…, k…] = x[i…, index[j…], k…], the index standing on `axis`.
///          elements: y[i_0, …] = x[i_0, …, index[i_0, …], …], the index standing on `axis`.
///          points: y[b…, j…, k…] = x[b…, index[b…, j…, :], k…], b over `batch_axes` axes.
/// Shapes   x any, of any type; index int64; y as the formula says.
/// Order    bits pass (`move`). A negative index counts from the back. One that lies outside its axis
///          is Fault::bad_input, at import where it is known, else when the stage runs.
/// Error    none. Magnitudes: |x|.
/// Source   ONNX operator specification.
struct Gather {
  enum class Function { along, elements, points };
  enum class Operand { value, parameter };
  Function function = Function::along;
  std::int64_t axis = 0;        ///< along, elements; negative counts from the back
  std::int64_t batch_axes = 0;  ///< points
  Operand data = Operand::value, indices = Operand::value;

  static constexpr Family family = Family::move;
  static std::span<const std::string_view> onnx_types();
  /// Two parameters, data and indices, each absent where the operand is a value.
  static Imported<Gather> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  IndexedRows rows(const Shape& x, const Shape& index) const;
  bool keeps_items(const OperandTypes& types) const;
  static std::vector<Case<Gather>> cases();
};

}  // namespace parity
