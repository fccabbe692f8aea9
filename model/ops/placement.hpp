#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/places.hpp"

namespace parity {

/// A tensor whose every element is an element of x at a place known beforehand, or a constant: ONNX
/// `Slice`, `Pad`, `Expand`, `Tile`, `DepthToSpace` and `SpaceToDepth`.
///
/// Formula  slice: y[…, i, …] = x[…, start + i * step, …] on each axis of `ranges`.
///          pad: y[…, i, …] = x[…, p(i - before), …]; p is the identity, and outside x: constant: no
///          element of x but `fill`; reflect: mirrored about the first and the last element; edge:
///          the nearest element; wrap: modulo the extent. Negative pads cut off.
///          expand: y[i] = x at i, an extent of 1 read again and again. tile: y[i] = x[i mod extent].
///          depth to space: y[n, c, h*b + i, w*b + j] = x[n, k, h, w], k = (i*b + j)*C + c (dcr) or
///          (c*b + i)*b + j (crd), C = channels of y; space to depth: the inverse of dcr.
/// Shapes   x any; the depth functions {N, C, H, W}. Any type. `numbers` stand on each function.
/// Order    bits pass (`move`). A NaN `fill` is the lab's NaN.
/// Error    none. Magnitudes: |x|, |fill|.
/// Source   ONNX operator specification.
struct Placement {
  enum class Function {
    slice,           ///< `ranges`
    pad,             ///< elements before each axis, then after each
    expand,          ///< the shape to broadcast with
    tile,            ///< repetitions per axis
    depth_to_space,  ///< the block b
    space_to_depth   ///< the block b
  };
  /// A part of an axis as ONNX writes it: negative start and end count from the back, both are
  /// clamped, `end` is not included.
  struct Range {
    std::int64_t axis, start, end, step;
  };
  enum class Padding { constant, reflect, edge, wrap };
  enum class Depth { dcr, crd };
  Function function = Function::slice;
  std::vector<Range> ranges = {};
  std::vector<std::int64_t> numbers = {};
  Padding padding = Padding::constant;
  double fill = 0;  ///< of a constant padding, in x's type
  Depth depth = Depth::dcr;

  static constexpr Family family = Family::move;
  static std::span<const std::string_view> onnx_types();
  static Imported<Placement> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  /// Where y's elements lie in an x of this shape. Throws Fault::bad_model when there is no such y.
  Places places(const Shape& x) const;
  bool keeps_items(const OperandTypes& types) const {
    return places(types.inputs[0].shape).keep_items(types.inputs[0].shape);
  }
  static std::vector<Case<Placement>> cases();
};

}  // namespace parity
