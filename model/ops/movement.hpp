#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/places.hpp"

namespace parity {

/// The same elements under another shape or in another order, ONNX `Reshape`, `Flatten`, `Squeeze`,
/// `Unsqueeze`, `Transpose`, `Identity` and, in inference, `Dropout`.
///
/// Formula  transpose: y[i_p(0), i_p(1), …] = x[i_0, i_1, …], p = numbers; the others: y's
/// row-major elements are x's. Shapes   x any, of any type; y of as many elements. What `numbers` means
/// stands on each function. Order    bits pass (`move`); storage is shared where nothing moves.
/// Error    none. Magnitudes: |x|.
/// Source   ONNX operator specification.
struct Movement {
  enum class Function {
    identity,   ///< no numbers
    reshape,    ///< the target shape; -1 at most once: what is left; 0: see `zero`
    flatten,    ///< one axis, 0 to rank: y is {product before, product from there}
    squeeze,    ///< axes of extent 1 to drop; none: all of them
    unsqueeze,  ///< axes of y that are new
    transpose   ///< the permutation; none: axes reversed
  };
  /// What a 0 in a target shape says.
  enum class Zero { copies_the_extent, is_the_extent };
  Function function = Function::identity;
  std::vector<std::int64_t> numbers;
  Zero zero = Zero::copies_the_extent;

  static constexpr Family family = Family::move;
  static std::span<const std::string_view> onnx_types();
  static Imported<Movement> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                          const Contract&) const {
    return {};
  }
  /// Of a transpose of `rank` axes: y's axis i is x's axis permutation(rank)[i].
  std::vector<std::size_t> permutation(std::size_t rank) const;
  /// Of a transpose: where y's elements lie in an x of this shape.
  Places transposed(const Shape& x) const;
  static std::vector<Case<Movement>> cases();
};

}  // namespace parity
