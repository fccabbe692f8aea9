#pragma once

#include <type_traits>

namespace parity {

/// What an elementwise step does to an element y of channel c, with operands a and b. C++17, so that
/// device code names it too. The arithmetic of each is one line of sequences::step() or wide_step().
enum class EpilogueKind {
  // One rounded operation, or a selection.
  add,               ///< y + a[c]: a bias or a constant
  sub,               ///< y - a[c]
  subtracted_from,   ///< a[c] - y
  mul,               ///< y a[c]
  div,               ///< y / a[c]
  divided_into,      ///< a[c] / y
  fma,               ///< fma(y, a[c], b[c]): BatchNorm
  max,               ///< the larger of y and a[c]
  min,               ///< the smaller
  clip,              ///< min(max(y, a), b)
  relu,              ///< y > 0 ? y : (y != y ? y : +0)
  leaky_relu,        ///< y > 0 ? y : (y != y ? y : a[c] y)
  thresholded_relu,  ///< y > a ? y : (y != y ? y : +0)
  abs,
  neg,
  sqrt,
  reciprocal,
  square,
  floor,
  ceil,
  round,  ///< ties to even
  sign,
  // Sequences in float.
  hard_sigmoid,  ///< min(max(a y + b, 0), 1)
  hard_swish,    ///< y hard_sigmoid(y)
  softsign,
  sigmoid,
  swish,  ///< y sigmoid(a y)
  tanh,
  erf,
  gelu,
  gelu_tanh,
  exp,
  // Sequences in double, rounded once.
  log,
  softplus,
  mish,
  elu,   ///< y > 0 ? y : a (e^y - 1)
  selu,  ///< b y where y > 0, else a b (e^y - 1)
  celu,  ///< y > 0 ? y : a (e^(y/a) - 1)
  sin,
  cos,
  pow,  ///< y to the power a[c]
  // Functions of above, correctly rounded (model/arithmetic/correct-inl.hpp).
  correct_exp,
  correct_sigmoid,
  correct_swish,  ///< of a = 1
  correct_tanh,
  correct_erf,
  correct_gelu,
  correct_gelu_tanh,
  correct_log,
  correct_softplus,
  correct_mish,
  correct_sin,
  correct_cos,
};
inline constexpr int epilogue_kinds = static_cast<int>(EpilogueKind::correct_cos) + 1;

/// Whether a kind is a sequence in double: computed one element after the other.
constexpr bool is_wide(EpilogueKind kind) { return kind >= EpilogueKind::log; }

/// The functions that have a correctly rounded twin.
struct CorrectlyRounded {
  EpilogueKind own, correct;
};
inline constexpr CorrectlyRounded correctly_rounded[] = {
    {EpilogueKind::exp, EpilogueKind::correct_exp},
    {EpilogueKind::sigmoid, EpilogueKind::correct_sigmoid},
    {EpilogueKind::swish, EpilogueKind::correct_swish},
    {EpilogueKind::tanh, EpilogueKind::correct_tanh},
    {EpilogueKind::erf, EpilogueKind::correct_erf},
    {EpilogueKind::gelu, EpilogueKind::correct_gelu},
    {EpilogueKind::gelu_tanh, EpilogueKind::correct_gelu_tanh},
    {EpilogueKind::log, EpilogueKind::correct_log},
    {EpilogueKind::softplus, EpilogueKind::correct_softplus},
    {EpilogueKind::mish, EpilogueKind::correct_mish},
    {EpilogueKind::sin, EpilogueKind::correct_sin},
    {EpilogueKind::cos, EpilogueKind::correct_cos},
};
constexpr bool is_correct(EpilogueKind kind) { return kind >= EpilogueKind::correct_exp; }
/// The function of a correctly rounded kind; any other kind itself.
constexpr EpilogueKind own_of(EpilogueKind kind) {
  for (const CorrectlyRounded& row : correctly_rounded)
    if (row.correct == kind) return row.own;
  return kind;
}

template <EpilogueKind kind>
using KindConstant = std::integral_constant<EpilogueKind, kind>;

/// f(KindConstant<kind>()): from a kind known at run time to one that templates know. (A compiler makes
/// a switch of it.)
template <int candidate = 0, class F>
constexpr auto with_kind(EpilogueKind kind, F&& f) {
  constexpr EpilogueKind known = static_cast<EpilogueKind>(candidate);
  if constexpr (candidate + 1 < epilogue_kinds) {
    if (kind != known) return with_kind<candidate + 1>(kind, f);
  }
  return f(KindConstant<known>());
}

}  // namespace parity
