#pragma once

#include "model/arithmetic/recurrent_cell.hpp"

namespace parity {

// One step of an LSTM in intervals, for one element of the state. Of the memory nothing is seen but what it
// does to the output, so it is known as an interval, which each step carries on and its output narrows:
//
//   gates     the exact argument a of a gate is known from x and from the state h that the side itself gave
//             before; what the side computed lies within e of it. Every function is monotone, so the gate
//             lies in [F(a - e), F(a + e)], widened by what its sequence may be off.
//   forward   c' = f c + i g for every c, f, i, g of their intervals; two products and a sum, each rounded
//             once, lose less than 3u (|f c| + |i g|).
//   judged    h' = o h(c') for every o and c' of theirs, h(c') widened by its sequence and the product by its
//             rounding u |h'|. No arithmetic within the errors below leaves that interval.
//   narrowed  the h' that the side gave was o h(c') before one rounding, so h(c') lies in h' / o and c' in the
//             inverse of that; unbounded where the function is flat (h(c') = 1) or o may be 0. The memory
//             lies in both intervals, so in what they share.
//
// From step to step only f <= 1 multiplies the width of c, and the state starts from what was given: nothing
// compounds as in the bound of model/arithmetic/recurrent_cell.hpp, which carries the error of h itself.
//
// Error of an argument, S = sum |x||w| + sum |h||r| with magnitudes as a MAC reads them, B = |Wb| + |Rb|, C the
// coefficient of the longer product (mac_allowance), against a sum S that FP32 made and that may be short by
// gamma(I + H + 2) of itself:
//   a contract    e = C S + 4u (S + B): four additions join products and biases, two of them meet each term;
//                 u = 2^-53 in double. Of `exact` with u = 2^-24: what it adds up in double leaves room for
//                 the u |h||r| by which its state may be off from what it rounded to give.
//   any order     e = (C + gamma(2 min(I, H) + 16)) S + gamma(I + H + 8) B. C allows for the longer product
//                 in any order; one sum of all I + H products and two biases adds min(I, H) + 2 roundings to
//                 a term in FP32, and on tensor cores at most min(I, H) / 4 + 2 steps of 7u (k4f24).
//   both          (I + H + 8) 2^-148 for products and steps that underflow, of which each loses 2^-149 at most,
//                 and (I + H + 8) 2^-53 S for the exact argument itself.
// Error of a function: the roundings of recurrent_cell.hpp, relative; of an unknown runtime 2^-21 more, which
// are 4 ULP of 1 (foreign_allowance in compare/capture.cpp). Peepholes: a + P c, a rounding of each and those
// that a bias meets.
//
// The intervals are computed in double, each endpoint moved outward by 2^-48 of itself, 32 roundings, and by
// 2^-1000: more than libm errs by here and in a side that computes in double together.

/// All reals from low to high; either may be infinite.
struct Interval {
  double low, high;
};

/// What a side's arithmetic may add to a step; relative numbers.
struct CellErrors {
  double products;        ///< of S
  double addends;         ///< of B, and of what peepholes add
  double function;        ///< absolute, beyond the sequences' own roundings
  double underflow = 0;   ///< of an argument, absolute
  double unit = 0x1p-24;  ///< u of what is not a product

  /// Of a contract whose longer product has the coefficient C, in the arithmetic of unit u.
  static CellErrors of_contract(double coefficient, double unit, std::int64_t inputs,
                                std::int64_t hidden);
  /// Of a runtime whose order and functions nobody knows; C of foreign_allowance().
  static CellErrors of_any_order(double coefficient, std::int64_t inputs, std::int64_t hidden);
};

/// The exact argument of a gate but for its peephole, and e.
struct GateArgument {
  double value, error;
};
/// S, B: what the errors are relative to.
GateArgument gate_argument(double value, double products, double biases, const CellErrors& errors);

/// What a step may give.
struct LstmReach {
  Interval h;       ///< every right output lies in it
  Interval memory;  ///< c'
  Interval output;  ///< the gate o
};
/// The step from the memory c; gates in ONNX order i, o, f, c. Everything is unbounded where an argument is
/// not finite, and whatever is computed from it.
LstmReach lstm_reach(const GateArgument (&arguments)[4], const double (&peepholes)[3],
                     const Interval& memory, const CellForm& form, const CellErrors& errors);
/// What is known of the memory behind a step that gave h. Where h was out of reach, all that either the step
/// or its output says: which of them is wrong is not known.
Interval memory_behind(const LstmReach& reach, double h, const CellForm& form,
                       const CellErrors& errors);

}  // namespace parity
