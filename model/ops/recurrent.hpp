#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/arithmetic/recurrent_cell.hpp"
#include "model/op.hpp"

namespace parity {

/// A recurrent layer, ONNX `GRU` and `LSTM`.
///
/// Formula  GRU   z, r = f(x W^T + Wb + h R^T + Rb); n = g(x W^T + Wb + r (h R^T + Rb)), or, with the
///                reset before the product, g(x W^T + Wb + (r h) R^T + Rb); h' = (1 - z) n + z h.
///          LSTM  i, o, f = f(x W^T + Wb + h R^T + Rb + P c), o with the new c; c' = f c + i g(…);
///                h' = o h(c').
/// Shapes   x {T, N, I}, batch first {N, T, I}; W {D, G*H, I}, R {D, G*H, H}, bias {D, 2*G*H} (Wb, then
///          Rb), initial states {D, N, H} ({N, D, H}), peepholes {D, 3*H}; y {T, D, N, H} ({N, T, D, H}),
///          y_h and y_c {D, N, H} ({N, D, H}). G = 3 gates z, r, n or 4 gates i, o, f, c. float32.
/// Order    gx = MAC(x, W), gh = MAC(h, R), separate sums over the logical index by the contract's
///          algorithm. a = add(add(gx, Wb), add(gh, Rb)), an absent bias no addition; n = g(add(add(gx,
///          Wb), mul(r, add(gh, Rb)))), or gh = MAC(mul(r, h), R); h' = add(mul(sub(1, z), n), mul(z, h)).
///          a + P c: add(a, mul(P, c)). c' = add(mul(f, c), mul(i, g)); h' = mul(o, h(c')). Clip: each
///          function's argument cut to [-clip, clip]. sigmoid and tanh by model/arithmetic/sequences.
///          Steps ascend, descend in reverse, each item by its own length; y is +0 beyond it.
/// Error    |y^ - y| <= C * M, C the MAC's own coefficient (mac_allowance for the longer of I and H
///          terms), M by a pass over the actual values (model/arithmetic/recurrent_cell.hpp, with the
///          derivation) that carries each state's error from step to step.
/// Source   ONNX operator specification, GRU, LSTM; CONTRACTS section 2 and 5.
struct Recurrent {
  enum class Cell { gru, lstm };
  enum class Direction { forward, reverse, bidirectional };
  enum class Reset { before_the_product, after_the_product };
  enum class Axes { time_first, batch_first };
  enum class Initial { zero, parameter, value };

  Cell cell = Cell::gru;
  Direction direction = Direction::forward;
  Reset reset = Reset::before_the_product;  ///< of a GRU; after: linear_before_reset = 1
  Axes axes = Axes::time_first;
  Initial state = Initial::zero, memory = Initial::zero;  ///< h and, of an LSTM, c
  std::vector<std::int64_t> lengths = {};                 ///< steps of each item; empty: all T
  std::vector<CellForm> forms = {{}};                     ///< one per direction
  std::vector<int> outputs = {0};                         ///< 0 Y, 1 Y_h, 2 Y_c; ascending

  static constexpr Family family = Family::rnn;
  bool bounds_itself() const { return true; }
  bool keeps_items(const OperandTypes&) const { return axes == Axes::batch_first; }
  static std::span<const std::string_view> onnx_types();
  static Imported<Recurrent> from_onnx(const NodeView& node);
  std::string_view kind() const { return cell == Cell::gru ? "GRU" : "LSTM"; }
  std::string function_clause() const;
  std::int64_t directions() const { return direction == Direction::bidirectional ? 2 : 1; }
  std::int64_t gates() const { return cell == Cell::gru ? 3 : 4; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes& types) const;
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<Recurrent>> cases();
};

/// Where a recurrent layer's parameters stand.
namespace recurrent_parameter {
inline constexpr std::size_t weights = 0, recurrence = 1, bias = 2, state = 3, memory = 4,
                             peepholes = 5, count = 6;
}

struct RecurrentExtents {
  std::int64_t T, N, I, H, D, G;
  Recurrent::Axes axes;
  /// Item n's step t in x, its places in y and in a state, by rows of I or H elements.
  std::int64_t x_row(std::int64_t t, std::int64_t n) const {
    return axes == Recurrent::Axes::time_first ? t * N + n : n * T + t;
  }
  std::int64_t y_row(std::int64_t t, std::int64_t d, std::int64_t n) const {
    return axes == Recurrent::Axes::time_first ? (t * D + d) * N + n : (n * T + t) * D + d;
  }
  std::int64_t state_row(std::int64_t d, std::int64_t n) const {
    return axes == Recurrent::Axes::time_first ? d * N + n : n * D + d;
  }
};
RecurrentExtents extents(const Recurrent& op, const Shape& x, const Shape& recurrence);

/// Which step item n takes as its s-th in direction d; below 0: none any more.
std::int64_t step_of(const Recurrent& op, const RecurrentExtents& e, std::int64_t d, std::int64_t n,
                     std::int64_t s);
/// The form of direction d with the bound's rounding filled in.
CellForm form_of(const Recurrent& op, const RecurrentExtents& e, std::int64_t d);

}  // namespace parity
