#pragma once

#include <cstdint>

#include "model/arithmetic/epilogue_kind.hpp"
#include "model/arithmetic/nan_bits.hpp"

namespace parity::sequences {

inline constexpr std::uint32_t canonical_nan = nan_bits32;

/// The operations of sequences-inl.hpp on one float, from those that host and device spell each in its own
/// way: fma_rn, add_rn, sub_rn, mul_rn, div_rn, sqrt_rn in float and double, narrow_rn, and the bits of both
/// types (bits_of, float_of, double_of).
template <class Spelled>
struct OneFloat {
  using F = float;
  using I = std::int32_t;

  static constexpr bool scales = false;
  static constexpr float fma_rn(float a, float b, float c) { return Spelled::fma_rn(a, b, c); }
  static constexpr float add_rn(float a, float b) { return Spelled::add_rn(a, b); }
  static constexpr float sub_rn(float a, float b) { return Spelled::sub_rn(a, b); }
  static constexpr float mul_rn(float a, float b) { return Spelled::mul_rn(a, b); }
  static constexpr float div_rn(float a, float b) { return Spelled::div_rn(a, b); }
  static constexpr float sqrt_rn(float a) { return Spelled::sqrt_rn(a); }
  static constexpr double fma_rn(double a, double b, double c) { return Spelled::fma_rn(a, b, c); }
  static constexpr double add_rn(double a, double b) { return Spelled::add_rn(a, b); }
  static constexpr double sub_rn(double a, double b) { return Spelled::sub_rn(a, b); }
  static constexpr double mul_rn(double a, double b) { return Spelled::mul_rn(a, b); }
  static constexpr double div_rn(double a, double b) { return Spelled::div_rn(a, b); }
  static constexpr float narrow_rn(double a) { return Spelled::narrow_rn(a); }
  static constexpr std::uint64_t bits_of(double a) { return Spelled::bits_of(a); }
  static constexpr double double_of(std::uint64_t bits) { return Spelled::double_of(bits); }

  static constexpr I bits_of(float a) { return static_cast<I>(Spelled::bits_of(a)); }
  static constexpr float float_of(I bits) {
    return Spelled::float_of(static_cast<std::uint32_t>(bits));
  }
  static constexpr I plus(I a, I b) { return a + b; }
  static constexpr I minus(I a, I b) { return a - b; }
  static constexpr I half(I a) { return a >> 1; }
  static constexpr I shifted_left_23(I a) {
    return static_cast<I>(static_cast<std::uint32_t>(a) << 23);
  }
  static constexpr float bits_and(float a, float b) { return float_of(bits_of(a) & bits_of(b)); }
  static constexpr float bits_or(float a, float b) { return float_of(bits_of(a) | bits_of(b)); }

  static constexpr float canonical_nan() { return float_of(sequences::canonical_nan); }
  static constexpr float abs(float a) { return float_of(bits_of(a) & 0x7fffffff); }
  static constexpr float neg(float a) { return -a; }
  static constexpr float copysign(float magnitude, float sign) {
    return bits_or(abs(magnitude), bits_and(sign, -0.0F));
  }
  static constexpr bool less(float a, float b) { return a < b; }
  static constexpr bool less_equal(float a, float b) { return a <= b; }
  static constexpr bool is_nan(float a) { return a != a; }
  static constexpr float select(bool condition, float yes, float no) {
    return condition ? yes : no;
  }
};

#include "model/arithmetic/sequences-inl.hpp"

// Functions whose terms cancel, or that are rarely asked for: in double inside, rounded once. IEEE
// operations in double are the same bits everywhere too, so these are contracts like those above, and
// nearly correctly rounded.

inline constexpr double ln2 = 0x1.62e42fefa39efp-1;

template <class A>
constexpr double horner_wide(double, double sum) {
  return sum;
}
/// As horner() in double.
template <class A, class... Lower>
constexpr double horner_wide(double x, double sum, double next, Lower... lower) {
  return horner_wide<A>(x, A::fma_rn(sum, x, next), lower...);
}

/// 2^n as a double, -1022 <= n <= 1023.
template <class A>
constexpr double power_of_two(std::int64_t n) {
  return A::double_of(static_cast<std::uint64_t>(n + 1023) << 52);
}

/// e^x - 1 and e^x, x in [-700, 700], by x = n ln2 + r and Taylor's series up to r^12 (|r| <= 0.347: what
/// is left out is below 2^-52 of the sum). The former has no cancellation: 2^n (e^r - 1) + (2^n - 1).
struct Exponential {
  double minus_one, whole;
};
template <class A>
constexpr Exponential exp_wide(double x) {
  const double t = A::fma_rn(x, 0x1.71547652b82fep+0, 0x1.8p52);  // n in the low bits
  const double n = A::sub_rn(t, 0x1.8p52);
  double r = A::fma_rn(n, -ln2, x);
  r = A::fma_rn(n, -0x1.abc9e3b39803fp-56, r);  // ln 2 beyond its first 53 bits
  double q = horner_wide<A>(r, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                            1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5);
  q = A::fma_rn(A::mul_rn(r, r), q, r);
  const double scale =
      power_of_two<A>(static_cast<std::int64_t>(A::bits_of(t) - 0x4338000000000000U));
  return {A::fma_rn(scale, q, A::sub_rn(scale, 1.0)), A::fma_rn(scale, q, scale)};
}

/// log(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)]: 2 artanh(s), s = f / (2 + f), by its series up to s^17
/// (|s| <= 0.172: what is left out is below 2^-50 of the sum).
template <class A>
constexpr double log1p_core(double f) {
  const double s = A::div_rn(f, A::add_rn(2.0, f));
  const double z = A::mul_rn(s, s);
  double q =
      horner_wide<A>(z, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3);
  const double twice = A::add_rn(s, s);
  return A::fma_rn(A::mul_rn(twice, z), q, twice);
}

/// log x for a positive finite normal double.
template <class A>
constexpr double log_wide(double x) {
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)).
  const std::uint64_t bits = A::bits_of(x);
  const std::int64_t k = static_cast<std::int64_t>(bits - 0x3fe6a09e667f3bcdU) >> 52;
  const double m = A::double_of(bits - (static_cast<std::uint64_t>(k) << 52));
  return A::fma_rn(static_cast<double>(k), ln2, log1p_core<A>(A::sub_rn(m, 1.0)));
}

/// log(1 + z), z in [0, 1].
template <class A>
constexpr double log1p_wide(double z) {
  if (z <= 0.4142135623730951) return log1p_core<A>(z);
  return A::add_rn(ln2, log1p_core<A>(A::mul_rn(0.5, A::sub_rn(z, 1.0))));
}

/// log x; -inf at both zeros, NaN below.
template <class A>
constexpr float log(float x) {
  const float infinity = A::float_of(0x7f800000);
  if (x != x || x < 0.0F) return A::canonical_nan();
  if (x == 0.0F) return -infinity;
  if (x == infinity) return x;
  return A::narrow_rn(log_wide<A>(x));
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), before it is rounded.
template <class A>
constexpr double softplus_wide(float x) {
  const float magnitude = A::abs(x);
  if (magnitude > 200.0F) return static_cast<double>(x > 0.0F ? x : 0.0F);
  const double tail = log1p_wide<A>(exp_wide<A>(-static_cast<double>(magnitude)).whole);
  return x > 0.0F ? A::add_rn(static_cast<double>(x), tail) : tail;
}
template <class A>
constexpr float softplus(float x) {
  return x != x ? A::canonical_nan() : A::narrow_rn(softplus_wide<A>(x));
}

/// x > 0 ? x : a (e^x - 1).
template <class A>
constexpr float elu(float x, float a) {
  if (x != x) return A::canonical_nan();
  if (x > 0.0F) return x;
  const double e = exp_wide<A>(x < -200.0F ? -200.0 : static_cast<double>(x)).minus_one;
  return A::narrow_rn(A::mul_rn(e, static_cast<double>(a)));
}

/// b (x > 0 ? x : a (e^x - 1)).
template <class A>
constexpr float selu(float x, float a, float b) {
  if (x > 0.0F) return A::mul_rn(x, b);
  if (x != x) return A::canonical_nan();
  const double e = exp_wide<A>(x < -200.0F ? -200.0 : static_cast<double>(x)).minus_one;
  return A::narrow_rn(A::mul_rn(e, A::mul_rn(static_cast<double>(a), static_cast<double>(b))));
}

/// x > 0 ? x : a (e^(x/a) - 1).
template <class A>
constexpr float celu(float x, float a) {
  if (x != x) return A::canonical_nan();
  if (x > 0.0F) return x;
  const double t = A::div_rn(static_cast<double>(x), static_cast<double>(a));
  const double e = exp_wide<A>(t < -200.0 ? -200.0 : t).minus_one;
  return A::narrow_rn(A::mul_rn(e, static_cast<double>(a)));
}

/// x tanh(log(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2), before it is rounded.
template <class A>
constexpr double mish_wide(float x) {
  if (x > 40.0F) return static_cast<double>(x);
  if (x < -200.0F) return -0.0;
  const double e = exp_wide<A>(static_cast<double>(x)).whole;
  const double n = A::mul_rn(e, A::add_rn(e, 2.0));
  return A::div_rn(A::mul_rn(static_cast<double>(x), n), A::add_rn(n, 2.0));
}
template <class A>
constexpr float mish(float x) {
  return x != x ? A::canonical_nan() : A::narrow_rn(mish_wide<A>(x));
}

/// x less the nearest multiple of pi/2, and which multiple, modulo 4.
struct Reduced {
  double r;
  unsigned quadrant;
};

/// The 64 bits of 2/pi from bit `first` behind the point (the bits before it, of which first may count
/// two, are zero).
constexpr std::uint64_t two_over_pi_bits(int first) {
  const std::uint64_t words[5] = {0, 0xa2f9836e4e441529U, 0xfc2757d1f534ddc0U, 0xdb6295993c439041U,
                                  0xfe5163abdebbc561U};
  const int at = first + 64;
  const int word = at / 64, shift = at % 64;
  if (shift == 0) return words[word];
  return words[word] << shift | words[word + 1] >> (64 - shift);
}

template <class A>
constexpr Reduced reduced(float x) {
  if (A::abs(x) < 0x1p28F) {
    // Cody and Waite: below 2^29, n times the first 53 bits of pi/2 is a multiple of 2^-52, so the first
    // fma is exact; the second term's own rounding is below 2^-77, no x comes nearer to a multiple than 2^-31.
    const double t = A::fma_rn(static_cast<double>(x), 0x1.45f306dc9c883p-1, 0x1.8p52);
    const double n = A::sub_rn(t, 0x1.8p52);
    double r = A::fma_rn(n, -0x1.921fb54442d18p+0, static_cast<double>(x));
    r = A::fma_rn(n, -0x1.1a62633145c07p-54, r);
    return {r, static_cast<unsigned>(A::bits_of(t)) & 3U};
  }
  // Payne and Hanek: x = m 2^e with an integer m of 24 bits, so of 2/pi only the bits count that make
  // neither a multiple of 4 (before bit e - 1) nor less than 2^-70.
  const std::uint32_t bits = static_cast<std::uint32_t>(A::bits_of(x));
  const int e = static_cast<int>(bits >> 23 & 0xff) - 150;
  const std::uint64_t m = (bits & 0x7fffff) | 0x800000;
  const std::uint64_t low = m * (two_over_pi_bits(e + 62) >> 32);
  const std::uint64_t high = m * two_over_pi_bits(e - 2) + (low >> 32);
  // Two bits of quadrant, then the fraction of one, taken as signed: the nearest multiple.
  const std::uint64_t fraction = high << 2 | (low >> 30 & 3);
  const std::uint64_t nearest = (high >> 62) + (fraction >> 63);
  const double r = A::mul_rn(static_cast<double>(static_cast<std::int64_t>(fraction)),
                             0x1.921fb54442d18p+0 * 0x1p-64);
  const bool negative = (bits >> 31) != 0;
  return {negative ? -r : r, static_cast<unsigned>(negative ? 0 - nearest : nearest) & 3U};
}

/// sin (quadrant 0), cos (1), -sin (2) or -cos (3) of r, |r| <= pi/4, by Taylor's series; what is left out
/// is below 2^-50 of the sum.
template <class A>
constexpr double sine_of(double r, unsigned quadrant) {
  const double s = A::mul_rn(r, r);
  double y = 0;
  if (quadrant % 2 == 0) {
    const double q = horner_wide<A>(s, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
                                    1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6);
    y = A::fma_rn(A::mul_rn(r, s), q, r);
  } else {
    y = horner_wide<A>(s, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320,
                       -1.0 / 720, 1.0 / 24, -0.5, 1.0);
  }
  return quadrant < 2 ? y : -y;
}

/// Of a finite x that is not 0.
template <class A>
constexpr double sin_wide(float x) {
  const Reduced reduction = reduced<A>(x);
  return sine_of<A>(reduction.r, reduction.quadrant);
}
template <class A>
constexpr float sin(float x) {
  if (x == 0.0F) return x;
  if (!(A::abs(x) < A::float_of(0x7f800000))) return A::canonical_nan();
  return A::narrow_rn(sin_wide<A>(x));
}

/// Of a finite x.
template <class A>
constexpr double cos_wide(float x) {
  const Reduced reduction = reduced<A>(x);
  return sine_of<A>(reduction.r, (reduction.quadrant + 1) & 3U);
}
template <class A>
constexpr float cos(float x) {
  if (!(A::abs(x) < A::float_of(0x7f800000))) return A::canonical_nan();
  return A::narrow_rn(cos_wide<A>(x));
}

/// x^y = e^(y log x) with the special values of IEEE 754-2019 pow; but the exponents 2, 1/2, 1 and -1
/// are the one rounded operation that they are.
template <class A>
constexpr float pow(float x, float y) {
  if (y == 2.0F) return A::mul_rn(x, x);
  if (y == 0.5F) return A::sqrt_rn(x);
  if (y == 1.0F) return x;
  if (y == -1.0F) return A::div_rn(1.0F, x);
  const float infinity = A::float_of(0x7f800000);
  if (y == 0.0F || x == 1.0F) return 1.0F;
  if (x != x || y != y) return A::canonical_nan();
  const bool whole = round_even<A>(y) == y;
  const bool odd = whole && round_even<A>(A::mul_rn(y, 0.5F)) != A::mul_rn(y, 0.5F);
  const float magnitude = A::abs(x);
  const float sign = odd ? x : 0.0F;  // the result's
  if (magnitude == 0.0F || magnitude == infinity)
    return A::copysign((magnitude == 0.0F) == (y > 0.0F) ? 0.0F : infinity, sign);
  if (magnitude == 1.0F && A::abs(y) == infinity) return 1.0F;
  if (x < 0.0F && !whole) return A::canonical_nan();
  const double log = log_wide<A>(static_cast<double>(magnitude));
  double exponent = A::mul_rn(log, static_cast<double>(y));
  if (exponent < -200.0) exponent = -200.0;
  if (exponent > 200.0) exponent = 200.0;
  return A::copysign(A::narrow_rn(exp_wide<A>(exponent).whole), sign);
}

#include "model/arithmetic/correct-inl.hpp"

/// One epilogue step of any kind, on one float.
template <class A, EpilogueKind kind>
constexpr float any_step(float y, float a, float b) {
  using K = EpilogueKind;
  if constexpr (is_correct(kind))
    return correct<A, kind>(y);
  else if constexpr (kind == K::log)
    return log<A>(y);
  else if constexpr (kind == K::softplus)
    return softplus<A>(y);
  else if constexpr (kind == K::mish)
    return mish<A>(y);
  else if constexpr (kind == K::elu)
    return elu<A>(y, a);
  else if constexpr (kind == K::selu)
    return selu<A>(y, a, b);
  else if constexpr (kind == K::celu)
    return celu<A>(y, a);
  else if constexpr (kind == K::sin)
    return sin<A>(y);
  else if constexpr (kind == K::cos)
    return cos<A>(y);
  else if constexpr (kind == K::pow)
    return pow<A>(y, a);
  else
    return step<A, kind>(y, a, b);
}
template <class A>
constexpr float any_step(EpilogueKind kind, float y, float a, float b) {
  return with_kind(kind, [&](auto known) { return any_step<A, decltype(known)::value>(y, a, b); });
}

}  // namespace parity::sequences
