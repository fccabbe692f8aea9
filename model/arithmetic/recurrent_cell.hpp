#pragma once

#include <cstdint>
#include <limits>

namespace parity {

// One step of a GRU or LSTM for one element of the state, given the products (x W^T, h R^T), which the
// multiply-accumulate of the contract makes before; and its bound. C++17 templates over the operations `A`
// of model/arithmetic/sequences.hpp, so that every backend has the same bits.

enum class GateFunction : std::int32_t { sigmoid, tanh, relu };

/// What a cell does beside its weights; plain, so that kernels take it as it is.
struct CellForm {
  GateFunction f = GateFunction::sigmoid;  ///< of z, r; of i, o, f
  GateFunction g = GateFunction::tanh;     ///< of the new state; of c
  GateFunction h = GateFunction::tanh;     ///< LSTM: of the cell's output
  float clip = 0;                          ///< before each function; 0: none
  /// Of the bound: 1 / min(K, 256), K the terms of the longer product: a rounding in units of its error.
  float rounding = 0;
  /// LSTM: c too is cut off where h reads it, as ONNX has it. Not so in a misreading.
  bool memory_clipped = true;
};

/// What a step reads of one gate for one element: the products and their biases.
template <class F>
struct GateTerms {
  F x, h, wb, rb;
};
/// The same of the bound: sum |x||w|, and sum |r| (|h| + (1 + 2^-8) E), E being the state's error in units
/// of the bound.
struct GateBound {
  float x, h;
};
/// A value and its error in units of the bound.
struct Bounded {
  float value, error;
};

/// What a GRU has before its last product, and an LSTM behind a step.
template <class F>
struct GruReset {
  F z, state;
};
template <class F>
struct LstmState {
  F h, c;
};

namespace recurrent {

#include "model/arithmetic/recurrent_cell-inl.hpp"

// The bound along time. Errors are carried in units of the product's own coefficient C (mac_allowance
// of the longer product), so that |error| <= C * E whatever the contract, C <= 2^-8; a rounding is
// w = 1 / min(K, 256) of it at most, because C >= min(K, 256) u. With E of the last state:
//
//   products   C sum |x||w|, and C sum |r|(|h| + C E) + sum |r| C E for a state that is off by C E.
//   gates      every addition w of what it adds: 4 w (products + biases).
//   functions  slope * E + w * their own error; the slope at the value itself, raised by what the second
//              derivative can do over C E (at most 0.1, 0.77), at most 1/4 and 1.
//   products of two values   |a| E_b + |b| E_a + E_b min(C E_a, 1): what is bounded by 1 is never off by
//              more.
//   H'         (1 - z) E_n + z E + |h - n| E_z: the derivative by z, in which h and n cancel.
//
// It is a worst case over signs at every step, so it grows like the product of sum |r| and the slopes:
// under random weights by about 2 per step, until it says nothing after 20 to 30 steps. Outputs of the
// steps before that are judged all the same, and Y holds them.

constexpr float second_order = 0x1p-8F;
/// Of the sequences, in roundings u of the value: 2.41 and 1.35 ULP, each at most 2u of it.
constexpr float sigmoid_roundings = 4.9F, tanh_roundings = 2.8F;
constexpr float most_error =
    0x1p60F;  ///< from here on nothing is judged: what a later step adds could overflow

template <class A>
constexpr float magnitude(float a) {
  return a < 0.0F ? -a : a;
}
template <class A>
constexpr float least(float a, float b) {
  return a < b ? a : b;
}
/// What of an error E may not be linear.
template <class A>
constexpr float bounded(float error) {
  return least<A>(A::mul_rn(second_order, error), 1.0F);
}
/// Error of one half of a gate's argument: a product and its bias.
template <class A>
constexpr float half_error(float bound, float bias, float w) {
  const float rounded = A::mul_rn(A::mul_rn(4.0F, w), A::add_rn(bound, magnitude<A>(bias)));
  return A::add_rn(A::add_rn(bound, rounded), 0x1p-100F);
}
template <class A>
constexpr float argument_error(const GateTerms<float>& t, const GateBound& b, float w) {
  return A::add_rn(half_error<A>(b.x, t.wb, w), half_error<A>(b.h, t.rb, w));
}
/// Error of f(a), given its value.
template <class A>
constexpr float function_error(GateFunction function, float value, float error, float w) {
  if (function == GateFunction::relu) return error;
  const bool sigmoid = function == GateFunction::sigmoid;
  // v (1 - v), or 1 - v^2
  const float at =
      sigmoid ? A::mul_rn(value, A::sub_rn(1.0F, value)) : A::sub_rn(1.0F, A::mul_rn(value, value));
  const float steeper = A::mul_rn(A::mul_rn(sigmoid ? 0.1F : 0.77F, second_order), error);
  const float slope = least<A>(A::add_rn(A::add_rn(at, 0x1p-20F), steeper), sigmoid ? 0.25F : 1.0F);
  const float own =
      A::mul_rn(A::mul_rn(sigmoid ? sigmoid_roundings : tanh_roundings, w), magnitude<A>(value));
  return A::add_rn(A::mul_rn(slope, error), own);
}
/// Error of mul(a, b).
template <class A>
constexpr float product_error(float a, float error_a, float b, float error_b, float w) {
  const float linear =
      A::add_rn(A::mul_rn(magnitude<A>(a), error_b), A::mul_rn(magnitude<A>(b), error_a));
  const float both = A::mul_rn(error_b, bounded<A>(error_a));
  const float own = A::mul_rn(A::mul_rn(4.0F, w), magnitude<A>(A::mul_rn(a, b)));
  return A::add_rn(A::add_rn(linear, both), own);
}
/// Pays for the roundings of this pass: sums of K terms and a hundred operations. Infinite from most_error on:
/// a layer of ReLU may have values as large as any bound that stays finite.
template <class A>
constexpr float closed_error(float error) {
  const float paid = A::mul_rn(error, 1 + 0x1p-8F);
  return paid < most_error ? paid : A::mul_rn(paid, std::numeric_limits<float>::infinity());
}

/// A gate with its error.
template <class A>
constexpr Bounded bounded_gate(GateFunction function, float argument, float error,
                               const CellForm& form) {
  const float value = activated<A>(function, argument, form.clip);
  return {value, function_error<A>(function, value, error, form.rounding)};
}
/// h' = (1 - z) n + z h.
template <class A>
constexpr Bounded bounded_mix(const Bounded& z, const Bounded& n, const Bounded& h, float w) {
  const float kept = A::sub_rn(1.0F, z.value);
  float error =
      A::add_rn(A::mul_rn(magnitude<A>(kept), n.error), A::mul_rn(magnitude<A>(z.value), h.error));
  error = A::add_rn(error, A::mul_rn(magnitude<A>(A::sub_rn(h.value, n.value)), z.error));
  error = A::add_rn(error, A::mul_rn(A::add_rn(n.error, h.error), bounded<A>(z.error)));
  const float parts =
      A::add_rn(magnitude<A>(A::mul_rn(kept, n.value)), magnitude<A>(A::mul_rn(z.value, h.value)));
  error = A::add_rn(error, A::mul_rn(A::mul_rn(4.0F, w), parts));
  return {mixed<A>(z.value, n.value, h.value), closed_error<A>(error)};
}

// Steps of one element. Gates in ONNX order: z, r, n; i, o, f, c.

template <class A>
constexpr Bounded gru(const GateTerms<float> (&t)[3], const GateBound (&b)[3], const Bounded& h,
                      const CellForm& form, bool biased) {
  const float w = form.rounding;
  const Bounded z =
      bounded_gate<A>(form.f, argument<A>(t[0], biased), argument_error<A>(t[0], b[0], w), form);
  const Bounded r =
      bounded_gate<A>(form.f, argument<A>(t[1], biased), argument_error<A>(t[1], b[1], w), form);
  const float state = with_bias<A>(t[2].h, t[2].rb, biased);
  const float error =
      A::add_rn(half_error<A>(b[2].x, t[2].wb, w),
                product_error<A>(r.value, r.error, state, half_error<A>(b[2].h, t[2].rb, w), w));
  const Bounded n = bounded_gate<A>(form.g, reset_argument<A>(t[2], r.value, biased), error, form);
  return bounded_mix<A>(z, n, h, w);
}

template <class A>
constexpr GruReset<Bounded> gru_reset(const GateTerms<float> (&t)[2], const GateBound (&b)[2],
                                      const Bounded& h, const CellForm& form, bool biased) {
  const float w = form.rounding;
  const Bounded z =
      bounded_gate<A>(form.f, argument<A>(t[0], biased), argument_error<A>(t[0], b[0], w), form);
  const Bounded r =
      bounded_gate<A>(form.f, argument<A>(t[1], biased), argument_error<A>(t[1], b[1], w), form);
  return {z,
          {A::mul_rn(r.value, h.value), product_error<A>(r.value, r.error, h.value, h.error, w)}};
}
template <class A>
constexpr Bounded gru_after_reset(const GateTerms<float>& t, const GateBound& b, const Bounded& z,
                                  const Bounded& h, const CellForm& form, bool biased) {
  const Bounded n =
      bounded_gate<A>(form.g, argument<A>(t, biased), argument_error<A>(t, b, form.rounding), form);
  return bounded_mix<A>(z, n, h, form.rounding);
}

template <class A>
constexpr LstmState<Bounded> lstm(const GateTerms<float> (&t)[4], const GateBound (&b)[4],
                                  const float (&peepholes)[3], const Bounded& c,
                                  const CellForm& form, bool biased, bool peeps) {
  const float w = form.rounding;
  const auto gate = [&](int k, float peephole, const Bounded& seen) {
    float error = argument_error<A>(t[k], b[k], w);
    if (peeps)
      error = A::add_rn(error, product_error<A>(peephole, 0.0F, seen.value, seen.error, w));
    return bounded_gate<A>(
        form.f, peeped<A>(argument<A>(t[k], biased), peephole, seen.value, peeps), error, form);
  };
  const Bounded i = gate(0, peepholes[0], c), f = gate(2, peepholes[2], c);
  const Bounded g =
      bounded_gate<A>(form.g, argument<A>(t[3], biased), argument_error<A>(t[3], b[3], w), form);
  const float error = A::add_rn(product_error<A>(f.value, f.error, c.value, c.error, w),
                                product_error<A>(i.value, i.error, g.value, g.error, w));
  const Bounded next{A::add_rn(A::mul_rn(f.value, c.value), A::mul_rn(i.value, g.value)),
                     closed_error<A>(error)};
  const Bounded o = gate(1, peepholes[1], next);
  const Bounded seen = bounded_gate<A>(form.h, next.value, next.error, form);
  return {{A::mul_rn(o.value, seen.value),
           closed_error<A>(product_error<A>(o.value, o.error, seen.value, seen.error, w))},
          next};
}

/// What the product is made of for the bound: |h| + (1 + 2^-8) E.
template <class A>
constexpr float bound_operand(const Bounded& h) {
  return A::add_rn(magnitude<A>(h.value), A::mul_rn(1 + second_order, h.error));
}
/// M of a state.
template <class A>
constexpr float state_magnitude(const Bounded& h) {
  return A::add_rn(magnitude<A>(h.value), h.error);
}

}  // namespace recurrent
}  // namespace parity
