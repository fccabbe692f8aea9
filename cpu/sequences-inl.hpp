// The elementary functions on vectors, compiled once per Highway target by the files that include it (their
// own foreach_target).

#include "hwy/highway.h"
#include "model/arithmetic/elementary.hpp"

#if defined(PARITY_CPU_SEQUENCES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PARITY_CPU_SEQUENCES_INL
#undef PARITY_CPU_SEQUENCES_INL
#else
#define PARITY_CPU_SEQUENCES_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace parity::cpu::HWY_NAMESPACE {
#if HWY_NATIVE_FMA
namespace hn = hwy::HWY_NAMESPACE;

/// The operations of sequences-inl.hpp on vectors of T; a number stands for a vector of it.
template <class T>
struct Vectors {
  using D = hn::ScalableTag<T>;
  using DI = hn::RebindToSigned<D>;
  using F = hn::Vec<D>;
  using I = hn::Vec<DI>;

#if HWY_TARGET == HWY_AVX3
  static constexpr bool scales = true;
  static HWY_INLINE F scaled(F x, F n) { return F{_mm512_scalef_ps(x.raw, n.raw)}; }
#else
  static constexpr bool scales = false;
#endif

  static HWY_INLINE F of(T x) { return hn::Set(D(), x); }
  static HWY_INLINE F of(F x) { return x; }
  static HWY_INLINE I of(std::int32_t x) { return hn::Set(DI(), x); }

  template <class X, class Y, class Z>
  static HWY_INLINE F fma_rn(X x, Y y, Z z) {
    return hn::MulAdd(of(x), of(y), of(z));
  }
  template <class X, class Y>
  static HWY_INLINE F add_rn(X x, Y y) {
    return hn::Add(of(x), of(y));
  }
  template <class X, class Y>
  static HWY_INLINE F sub_rn(X x, Y y) {
    return hn::Sub(of(x), of(y));
  }
  template <class X, class Y>
  static HWY_INLINE F mul_rn(X x, Y y) {
    return hn::Mul(of(x), of(y));
  }
  template <class X, class Y>
  static HWY_INLINE F div_rn(X x, Y y) {
    return hn::Div(of(x), of(y));
  }
  static HWY_INLINE F sqrt_rn(F x) { return hn::Sqrt(x); }
  static HWY_INLINE F abs(F x) { return hn::Abs(x); }
  static HWY_INLINE F neg(F x) { return hn::Neg(x); }
  static HWY_INLINE F copysign(F magnitude, F sign) { return hn::CopySign(magnitude, sign); }
  static HWY_INLINE F canonical_nan() {
    return hn::BitCast(D(), hn::Set(hn::RebindToUnsigned<D>(), elementary::canonical_nan));
  }
  static HWY_INLINE F bits_and(F x, F y) { return hn::And(x, y); }
  static HWY_INLINE F bits_or(F x, F y) { return hn::Or(x, y); }

  template <class X, class Y>
  static HWY_INLINE auto less(X x, Y y) {
    return hn::Lt(of(x), of(y));
  }
  template <class X, class Y>
  static HWY_INLINE auto less_equal(X x, Y y) {
    return hn::Le(of(x), of(y));
  }
  static HWY_INLINE auto is_nan(F x) { return hn::IsNaN(x); }
  template <class Mask, class X, class Y>
  static HWY_INLINE F select(Mask condition, X yes, Y no) {
    return hn::IfThenElse(condition, of(yes), of(no));
  }

  static HWY_INLINE I bits_of(F x) { return hn::BitCast(DI(), x); }
  static HWY_INLINE F float_of(I x) { return hn::BitCast(D(), x); }
  template <class Y>
  static HWY_INLINE I plus(I x, Y y) {
    return hn::Add(x, of(y));
  }
  template <class Y>
  static HWY_INLINE I minus(I x, Y y) {
    return hn::Sub(x, of(y));
  }
  static HWY_INLINE I of(I x) { return x; }
  static HWY_INLINE I half(I x) { return hn::ShiftRight<1>(x); }
  static HWY_INLINE I shifted_left_23(I x) { return hn::ShiftLeft<23>(x); }
};

/// Several vectors at once, operation by operation. One after another their chains of dependent
/// operations fill the processor's schedulers before the next vector's first operation gets in.
template <class A, int count>
struct Bundled {
  template <class V>
  struct Many {
    V v[count];
  };
  using F = Many<typename A::F>;
  using I = Many<typename A::I>;
  static constexpr bool scales = A::scales;

  template <class V>
  static HWY_INLINE V lane(const Many<V>& many, int k) {
    return many.v[k];
  }
  template <class X>
  static HWY_INLINE X lane(X x, int) {
    return x;
  }
  template <class Op, class... X>
  static HWY_INLINE auto each(Op op, const X&... x) {
    Many<decltype(op(lane(x, 0)...))> result;
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) result.v[k] = op(lane(x, k)...);
    return result;
  }

  template <class X, class Y, class Z>
  static HWY_INLINE F fma_rn(X x, Y y, Z z) {
    return each([](auto... v) HWY_ATTR { return A::fma_rn(v...); }, x, y, z);
  }
  template <class X, class Y>
  static HWY_INLINE F add_rn(X x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::add_rn(v...); }, x, y);
  }
  template <class X, class Y>
  static HWY_INLINE F sub_rn(X x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::sub_rn(v...); }, x, y);
  }
  template <class X, class Y>
  static HWY_INLINE F mul_rn(X x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::mul_rn(v...); }, x, y);
  }
  template <class X, class Y>
  static HWY_INLINE F div_rn(X x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::div_rn(v...); }, x, y);
  }
  static HWY_INLINE F scaled(F x, F n) {
    return each([](auto... v) HWY_ATTR { return A::scaled(v...); }, x, n);
  }
  static HWY_INLINE F abs(F x) {
    return each([](auto v) HWY_ATTR { return A::abs(v); }, x);
  }
  static HWY_INLINE F neg(F x) {
    return each([](auto v) HWY_ATTR { return A::neg(v); }, x);
  }
  static HWY_INLINE F copysign(F magnitude, F sign) {
    return each([](auto... v) HWY_ATTR { return A::copysign(v...); }, magnitude, sign);
  }
  static HWY_INLINE auto canonical_nan() { return A::canonical_nan(); }

  template <class X, class Y>
  static HWY_INLINE auto less(X x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::less(v...); }, x, y);
  }
  static HWY_INLINE auto is_nan(F x) {
    return each([](auto v) HWY_ATTR { return A::is_nan(v); }, x);
  }
  template <class Mask, class X, class Y>
  static HWY_INLINE F select(Mask condition, X yes, Y no) {
    return each([](auto... v) HWY_ATTR { return A::select(v...); }, condition, yes, no);
  }

  static HWY_INLINE I bits_of(F x) {
    return each([](auto v) HWY_ATTR { return A::bits_of(v); }, x);
  }
  static HWY_INLINE F float_of(I x) {
    return each([](auto v) HWY_ATTR { return A::float_of(v); }, x);
  }
  template <class Y>
  static HWY_INLINE I plus(I x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::plus(v...); }, x, y);
  }
  template <class Y>
  static HWY_INLINE I minus(I x, Y y) {
    return each([](auto... v) HWY_ATTR { return A::minus(v...); }, x, y);
  }
  static HWY_INLINE I half(I x) {
    return each([](auto v) HWY_ATTR { return A::half(v); }, x);
  }
  static HWY_INLINE I shifted_left_23(I x) {
    return each([](auto v) HWY_ATTR { return A::shifted_left_23(v); }, x);
  }
};

#include "model/arithmetic/sequences-inl.hpp"

#endif  // HWY_NATIVE_FMA
}  // namespace parity::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per-target include guard
