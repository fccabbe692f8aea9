// Elementary functions as sequences of IEEE operations in float, each rounded to nearest even, every
// fused multiply-add spelled: the same bits everywhere. C++17 templates over the operations `A`, of one
// float or of a vector of them, and the only text of these functions: it is included into a namespace of
// the caller's, by model/arithmetic/sequences.hpp for host and device and by cpu/epilogue-inl.hpp once
// per Highway target (which is why it has no include guard and includes nothing).
//
// A has the types F (a float or many), I (as many 32-bit integers) and a condition; fma_rn, add_rn,
// sub_rn, mul_rn, div_rn, sqrt_rn, abs, neg, copysign(magnitude, sign), less, less_equal, is_nan and
// select(condition, yes, no), whose operands may be F or float, and canonical_nan(); on integers
// bits_of, float_of, plus, minus, half (rounded down), shifted_left_23; bits_and, bits_or of two F; and
// where `scales` says so, scaled(x, n): x 2^n for a whole n, rounded once.

/// y, but the canonical NaN where x is one.
template <class A>
constexpr typename A::F or_nan(typename A::F x, typename A::F y) {
  return A::select(A::is_nan(x), A::canonical_nan(), y);
}

/// A polynomial by Horner's rule: `sum` is what the higher coefficients came to, those below follow in
/// descending order.
template <class A>
constexpr typename A::F horner(typename A::F, typename A::F sum) {
  return sum;
}
template <class A, class... Lower>
constexpr typename A::F horner(typename A::F x, typename A::F sum, float next, Lower... lower) {
  return horner<A>(x, A::fma_rn(sum, x, next), lower...);
}

/// IEEE 754-2019 maximum: a NaN on either side gives it, +0 > -0. The bits of two equal numbers differ
/// in a zero's sign only, which `and` clears.
template <class A>
constexpr typename A::F maximum(typename A::F a, typename A::F b) {
  using F = typename A::F;
  const F larger = A::select(A::less(a, b), b, A::select(A::less(b, a), a, A::bits_and(a, b)));
  return A::select(A::is_nan(b), b, A::select(A::is_nan(a), a, larger));
}

/// IEEE 754-2019 minimum.
template <class A>
constexpr typename A::F minimum(typename A::F a, typename A::F b) {
  using F = typename A::F;
  const F smaller = A::select(A::less(a, b), a, A::select(A::less(b, a), b, A::bits_or(a, b)));
  return A::select(A::is_nan(b), b, A::select(A::is_nan(a), a, smaller));
}

/// exp on [-104, 89] by x = n ln2 + r. No special cases; the caller clamps.
template <class A>
constexpr typename A::F exp_core(typename A::F x) {
  using F = typename A::F;
  using I = typename A::I;
  // Rounds x/ln2 to an integer in the low bits.
  const F t = A::fma_rn(x, 0x1.715476p+0F, 0x1.8p23F);
  const F n = A::sub_rn(t, 0x1.8p23F);
  F r = A::fma_rn(n, -0x1.62p-1F, x);
  r = A::fma_rn(n, -0x1.c85fep-10F, r);
  F q = A::fma_rn(r, 0x1.6d10fcp-10F, 0x1.120b62p-7F);
  q = horner<A>(r, q, 0x1.55551ap-5F, 0x1.5554dep-3F, 0.5F);
  const F p = A::add_rn(A::fma_rn(q, A::mul_rn(r, r), r), 1.0F);
  if constexpr (A::scales) return A::scaled(p, n);
  // 2^n in two factors, each a normal float, so that a subnormal result is rounded once, by the
  // last product.
  const I ni = A::minus(A::bits_of(t), 0x4b400000);
  const I a = A::half(ni);
  const F low = A::float_of(A::shifted_left_23(A::plus(a, 127)));
  const F high = A::float_of(A::shifted_left_23(A::plus(A::minus(ni, a), 127)));
  return A::mul_rn(A::mul_rn(p, low), high);
}

/// e^x. 1.1325 ULP at worst (x = 0xc290ddb7) over all inputs; checksum 73bf2bbb477cbafa.
template <class A>
constexpr typename A::F exp(typename A::F x) {
  using F = typename A::F;
  const F low = A::select(A::less(x, -104.0F), -104.0F, x);
  return or_nan<A>(x, exp_core<A>(A::select(A::less(89.0F, low), 89.0F, low)));
}

/// 1 / (1 + e^-x). 2.4019 ULP at worst (x = 0xc085088d) over all inputs; checksum b4f304d7464a295b.
template <class A>
constexpr typename A::F sigmoid(typename A::F x) {
  using F = typename A::F;
  const F magnitude = A::abs(x);
  const F z = exp_core<A>(A::neg(A::select(A::less(104.0F, magnitude), 104.0F, magnitude)));
  const F above = A::select(A::less(x, 0.0F), z, 1.0F);
  return or_nan<A>(x, A::div_rn(above, A::add_rn(z, 1.0F)));
}

/// x sigmoid(a x), the bits of Sigmoid and Mul where a = 1. Below 0 the sigmoid's relative error grows with a's
/// rounding, so the error is one of x: 2.4298 * 2^-24 |x| at worst (x = 0x4082c94d, a = 1) over all inputs; checksum 00aa55af0054c3c2.
template <class A>
constexpr typename A::F swish(typename A::F x, typename A::F a) {
  return A::mul_rn(x, sigmoid<A>(A::mul_rn(a, x)));
}

/// tanh x: a polynomial below 0.6, from there 1 - 2 / (e^2x + 1). 1.3422 ULP at worst (x = 0x3f1ab985)
/// over all inputs; checksum a8fbbdf1ae13cf12.
template <class A>
constexpr typename A::F tanh(typename A::F x) {
  using F = typename A::F;
  const F s = A::mul_rn(x, x);
  F p = A::fma_rn(s, -0x1.9ada5ep-8F, 0x1.59e1c8p-6F);
  p = horner<A>(s, p, -0x1.b955dcp-5F, 0x1.110eep-3F, -0x1.555554p-2F);
  const F low = A::fma_rn(p, A::mul_rn(x, s), x);
  const F magnitude = A::abs(x);
  const F c = A::select(A::less(20.0F, magnitude), 20.0F, magnitude);
  const F e = A::add_rn(exp_core<A>(A::add_rn(c, c)), 1.0F);
  const F high = A::sub_rn(1.0F, A::div_rn(2.0F, e));
  // The sign is x's in both branches: -0 would come out of the first as +0.
  return or_nan<A>(x, A::copysign(A::select(A::less(magnitude, 0.6F), low, high), x));
}

/// erf x: x + x P(x^2) below 0.94, from there 1 - exp(-t Q(t)), t = |x|. 1.3767 ULP at worst (x =
/// 0x3f87466f) over all inputs; checksum 80af732597e6a2ea.
template <class A>
constexpr typename A::F erf(typename A::F x) {
  using F = typename A::F;
  const F s = A::mul_rn(x, x);
  F p = A::fma_rn(s, 0x1.58780ep-14F, -0x1.a8f032p-11F);
  p = horner<A>(s, p, 0x1.54a2aep-8F, -0x1.b80accp-6F, 0x1.ce2ddep-4F, -0x1.812742p-2F,
                0x1.06eba8p-3F);
  const F low = A::fma_rn(p, x, x);
  const F magnitude = A::abs(x);
  const F t = A::select(A::less(3.95F, magnitude), 3.95F, magnitude);
  F q = A::fma_rn(t, -0x1.1788cap-20F, 0x1.203578p-15F);
  q = horner<A>(t, q, -0x1.059d9ap-11F, 0x1.1a343p-8F, -0x1.9c096ep-6F, 0x1.b9d93cp-4F,
                0x1.44acfp-1F, 0x1.210028p+0F);
  const F tail = A::sub_rn(1.0F, exp_core<A>(A::neg(A::mul_rn(q, t))));
  const F high = A::copysign(A::select(A::less(3.9F, magnitude), 1.0F, tail), x);
  return or_nan<A>(x, A::select(A::less(magnitude, 0.94F), low, high));
}

/// x (1 + erf(x / sqrt 2)) / 2. Its factors cancel below 0, so the error is one of x, not of the result:
/// 1.8912 * 2^-24 |x| at worst (x = 0x3fb9cf15) over all inputs; checksum a7b4d20c78450bc7.
template <class A>
constexpr typename A::F gelu(typename A::F x) {
  return A::mul_rn(A::mul_rn(x, 0.5F), A::add_rn(erf<A>(A::mul_rn(x, 0x1.6a09e6p-1F)), 1.0F));
}

/// x (1 + tanh(x c (1 + 0.044715 x^2))) / 2, c = sqrt(2 / pi): what ONNX calls approximate = tanh. Error
/// as gelu's: 1.9540 * 2^-24 |x| at worst (x = 0x3f9ab0b9); checksum 31113805a7cf7036.
template <class A>
constexpr typename A::F gelu_tanh(typename A::F x) {
  using F = typename A::F;
  // c and 0.044715 c, each rounded once.
  const F slope = A::fma_rn(A::mul_rn(x, x), 0x1.2444f2p-5F, 0x1.988454p-1F);
  return A::mul_rn(A::mul_rn(x, 0.5F), A::add_rn(tanh<A>(A::mul_rn(x, slope)), 1.0F));
}

/// x > 0 ? x : (x != x ? x : +0).
template <class A>
constexpr typename A::F relu(typename A::F x) {
  return A::select(A::less_equal(x, 0.0F), 0.0F, x);
}

/// x > 0 ? x : (x != x ? x : a x).
template <class A>
constexpr typename A::F leaky_relu(typename A::F x, typename A::F a) {
  return A::select(A::less_equal(x, 0.0F), A::mul_rn(x, a), x);
}

/// x > a ? x : (x != x ? x : +0).
template <class A>
constexpr typename A::F thresholded_relu(typename A::F x, typename A::F a) {
  return A::select(A::less_equal(x, a), 0.0F, x);
}

/// min(max(a x + b, 0), 1), the sum rounded once.
template <class A>
constexpr typename A::F hard_sigmoid(typename A::F x, typename A::F a, typename A::F b) {
  using F = typename A::F;
  const F line = A::fma_rn(x, a, b);
  const F above = A::select(A::less_equal(line, 0.0F), 0.0F, line);
  return A::select(A::less(1.0F, above), 1.0F, above);
}

/// x min(max(a x + b, 0), 1); ONNX fixes a = 1/6 and b = 1/2.
template <class A>
constexpr typename A::F hard_swish(typename A::F x, typename A::F a, typename A::F b) {
  return A::mul_rn(x, hard_sigmoid<A>(x, a, b));
}

/// x / (1 + |x|).
template <class A>
constexpr typename A::F softsign(typename A::F x) {
  return A::div_rn(x, A::add_rn(A::abs(x), 1.0F));
}

/// x rounded to an integer, ties to even; the sign of x stays. Below 2^23 the sum has no fraction left.
template <class A>
constexpr typename A::F round_even(typename A::F x) {
  using F = typename A::F;
  const F magnitude = A::abs(x);
  const F near = A::sub_rn(A::add_rn(magnitude, 0x1p23F), 0x1p23F);
  return A::select(A::less(magnitude, 0x1p23F), A::copysign(near, x), x);
}

/// The largest integer that is not above x; the sign of x stays.
template <class A>
constexpr typename A::F floor(typename A::F x) {
  using F = typename A::F;
  const F near = round_even<A>(x);
  return A::select(A::less(x, near), A::sub_rn(near, 1.0F), near);
}

/// The smallest integer that is not below x; the sign of x stays, so that ceil(-0.5) is -0.
template <class A>
constexpr typename A::F ceil(typename A::F x) {
  using F = typename A::F;
  const F near = round_even<A>(x);
  return A::select(A::less(near, x), A::copysign(A::add_rn(near, 1.0F), x), near);
}

/// -1, 1, or x itself where it is a zero or NaN.
template <class A>
constexpr typename A::F sign(typename A::F x) {
  return A::select(A::less(0.0F, x), 1.0F, A::select(A::less(x, 0.0F), -1.0F, x));
}

/// One epilogue step of a kind in float on y, with the operands a and b where the kind has them.
template <class A, EpilogueKind kind>
constexpr typename A::F step(typename A::F y, typename A::F a, typename A::F b) {
  using K = EpilogueKind;
  if constexpr (kind == K::add) return A::add_rn(y, a);
  if constexpr (kind == K::sub) return A::sub_rn(y, a);
  if constexpr (kind == K::subtracted_from) return A::sub_rn(a, y);
  if constexpr (kind == K::mul) return A::mul_rn(y, a);
  if constexpr (kind == K::div) return A::div_rn(y, a);
  if constexpr (kind == K::divided_into) return A::div_rn(a, y);
  if constexpr (kind == K::fma) return A::fma_rn(y, a, b);
  if constexpr (kind == K::max) return maximum<A>(y, a);
  if constexpr (kind == K::min) return minimum<A>(y, a);
  if constexpr (kind == K::clip) return minimum<A>(maximum<A>(y, a), b);
  if constexpr (kind == K::relu) return relu<A>(y);
  if constexpr (kind == K::leaky_relu) return leaky_relu<A>(y, a);
  if constexpr (kind == K::thresholded_relu) return thresholded_relu<A>(y, a);
  if constexpr (kind == K::abs) return A::abs(y);
  if constexpr (kind == K::neg) return A::neg(y);
  if constexpr (kind == K::sqrt) return A::sqrt_rn(y);
  if constexpr (kind == K::reciprocal) return A::div_rn(1.0F, y);
  if constexpr (kind == K::square) return A::mul_rn(y, y);
  if constexpr (kind == K::floor) return floor<A>(y);
  if constexpr (kind == K::ceil) return ceil<A>(y);
  if constexpr (kind == K::round) return round_even<A>(y);
  if constexpr (kind == K::sign) return sign<A>(y);
  if constexpr (kind == K::hard_sigmoid) return hard_sigmoid<A>(y, a, b);
  if constexpr (kind == K::hard_swish) return hard_swish<A>(y, a, b);
  if constexpr (kind == K::softsign) return softsign<A>(y);
  if constexpr (kind == K::sigmoid) return sigmoid<A>(y);
  if constexpr (kind == K::swish) return swish<A>(y, a);
  if constexpr (kind == K::tanh) return tanh<A>(y);
  if constexpr (kind == K::erf) return erf<A>(y);
  if constexpr (kind == K::gelu) return gelu<A>(y);
  if constexpr (kind == K::gelu_tanh) return gelu_tanh<A>(y);
  if constexpr (kind == K::exp) return exp<A>(y);
}
