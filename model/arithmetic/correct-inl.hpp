// Elementary functions, correctly rounded: each float is the one nearest to the function's real value, which
// tests/model/correct_test.cpp proves for all 2^32 inputs. A part of model/arithmetic/sequences.hpp, whose
// parts in double it uses; included there into its namespace and nowhere else.
//
// unrounded() lies within 2^-40 of the real value (of sin and cos within 2^-40 and 2^-60 in all), which
// decides the rounding of nearly all inputs. Of the others the sweep has the value in 113 bits, and
// where unrounded() lies on the wrong side of the border between two floats, hard_case() names the result.

/// a + b, |a| >= |b|, rounded to odd: the neighbour that is odd, unless the sum is exact. A sum that lies
/// beside the border between two floats then never rounds onto it.
template <class A>
constexpr double add_odd(double a, double b) {
  const double sum = A::add_rn(a, b);
  const double rest = A::sub_rn(b, A::sub_rn(sum, a));
  const std::uint64_t bits = A::bits_of(sum);
  if (rest == 0.0 || (bits & 1) != 0) return sum;
  return A::double_of((rest > 0.0) == (sum > 0.0) ? bits + 1 : bits - 1);
}

/// 1 / (1 + e^-v) - 1/2 = (e^v - 1) / (2 (e^v + 1)), v >= -1.
template <class A>
constexpr double sigmoid_above_half(double v) {
  const double m = exp_wide<A>(v > 100.0 ? 100.0 : v).minus_one;
  return A::div_rn(m, A::add_rn(A::add_rn(m, m), 4.0));
}
/// 1 / (1 + e^-v) = e^v / (1 + e^v), v < 0.
template <class A>
constexpr double sigmoid_below(double v) {
  const double e = exp_wide<A>(v < -700.0 ? -700.0 : v).whole;
  return A::div_rn(e, A::add_rn(e, 1.0));
}
/// x / (1 + e^-v), v of x's sign.
template <class A>
constexpr double gated(float x, double v) {
  const double wide = static_cast<double>(x);
  if (v < -1.0) return A::mul_rn(wide, sigmoid_below<A>(v));
  return add_odd<A>(A::mul_rn(wide, 0.5), A::mul_rn(wide, sigmoid_above_half<A>(v)));
}

/// z^-1/2 erf(z^1/2) - 2 / sqrt(pi)'s first 53 bits, z in [0, 1]: interpolated at Chebyshev's points of degree
/// 12, 2^-55 of erf off.
template <class A>
constexpr double erf_core(double z) {
  const double q =
      horner_wide<A>(z, 0x1.05ffd737fb32ep-34, -0x1.389d4f2641625p-30, 0x1.f7b4bf3b13964p-27,
                     -0x1.5f1ecb6f0764cp-23, 0x1.b9df224ca4b97p-20, -0x1.f4d1e3183f7aep-17,
                     0x1.f9a321d5b8e1ep-14, -0x1.c02db3dac435fp-11, 0x1.565bcd0dbaa38p-8,
                     -0x1.b82ce31284e00p-6, 0x1.ce2f21a042b30p-4, -0x1.812746b0379e6p-2);
  return A::fma_rn(q, z, 0x1.1ae3a914fed80p-56);
}
/// erfc(w / sqrt 2), w in [1, 15], given e = e^(-w^2 / 2): e^(w^2 / 2) erfc(w / sqrt 2) (w + 4) is smooth in
/// (w - 4) / (w + 4), where it was interpolated at Chebyshev's points of degree 18, 2^-54 off.
template <class A>
constexpr double erfc_core(double w, double e) {
  const double below = A::add_rn(w, 4.0);
  const double u = A::div_rn(A::sub_rn(w, 4.0), below);
  const double p = horner_wide<A>(
      u, -0x1.01ac4d033591fp-23, -0x1.1acf675bd9c75p-22, 0x1.14573dcabaefep-21,
      0x1.0dec9caf8f7dbp-19, -0x1.4fc081d73e76ap-20, -0x1.8ce5d2d5523e0p-17, 0x1.8064d988f041ep-20,
      0x1.26cdd819600b4p-14, -0x1.001dcbb6e8bf0p-18, -0x1.e4a40e659791cp-12, 0x1.17a4af051bf7fp-12,
      0x1.ab825f88dce00p-9, -0x1.c81719d70abb5p-8, -0x1.ee276103ec743p-7, 0x1.eec4cc3e4e7dap-4,
      -0x1.7dff2bff684f2p-2, 0x1.8c6dbf2cfc2a9p-1, -0x1.373e3a893c28ap+0, 0x1.82b4bb8c94dcep+0);
  return A::mul_rn(e, A::div_rn(p, below));
}

template <class A>
constexpr double erf_wide(float x) {
  constexpr double two_over_root_pi = 0x1.20dd750429b6dp+0;
  const double wide = static_cast<double>(x);
  double t = static_cast<double>(A::abs(x));
  if (t <= 1.0)
    return A::fma_rn(wide, two_over_root_pi, A::mul_rn(wide, erf_core<A>(A::mul_rn(t, t))));
  if (t > 8.0) t = 8.0;
  const double e = exp_wide<A>(-A::mul_rn(t, t)).whole;  // of an exact square
  const double y = A::sub_rn(1.0, erfc_core<A>(A::mul_rn(t, 0x1.6a09e667f3bcdp+0), e));
  return x < 0.0F ? -y : y;
}

/// x (1 + erf(x / sqrt 2)) / 2.
template <class A>
constexpr double gelu_wide(float x) {
  constexpr double root_half = 0x1.6a09e667f3bcdp-1, two_over_root_pi = 0x1.20dd750429b6dp+0;
  const double wide = static_cast<double>(x);
  double t = static_cast<double>(A::abs(x));
  if (t <= 1.0) {
    const double z = A::mul_rn(A::mul_rn(wide, wide), 0.5);  // exact
    const double slope = A::add_rn(two_over_root_pi, erf_core<A>(z));
    const double above_half = A::mul_rn(A::mul_rn(wide, root_half * 0.5), slope);
    return add_odd<A>(A::mul_rn(wide, 0.5), A::mul_rn(wide, above_half));
  }
  if (t > 15.0) t = 15.0;
  const double e = exp_wide<A>(-A::mul_rn(A::mul_rn(t, t), 0.5)).whole;
  const double tail = A::mul_rn(0.5, erfc_core<A>(t, e));
  if (x > 0.0F) return A::fma_rn(-wide, tail, wide);
  return x < -15.0F ? -0.0 : A::mul_rn(wide, tail);
}

/// x / (1 + e^-v), v = 2 sqrt(2 / pi) (x + 0.044715 x^3).
template <class A>
constexpr double gelu_tanh_wide(float x) {
  const double wide = static_cast<double>(x);
  const double slope = A::fma_rn(A::mul_rn(wide, wide), 0x1.2444f2a4d8b4bp-4, 0x1.9884533d43651p+0);
  return gated<A>(x, A::mul_rn(wide, slope));
}

template <class A>
constexpr double tanh_wide(float x) {
  double t = static_cast<double>(A::abs(x));
  if (t > 20.0) t = 20.0;
  const double m = exp_wide<A>(A::add_rn(t, t)).minus_one;
  const double y = A::div_rn(m, A::add_rn(m, 2.0));
  return (A::bits_of(x) < 0) ? -y : y;
}

/// A function's value before it is rounded; the value itself where it is a float, a NaN where there is none.
template <class A, EpilogueKind kind>
constexpr double unrounded(float x) {
  using K = EpilogueKind;
  const double wide = static_cast<double>(x);
  const float infinity = A::float_of(0x7f800000);
  const double none = static_cast<double>(A::canonical_nan());
  if constexpr (kind == K::correct_exp) {
    return exp_wide<A>(wide < -110.0 ? -110.0 : wide > 90.0 ? 90.0 : wide).whole;
  } else if constexpr (kind == K::correct_sigmoid) {
    return wide < -1.0 ? sigmoid_below<A>(wide) : add_odd<A>(0.5, sigmoid_above_half<A>(wide));
  } else if constexpr (kind == K::correct_swish) {
    return x == -infinity ? none : gated<A>(x, wide);
  } else if constexpr (kind == K::correct_tanh) {
    return tanh_wide<A>(x);
  } else if constexpr (kind == K::correct_erf) {
    return erf_wide<A>(x);
  } else if constexpr (kind == K::correct_gelu) {
    if (x == 0.0F || x == infinity) return wide;
    if (x == -infinity) return none;
    return gelu_wide<A>(x);
  } else if constexpr (kind == K::correct_gelu_tanh) {
    return x == -infinity ? none : gelu_tanh_wide<A>(x);
  } else if constexpr (kind == K::correct_log) {
    if (x < 0.0F) return none;
    if (x == 0.0F) return -static_cast<double>(infinity);
    return x == infinity ? wide : log_wide<A>(wide);
  } else if constexpr (kind == K::correct_softplus) {
    return softplus_wide<A>(x);
  } else if constexpr (kind == K::correct_mish) {
    return mish_wide<A>(x);
  } else {
    if (A::abs(x) == infinity) return none;
    if constexpr (kind == K::correct_sin) return x == 0.0F ? wide : sin_wide<A>(x);
    if constexpr (kind == K::correct_cos) return cos_wide<A>(x);
  }
}

/// y, but the nearest float where x is an input whose unrounded() lies on the wrong side of a border: each is
/// nearer to one than 2^-52 of its value.
template <class A, EpilogueKind kind>
constexpr float hard_case(float x, float y) {
  using K = EpilogueKind;
  const auto bits = static_cast<std::uint32_t>(A::bits_of(x));
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if constexpr (kind == K::correct_log) {
    if (bits == 0x3c413d3a) return A::float_of(static_cast<std::int32_t>(0xc08e158fU));
    if (bits == 0x41178feb) return A::float_of(0x400fe5e7);
    if (bits == 0x4c5d65a5) return A::float_of(0x418f034b);
    if (bits == 0x65d890d3) return A::float_of(0x4254d1f9);
    if (bits == 0x6f31a8ec) return A::float_of(0x42845a89);
  }
  if constexpr (kind == K::correct_softplus)
    if (bits == 0x39ea41d0) return A::float_of(0x3f3180bd);
  if constexpr (kind == K::correct_sin) {
    if (magnitude == 0x46199998) return A::copysign(A::float_of(0x3eb1fa5d), A::neg(x));
    if (magnitude == 0x4ecd11c7) return A::copysign(A::float_of(0x3f37516c), x);
  }
  if constexpr (kind == K::correct_cos) {
    if (magnitude == 0x5f18b878) return A::float_of(0x3f7f14bb);
    if (magnitude == 0x6115cb11) return A::float_of(0x3f78142f);
  }
  (void)bits;
  (void)magnitude;
  return y;
}

template <class A, EpilogueKind kind>
constexpr float correct(float x) {
  const double y = x != x ? static_cast<double>(x) : unrounded<A, kind>(x);
  return y != y ? A::canonical_nan() : hard_case<A, kind>(x, A::narrow_rn(y));
}
