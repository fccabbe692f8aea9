// The oracle's sums, compiled once per instruction set. No fused operation and eight lanes whatever
// the width of a vector: the results are the same for all of them.

// Only the targets that InstructionSet names, and the baseline, are built.
#include <hwy/detect_targets.h>
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/mac/exact_sum.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cpu/mac/exact_sum.hpp"
#include "model/arithmetic/tf32.hpp"

HWY_BEFORE_NAMESPACE();
namespace parity::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, exact_group>;
using F = hn::Rebind<float, D>;
using V = hn::Vec<D>;
constexpr int N = static_cast<int>(hn::MaxLanes(D()));
constexpr int parts = exact_group / N;  // vectors of a group

constexpr std::int64_t chunk = 256;  // of the contract `chunk256`
constexpr std::uint64_t mixing = 0x9e3779b97f4a7c15ULL;

HWY_INLINE V binades(V x) {
  return hn::And(x,
                 hn::BitCast(D(), hn::Set(hn::Rebind<std::uint64_t, D>(), 0xfff0000000000000ULL)));
}

/// Operands of one group.
struct Group {
  V x[parts], w[parts], products[parts];
};

HWY_INLINE V in_tf32(const float* from, Rounding rounding) {
  const F f;
  const hn::Rebind<std::uint32_t, F> u;
  auto bits = hn::BitCast(u, hn::LoadU(f, from));
  const auto exponent = hn::Set(u, 0x7f800000U);
  if (rounding == Rounding::rna)
    bits = hn::Add(
        bits, hn::IfThenZeroElse(hn::Eq(hn::And(bits, exponent), exponent), hn::Set(u, 0x1000U)));
  bits = hn::And(bits, hn::Set(u, ~tf32_dropped_bits));
  return hn::PromoteTo(D(), hn::BitCast(f, bits));
}

/// What the rounding of both operands does to each product.
HWY_INLINE void add_rounded(const float* x, const float* w, const Group& g, Rounding rounding,
                            ExactSumState::Lanes& into) {
  const D d;
  for (int p = 0; p < parts; ++p) {
    const V product = hn::Mul(in_tf32(x + p * N, rounding), in_tf32(w + p * N, rounding));
    double* const at = into.data() + p * N;
    hn::StoreU(hn::Add(hn::LoadU(d, at), hn::Sub(product, g.products[p])), d, at);
  }
}

/// What rounding an operand to TF32 may do, and what a tensor core cuts of a group: each term below
/// the binade of the largest, of the sum before it and of the products.
HWY_INLINE void add_operands(const Group& g, double before, ExactSumState& s) {
  const D d;
  const auto square_into = [&](V v, double* at) {
    hn::StoreU(hn::Add(hn::LoadU(d, at), hn::Mul(v, v)), d, at);
  };
  V largest = hn::Set(d, std::fabs(binade(before)));
  for (int p = 0; p < parts; ++p) {
    square_into(hn::Mul(binades(g.x[p]), g.w[p]), s.activations.data() + p * N);
    square_into(hn::Mul(g.x[p], binades(g.w[p])), s.weights.data() + p * N);
    largest = hn::Max(largest, hn::Abs(binades(g.products[p])));
  }
  largest = hn::MaxOfLanes(d, largest);
  for (int p = 0; p < parts; ++p) {
    const auto acts = hn::Gt(hn::Abs(g.products[p]), hn::Zero(d));  // a NaN has no sign
    double* const at = s.cut_products.data() + p * N;
    const V cut = hn::IfThenElseZero(acts, hn::CopySignToAbs(largest, g.products[p]));
    hn::StoreU(hn::Add(hn::LoadU(d, at), cut), d, at);
  }
  s.cut_results += binade(s.sum);
}

/// The sums of each chunk of 256 terms by themselves; sums: the whole's after each product.
HWY_INLINE void add_parts(const double* products, const double* sums, int count, ExactSumState& s) {
  const auto to_end = static_cast<int>(chunk - 1 - s.terms % chunk);  // a chunk ends behind it
  for (int i = 0; i < exact_group; ++i) {
    s.part += products[i];
    const double e = products[i] != 0 ? binade(s.part) : 0;
    s.chunk256[static_cast<std::size_t>(i)] += e * e;
    if (i != to_end || i >= count) continue;
    // The chunk's sum is added to those before it: one rounding of the total so far.
    const double total = binade(sums[i]);
    if (s.chunks++ > 0) s.joins += total * total;
    s.part = 0;
  }
  s.terms += count;
}

/// Eight terms, zeros behind the last of `count`. Only the running sums are taken one by one.
HWY_INLINE void add_group(ExactSumState& s, NoiseWanted wanted, const float* x, const float* w,
                          int count) {
  const D d;
  const F f;
  std::uint64_t pairs[exact_group / 2];
  std::memcpy(pairs, x, sizeof pairs);
  for (const std::uint64_t pair : pairs) s.window = (s.window ^ pair) * mixing;

  Group g;
  HWY_ALIGN double products[exact_group], sums[exact_group];
  bool any = false;
  for (int p = 0; p < parts; ++p) {
    g.x[p] = hn::PromoteTo(d, hn::LoadU(f, x + p * N));
    g.w[p] = hn::PromoteTo(d, hn::LoadU(f, w + p * N));
    g.products[p] = hn::Mul(g.x[p], g.w[p]);  // exact in double
    hn::Store(g.products[p], d, products + p * N);
    any |= !hn::AllTrue(d, hn::Eq(g.products[p], hn::Zero(d)));
  }
  const double before = s.sum;
  for (int i = 0; i < exact_group; ++i) sums[i] = s.sum += products[i];
  if (wanted.chunk256) add_parts(products, sums, count, s);
  if (!any) return;  // a pixel of a sparse image
  for (int p = 0; p < parts; ++p) {
    // A product that is zero rounds nothing.
    const auto acts = hn::Ne(g.products[p], hn::Zero(d));
    const V e = hn::IfThenElseZero(acts, binades(hn::Load(d, sums + p * N)));
    double *const chain = s.chain.data() + p * N, *const rounded = s.rounded.data() + p * N;
    hn::StoreU(hn::Add(hn::LoadU(d, chain), hn::Mul(e, e)), d, chain);
    hn::StoreU(hn::Add(hn::LoadU(d, rounded), hn::IfThenElseZero(acts, hn::Set(d, 1.0))), d,
               rounded);
  }
  if (wanted.operands) add_operands(g, before, s);
  if (wanted.nearest) add_rounded(x, w, g, Rounding::rna, s.nearest);
  if (wanted.truncated) add_rounded(x, w, g, Rounding::truncate, s.truncated);
}

void add_terms(ExactSumState& state, NoiseWanted wanted, const float* x, const float* w,
               std::int64_t count) {
  constexpr float outside[exact_group] = {};
  std::int64_t first = 0;
  for (; first + exact_group <= count; first += exact_group)
    add_group(state, wanted, x != nullptr ? x + first : outside, w + first, exact_group);
  if (first == count) return;
  float xs[exact_group] = {}, ws[exact_group] = {};
  for (std::int64_t i = first; i < count; ++i) {
    if (x != nullptr) xs[i - first] = x[i];
    ws[i - first] = w[i];  // a weight that is not finite acts outside the image too
  }
  add_group(state, wanted, xs, ws, static_cast<int>(count - first));
}

}  // namespace HWY_NAMESPACE
}  // namespace parity::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {
namespace {

/// Without noise a sum is just that.
void add_plain(ExactSumState& state, NoiseWanted, const float* x, const float* w,
               std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    state.sum += (x != nullptr ? static_cast<double>(x[i]) : 0.0) * static_cast<double>(w[i]);
}

}  // namespace

ExactSum::ExactSum(NoiseWanted wanted, InstructionSet set)
    : wanted_(wanted),
      add_terms_(wanted.any()
                     ? PARITY_WIDTHS(AddTerms, HWY_STATIC_DISPATCH(add_terms), add_terms).at(set)
                     : add_plain) {}

void ExactSum::add(const float* x, const float* w, std::int64_t count) {
  add_terms_(state_, wanted_, x, w, count);
}

ExactElement ExactSum::element() const {
  constexpr double spacing32 = 0x1p-23, spacing_tf32 = 0x1p-10, smallest32 = 0x1p-149;
  const auto total = [](const ExactSumState::Lanes& lanes) {
    return std::accumulate(lanes.begin(), lanes.end(), 0.0);
  };
  const ExactSumState& s = state_;
  const double floor = total(s.rounded) * smallest32 * smallest32 / 12;
  MacNoise noise;
  noise.chain = total(s.chain) * spacing32 * spacing32 / 12 + floor;
  if (wanted_.chunk256)
    noise.chunk256 = (total(s.chunk256) + s.joins) * spacing32 * spacing32 / 12 + floor;
  if (s.chunks > 0) noise.chunk256 += rounding_variance(s.sum);
  noise.activations = total(s.activations) * spacing_tf32 * spacing_tf32 / 12;
  noise.weights = total(s.weights) * spacing_tf32 * spacing_tf32 / 12;
  noise.nearest = total(s.nearest);
  noise.truncated = total(s.truncated);
  noise.cut_products = total(s.cut_products);
  noise.cut_results = s.cut_results;
  return {s.sum, 1, noise, 0, 0, s.window};
}

}  // namespace parity::cpu
#endif  // HWY_ONCE
