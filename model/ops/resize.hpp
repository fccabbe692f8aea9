#pragma once

#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/ops/places.hpp"

namespace parity {

/// A tensor at another resolution, ONNX `Resize` and its elder `Upsample`.
///
/// Formula  per axis, the place of y's index i in x is, with s the axis' scale and I, O its extents,
///            half_pixel (i + 1/2)/s - 1/2 · pytorch_half_pixel the same, 0 where O = 1 ·
///            half_pixel_symmetric the same, shifted by (I/2)(1 - O/(sI)) · align_corners
///            i(I-1)/(O-1), 0 where O = 1 · asymmetric i/s · tf_half_pixel_for_nn (i + 1/2)/s.
///          nearest: y = x at that place rounded as `nearest` says, clamped. linear: between the two
///          neighbours of the place, clamped to [0, I-1]. cubic: four neighbours by Keys' kernel of
///          coefficient `cubic_a`; those outside are the nearest element inside, or (excluded) have
///          weight 0 and the others' weights are divided by their sum.
/// Shapes   x any; y as x but for the `axes`. float32.
/// Order    places and weights once on the host in double, weights rounded to float32 where the
///          contract is. One axis after the other, the last one first: mul(a, w0), then fma(b, w1, ·),
///          fma(c, w2, ·), fma(d, w3, ·), neighbours ascending; a weight of 0 is multiplied like any
///          other (`elementwise`). nearest passes bits. An axis of scale 1 stays as it is.
/// Error    nearest: none. Else, per axis, n neighbours and one rounded weight each: gamma(p(n + 1))
///          * sum |w||x| over p axes; what underflows on the way grows by at most the largest sum |w|.
///          Magnitudes: the same on |w|, |x|.
/// Source   ONNX operator specification, Resize; Keys, Cubic Convolution Interpolation, 1981;
///          CONTRACTS section 5; Higham, 2nd ed., section 3.1.
struct Resize {
  enum class Mode { nearest, linear, cubic };
  enum class Coordinates {
    half_pixel,
    half_pixel_symmetric,
    pytorch_half_pixel,
    align_corners,
    asymmetric,
    tf_half_pixel_for_nn
  };
  enum class Nearest { prefer_floor, prefer_ceil, floor, ceil };
  enum class Outside { clamped, excluded };
  struct Axis {
    std::int64_t axis, extent;  ///< of y
    double scale;
  };
  Mode mode = Mode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  std::vector<Axis> axes = {};  ///< ascending
  Nearest nearest = Nearest::prefer_floor;
  Outside outside = Outside::clamped;
  float cubic_a = -0.75F;

  static constexpr Family family = Family::elementwise;
  static constexpr bool heads_stage = true;
  static std::span<const std::string_view> onnx_types();
  static Imported<Resize> from_onnx(const NodeView& node);
  std::string_view kind() const { return "Resize"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  bool keeps_items(const OperandTypes&) const { return axes.empty() || axes.front().axis != 0; }

  /// Of nearest: where y's elements lie.
  Places places(const Shape& x) const;
  /// Of linear and cubic: index i of the axis is the sum over t < taps of weight[i * taps + t] times
  /// the element at[i * taps + t] of an axis of `extent` elements.
  struct Table {
    std::int64_t taps;
    std::vector<std::int64_t> at;
    std::vector<double> weights;
  };
  Table table(const Axis& axis, std::int64_t extent) const;
  static std::vector<Case<Resize>> cases();
};

/// As ONNX calls them: "linear", "half_pixel", "round_prefer_floor".
std::string_view name(Resize::Mode mode);
std::string_view name(Resize::Coordinates coordinates);
std::string_view name(Resize::Nearest nearest);

}  // namespace parity
