#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/places.hpp"

namespace parity {

/// A tensor cut into pieces along an axis, ONNX `Split`: the inverse of Concat.
///
/// Formula  y_k[…, i, …] = x[…, J_0 + … + J_(k-1) + i, …] on `axis`.
/// Shapes   y_k as x but for the extent J_k of `axis`: sizes[k], or without sizes ceil(extent /
///          count), the last one smaller. Any type.
/// Order    bits pass (`move`).
/// Error    none. Magnitudes: |x|.
/// Source   ONNX operator specification, Split.
struct Pieces {
  std::int64_t axis = 0;  ///< negative counts from the back
  std::int64_t count = 1;
  std::vector<std::int64_t> sizes = {};  ///< one per piece, or none

  static constexpr Family family = Family::move;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<Pieces> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Split"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  /// Where each piece lies in an x of this shape.
  std::vector<Places> places(const Shape& x) const;
  bool keeps_items(const OperandTypes& types) const;
  static std::vector<Case<Pieces>> cases();
};

}  // namespace parity
