#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"

namespace parity {

/// The extreme elements of an axis, ONNX `TopK`, `ArgMax` and `ArgMin`.
///
/// Formula  along `axis`, the `count` elements that come first, best first, and their indices:
///          y[…, j, …] = x[…, i_j, …], i[…, j, …] = i_j.
/// Shapes   x any; y and i as x with `count` on the axis; ArgMax and ArgMin make the index of one
///          alone, the axis of extent 1 or dropped. x float32, indices int64.
/// Order    none (`elementwise`): elements are ordered totally, NaN greatest, +0 > -0; of equal ones
///          the one with the lowest index comes first, or (`highest`) the last. ONNX's sorted = 0
///          asks for any order and gets this one.
/// Error    none: a selection, 1-Lipschitz in the largest error of the axis. Magnitudes: of every
///          value the largest |x| of the axis; of indices those of |x|.
/// Source   ONNX operator specification; CONTRACTS section 4.
struct TopK {
  enum class Results { values_and_indices, indices };
  enum class First { largest, smallest };
  enum class Tie { lowest, highest };
  enum class Axes { kept, dropped };
  Results results = Results::values_and_indices;
  First first = First::largest;
  std::int64_t axis = -1;  ///< negative counts from the back
  std::int64_t count = 1;
  Tie tie = Tie::lowest;
  Axes reduced = Axes::kept;

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<TopK> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  static std::vector<Case<TopK>> cases();
};

}  // namespace parity
