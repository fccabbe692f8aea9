#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/half.hpp"
#include "model/ops.hpp"

// The weights and operands of products: their order, tails of sums, precision, order of summation.

namespace parity::misread_rows {
namespace {

/// Whether the head multiplies and adds, a recurrent layer among others.
bool multiplies(const PlannedStage& planned) {
  return is_mac(planned) || head_as<Recurrent>(planned);
}

/// Every operand of the products rounded first: inputs, and weights where there are any.
template <class Round>
Misread with_operands(const PlannedStage& planned, Round round) {
  Misread misread{planned};
  if (const Tensor* w = weights_of(planned))
    misread.stage = with_weights(planned, mapped(*w, round));
  misread.operand = [=](std::size_t, const Tensor& x) { return mapped(x, round); };
  return misread;
}

Misread with_tensor_core(const PlannedStage& planned, Algorithm algorithm, Rounding rounding) {
  PlannedStage wrong = planned;
  wrong.contracts.front().algorithm = algorithm;
  wrong.contracts.front().rounding = rounding;
  return {wrong};
}

bool runs_tensor_core(const PlannedStage& planned) {
  return planned.contracts.front().rounding.has_value();
}

/// 0: sm_90 and later, 1: sm_80 to sm_89.
Algorithm tensor_core_numbered(double amount) {
  return amount == 0 ? Algorithm::tensor_k8f25 : Algorithm::tensor_k4f24;
}

/// Nearest float with `bits` stored mantissa bits, ties to even; beyond `largest` infinity.
float rounded_to(float x, int bits, float largest) {
  const auto u = bits_of(x);
  if ((u & 0x7f800000U) == 0x7f800000U) return x;
  const int drop = 23 - bits;
  const std::uint32_t half = (1U << (drop - 1)) - 1 + ((u >> drop) & 1U);
  const float y = float_of((u + half) & ~((1U << drop) - 1));
  return std::fabs(y) > largest ? std::copysign(std::numeric_limits<float>::infinity(), x) : y;
}

float to_bfloat(float x) { return rounded_to(x, 7, std::numeric_limits<float>::max()); }

/// Cut to `bits` stored mantissa bits, toward zero.
float truncated(float value, int bits) {
  return float_of(bits_of(value) & ~((1U << (23 - bits)) - 1));
}

float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0F, x) : x;
}

/// Along which axis of the weights k runs, and how long it is inside a group.
struct Contraction {
  std::size_t axis;
  std::int64_t length;
};

std::optional<Contraction> contraction_of(const PlannedStage& planned) {
  const Tensor* w = weights_of(planned);
  if (!w) return std::nullopt;
  const Shape& shape = w->shape();
  if (head_as<Conv2d>(planned)) return Contraction{1, shape[1]};
  if (head_as<ConvTranspose2d>(planned)) return Contraction{0, shape[0] / groups_of(planned)};
  const auto& product = *head_as<MatMul>(planned);
  if (shape.size() < 2) return std::nullopt;
  const bool right = product.constant == MatMul::Constant::right;
  const bool transposed = (right ? product.right : product.left) == MatMul::Stored::transposed;
  const std::size_t axis = shape.size() - (right != transposed ? 2 : 1);
  return Contraction{axis, shape[axis]};
}

/// Which parameters of the head are weights; none where all its operands are values.
std::vector<std::size_t> weight_parameters(const PlannedStage& planned) {
  if (head_as<Recurrent>(planned))
    return {recurrent_parameter::weights, recurrent_parameter::recurrence};
  return weights_of(planned) ? std::vector<std::size_t>{0} : std::vector<std::size_t>{};
}

/// The output channel that element `at` of the head's weights belongs to.
std::int64_t output_channel(const PlannedStage& planned, const Shape& shape, std::int64_t at) {
  const auto along = [&](std::size_t axis) {
    return at / element_count(shape, axis + 1, shape.size()) % shape[axis];
  };
  if (head_as<Conv2d>(planned)) return along(0);
  if (head_as<Recurrent>(planned)) return along(0) * shape[1] + along(1);
  const Contraction k = *contraction_of(planned);
  if (head_as<ConvTranspose2d>(planned)) return along(0) / k.length * shape[1] + along(1);
  // The other one of a matrix' two axes.
  return along(k.axis + 1 == shape.size() ? k.axis - 1 : k.axis + 1);
}

/// How weights are taken through int8, symmetric around zero: their largest magnitude becomes `largest`
/// steps, in each output channel or in the whole tensor.
struct Int8 {
  enum class Scales { per_channel, per_tensor } scales;
  /// 127, by division (ONNX QuantizeLinear, TensorRT), or 127.5, by the reciprocal (PyTorch's observers).
  float largest;
};

Tensor through_int8(const PlannedStage& planned, const Tensor& weights, Int8 how) {
  const std::span<const float> w = weights.values<float>();
  std::vector<std::size_t> group(w.size(), 0);
  if (how.scales == Int8::Scales::per_channel && weights.shape().size() > 1)
    for (std::size_t i = 0; i < w.size(); ++i)
      group[i] = static_cast<std::size_t>(
          output_channel(planned, weights.shape(), static_cast<std::int64_t>(i)));
  std::vector<float> largest(w.size(), 0);
  for (std::size_t i = 0; i < w.size(); ++i)
    largest[group[i]] = std::max(largest[group[i]], std::fabs(w[i]));
  std::vector<float> made(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float scale = largest[group[i]] / how.largest;
    if (!std::isfinite(scale)) {
      made[i] = w[i];
    } else if (scale > 0) {
      const float steps = how.largest == 127 ? w[i] / scale : w[i] * (1 / scale);
      // An integer has no -0.
      made[i] = static_cast<float>(std::clamp(static_cast<int>(std::nearbyint(steps)), -128, 127)) *
                scale;
    }
  }
  return Tensor::of(weights.shape(), std::move(made));
}

/// Amounts of weights that were stored in a narrower type.
constexpr std::array<std::string_view, 6> narrower_types{
    "bfloat16",
    "float16",
    "int8 with a scale per output channel, its largest over 127",
    "int8 with one scale, the largest over 127",
    "int8 with a scale per output channel, its largest over 127.5",
    "int8 with one scale, the largest over 127.5"};

Tensor stored_narrower(const PlannedStage& planned, const Tensor& weights, double amount) {
  if (amount == 0) return mapped(weights, to_bfloat);
  if (amount == 1) return mapped(weights, round_to_half);
  const bool per_channel = amount == 2 || amount == 4;
  return through_int8(planned, weights,
                      {per_channel ? Int8::Scales::per_channel : Int8::Scales::per_tensor,
                       amount < 4 ? 127.0F : 127.5F});
}

constexpr auto rows = std::to_array<Misreading>({
    {Bug::weights_transposed, 11, "the weights are read with input and output channels exchanged",
     [](const PlannedStage& p) {
       const Tensor* w = weights_of(p);
       if (!w || w->shape().size() < 2) return false;
       const std::size_t first = is_convolution(p) ? 0 : w->shape().size() - 2;
       return w->shape()[first] == w->shape()[first + 1] && w->shape()[first] > 1;
     },
     once,
     [](const Seat& s, double) {
       const std::size_t first =
           is_convolution(s.planned) ? 0 : weights_of(s.planned)->shape().size() - 2;
       return Misread{with_weights(s.planned, reindexed(*weights_of(s.planned), [&](Index& at) {
                                     std::swap(at[first], at[first + 1]);
                                   }))};
     }},
    {Bug::weights_misordered, 11, "the weights' memory is read as kernel-major (HWIO)",
     [](const PlannedStage& p) {
       const Tensor* w = is_convolution(p) ? weights_of(p) : nullptr;
       return w && element_count(w->shape(), 2, w->shape().size()) > 1 &&
              w->shape()[0] * w->shape()[1] > 1;
     },
     once,
     [](const Seat& s, double) {
       // The element at [o, i, kernel...] is taken from where [kernel..., i, o] would lie.
       const Tensor& w = *weights_of(s.planned);
       const std::int64_t O = w.shape()[0], I = w.shape()[1];
       const Tensor flat = w.reshaped({w.size()});
       return Misread{with_weights(s.planned, gathered(flat, w.shape(), [&](const Index& at) {
                                     std::int64_t offset = 0;
                                     for (std::size_t axis = 2; axis < at.size(); ++axis)
                                       offset = offset * w.shape()[axis] + at[axis];
                                     return std::optional(Index{(offset * I + at[1]) * O + at[0]});
                                   }))};
     }},
    // amount: the tile; the terms past its last whole multiple are left out
    {Bug::tail_dropped, 33, "the last terms of each sum, which fill no whole tile, are left out",
     [](const PlannedStage& p) {
       const auto k = contraction_of(p);
       return k && k->length > 4 && k->length % 16 != 0;
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       const std::int64_t K = contraction_of(p)->length;
       std::int64_t last = 0;
       for (const std::int64_t tile : {4, 8, 16, 32})
         if (K > tile && K % tile != 0 && K % tile != last) {
           last = K % tile;
           amounts.push_back(static_cast<double>(tile));
         }
       return amounts;
     },
     [](const Seat& s, double amount) {
       const Contraction k = *contraction_of(s.planned);
       const auto tile = static_cast<std::int64_t>(amount);
       const std::int64_t kept = k.length / tile * tile;
       const Tensor& w = *weights_of(s.planned);
       return Misread{with_weights(
           s.planned, gathered(w, w.shape(), [&](const Index& at) -> std::optional<Index> {
             if (at[k.axis] % k.length >= kept) return std::nullopt;
             return at;
           }))};
     }},
    // amount: which tensor core
    {Bug::tf32_unnoticed, 25, "the operands were rounded to TF32",
     [](const PlannedStage& p) { return multiplies(p) && !runs_tensor_core(p); },
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return with_tensor_core(s.planned, tensor_core_numbered(amount), Rounding::rna);
     }},
    {Bug::tf32_truncated, 26, "the operands were cut to TF32 without rounding",
     [](const PlannedStage& p) {
       return multiplies(p) && p.contracts.front().rounding != Rounding::truncate;
     },
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return with_tensor_core(s.planned, tensor_core_numbered(amount), Rounding::truncate);
     }},
    {Bug::half_operands, 27, "the operands were rounded to float16", is_mac, once,
     [](const Seat& s, double) { return with_operands(s.planned, round_to_half); }},
    {Bug::bfloat_operands, 27, "the operands were rounded to bfloat16", is_mac, once,
     [](const Seat& s, double) { return with_operands(s.planned, to_bfloat); }},
    // amount: which of narrower_types
    {Bug::weights_narrowed, 27, "the weights, and they alone, were stored as",
     [](const PlannedStage& p) { return !weight_parameters(p).empty(); },
     [](const PlannedStage&) { return numbered(narrower_types.size()); },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       auto& parameters = misread.stage.stage.steps[0].parameters;
       for (const std::size_t at : weight_parameters(s.planned))
         parameters[at] =
             std::make_shared<const Tensor>(stored_narrower(s.planned, *parameters[at], amount));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return fmt::format(" {}", narrower_types.at(static_cast<std::size_t>(amount)));
     }},
    // amount: stored mantissa bits that are kept
    {Bug::operand_truncated, 27, "the inputs lost their low mantissa bits", float_inputs,
     [](const PlannedStage&) {
       std::vector<double> amounts;
       for (int bits = 2; bits <= 22; ++bits) amounts.push_back(bits);
       return amounts;
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       misread.operand = [=](std::size_t, const Tensor& x) {
         return mapped(x, [&](float v) { return truncated(v, static_cast<int>(amount)); });
       };
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) { return fmt::format(" ({} are left)", amount); }},
    {Bug::subnormals_flushed, 34, "subnormal operands and results became zero", float_inputs, once,
     [](const Seat& s, double) {
       Misread misread = with_operands(s.planned, flushed);
       misread.element = [](double y) {
         return std::fabs(y) < static_cast<double>(std::numeric_limits<float>::min())
                    ? std::copysign(0.0, y)
                    : y;
       };
       return misread;
     }},
    {Bug::order_changed, 37, "the terms were summed in another order (gemm:eigen)",
     [](const PlannedStage& p) {
       return multiplies(p) && p.contracts.front().algorithm == Algorithm::chain;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       misread.stage.contracts.front().algorithm = Algorithm::gemm_eigen;
       misread.stage.contracts.front().promise = promise_of(Algorithm::gemm_eigen);
       return misread;
     }},
});

}  // namespace

std::span<const Misreading> weights() { return rows; }

}  // namespace parity::misread_rows
