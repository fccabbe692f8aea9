// One step of a GRU or LSTM, as sequences of IEEE operations: the same bits everywhere. C++17 templates over
// the operations `A` of sequences-inl.hpp, of one element of the state or of a vector of them, with sigmoid
// and tanh beside; included into a namespace of the caller's, like that text.

/// A gate's function of its argument, cut to [-clip, clip] before.
template <class A, class F = typename A::F>
constexpr F activated(GateFunction function, F a, float clip) {
  if (clip > 0.0F) a = A::select(A::less(clip, a), clip, A::select(A::less(a, -clip), -clip, a));
  if (function == GateFunction::sigmoid) return A::sigmoid(a);
  if (function == GateFunction::tanh) return A::tanh(a);
  return A::select(A::less_equal(a, 0.0F), 0.0F, a);
}
/// An absent bias is no addition.
template <class A, class F = typename A::F>
constexpr F with_bias(F product, F bias, bool biased) {
  return biased ? A::add_rn(product, bias) : product;
}
/// add(add(x, wb), add(h, rb)).
template <class A, class F = typename A::F>
constexpr F argument(const GateTerms<F>& t, bool biased) {
  return A::add_rn(with_bias<A>(t.x, t.wb, biased), with_bias<A>(t.h, t.rb, biased));
}
/// The same with the state's part times r.
template <class A, class F = typename A::F>
constexpr F reset_argument(const GateTerms<F>& t, F r, bool biased) {
  return A::add_rn(with_bias<A>(t.x, t.wb, biased), A::mul_rn(r, with_bias<A>(t.h, t.rb, biased)));
}
/// add(mul(sub(1, z), n), mul(z, h)).
template <class A, class F = typename A::F>
constexpr F mixed(F z, F n, F h) {
  return A::add_rn(A::mul_rn(A::sub_rn(1.0F, z), n), A::mul_rn(z, h));
}

// Steps of one element. Gates in ONNX order: z, r, n; i, o, f, c.

/// GRU, reset after the product.
template <class A, class F = typename A::F>
constexpr F gru(const GateTerms<F> (&t)[3], F h, const CellForm& form, bool biased) {
  const F z = activated<A>(form.f, argument<A>(t[0], biased), form.clip);
  const F r = activated<A>(form.f, argument<A>(t[1], biased), form.clip);
  const F n = activated<A>(form.g, reset_argument<A>(t[2], r, biased), form.clip);
  return mixed<A>(z, n, h);
}

/// GRU, reset before the product: z, and r h, of which the product is then made.
template <class A, class F = typename A::F>
constexpr GruReset<F> gru_reset(const GateTerms<F> (&t)[2], F h, const CellForm& form,
                                bool biased) {
  return {activated<A>(form.f, argument<A>(t[0], biased), form.clip),
          A::mul_rn(activated<A>(form.f, argument<A>(t[1], biased), form.clip), h)};
}
template <class A, class F = typename A::F>
constexpr F gru_after_reset(const GateTerms<F>& t, F z, F h, const CellForm& form, bool biased) {
  return mixed<A>(z, activated<A>(form.g, argument<A>(t, biased), form.clip), h);
}

/// LSTM. `peepholes` of i, o, f, where `peeps`; else they are no additions.
template <class A, class F = typename A::F>
constexpr F peeped(F a, F peephole, F c, bool peeps) {
  return peeps ? A::add_rn(a, A::mul_rn(peephole, c)) : a;
}
template <class A, class F = typename A::F>
constexpr LstmState<F> lstm(const GateTerms<F> (&t)[4], const F (&peepholes)[3], F c,
                            const CellForm& form, bool biased, bool peeps) {
  const F i =
      activated<A>(form.f, peeped<A>(argument<A>(t[0], biased), peepholes[0], c, peeps), form.clip);
  const F f =
      activated<A>(form.f, peeped<A>(argument<A>(t[2], biased), peepholes[2], c, peeps), form.clip);
  const F g = activated<A>(form.g, argument<A>(t[3], biased), form.clip);
  const F next = A::add_rn(A::mul_rn(f, c), A::mul_rn(i, g));
  const F o = activated<A>(form.f, peeped<A>(argument<A>(t[1], biased), peepholes[1], next, peeps),
                           form.clip);
  return {A::mul_rn(o, activated<A>(form.h, next, form.memory_clipped ? form.clip : 0.0F)), next};
}
