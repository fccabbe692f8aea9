// The inner loops of the differ, compiled once per instruction set. Every result is the same for
// all of them: counts and maxima commute, and each sum has 32 lanes whatever the width of a vector
// (CONTRACTS section 6).

// Only the targets that InstructionSet names, and the baseline, are built.
#include <hwy/detect_targets.h>
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/compare_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/compare_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace parity::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int lanes = 32;

/// lanes32's tree: acc_l += acc_{l xor d} for d = 16, 8, 4, 2, 1; lane 0.
HWY_INLINE double tree(const double* lane_sums) {
  double acc[lanes], next[lanes];
  std::memcpy(acc, lane_sums, sizeof acc);
  for (int d = lanes / 2; d > 0; d /= 2) {
    for (int l = 0; l < lanes; ++l) next[l] = acc[l] + acc[l ^ d];
    std::memcpy(acc, next, sizeof acc);
  }
  return acc[0];
}

/// fma(x, y, acc) where x * y needs rounding (T = double). Of two floats the product is exact in
/// double, so that any spelling gives the same bits.
template <class T, class D, class V>
HWY_INLINE V fused(D d, V x, V y, V acc) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::MulAdd(x, y, acc);
#else
  if constexpr (sizeof(T) == 4) {
    (void)d;
    return hn::Add(acc, hn::Mul(x, y));
  } else {
    constexpr std::size_t N = hn::MaxLanes(D());
    HWY_ALIGN double xs[N], ys[N], sums[N];
    hn::Store(x, d, xs);
    hn::Store(y, d, ys);
    hn::Store(acc, d, sums);
    for (std::size_t i = 0; i < N; ++i) sums[i] = std::fma(xs[i], ys[i], sums[i]);
    return hn::Load(d, sums);
  }
#endif
}

/// Vector `part` (0, 1) of v widened to double; T = double has one part.
template <int part, class V>
HWY_INLINE auto widened(hn::ScalableTag<float>, V v) {
  const hn::ScalableTag<double> dd;
#if HWY_TARGET == HWY_SCALAR
  return hn::PromoteTo(dd, v);
#else
  const hn::Half<hn::ScalableTag<float>> half;
  if constexpr (part == 0)
    return hn::PromoteTo(dd, hn::LowerHalf(half, v));
  else
    return hn::PromoteTo(dd, hn::UpperHalf(half, v));
#endif
}
template <int part, class V>
HWY_INLINE V widened(hn::ScalableTag<double>, V v) {
  return v;
}

/// Significant bits of a ULP distance; distances of more than 32 bits (float64) count as 32.
HWY_INLINE int distance_bin(std::uint64_t distance) {
  if (distance == 0) return 0;
  const int bits = 64 - __builtin_clzll(distance);
  return bits < 32 ? bits : 32;
}
constexpr int nan_bin = static_cast<int>(ulp_bins) - 1;

/// Bins of one vector of float pairs, as 32-bit numbers.
template <class D, class V, class M>
HWY_INLINE void store_bins(D d, V a, V b, M nan, std::uint32_t* out) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  const auto sign = [&](V v) HWY_ATTR {
    const auto bits = hn::BitCast(di, v);
    const auto magnitude = hn::And(bits, hn::Set(di, 0x7fffffff));
    return hn::IfThenElse(hn::Lt(bits, hn::Zero(di)), hn::Sub(hn::Zero(di), magnitude), magnitude);
  };
  const auto ka = sign(a), kb = sign(b);
  const auto distance = hn::BitCast(du, hn::Sub(hn::Max(ka, kb), hn::Min(ka, kb)));
  // The exponent of y = distance / 2 tells its bits; clearing the bit below the leading one keeps
  // the conversion from rounding up to the next power of two.
  const auto y = hn::ShiftRight<1>(distance);
  const auto cleared = hn::AndNot(hn::ShiftRight<1>(y), y);
  const auto exponent =
      hn::ShiftRight<23>(hn::BitCast(du, hn::ConvertTo(d, hn::BitCast(di, cleared))));
  auto bin = hn::IfThenElse(hn::Eq(y, hn::Zero(du)), distance, hn::Sub(exponent, hn::Set(du, 125)));
  bin = hn::IfThenElse(hn::RebindMask(du, nan), hn::Set(du, static_cast<std::uint32_t>(nan_bin)),
                       bin);
  hn::StoreU(bin, du, out);
}
template <class M>
HWY_INLINE void store_bins(hn::ScalableTag<double> d, hn::Vec<hn::ScalableTag<double>> a,
                           hn::Vec<hn::ScalableTag<double>> b, M, std::uint32_t* out) {
  constexpr std::size_t N = hn::MaxLanes(hn::ScalableTag<double>());
  HWY_ALIGN double as[N], bs[N];
  hn::Store(a, d, as);
  hn::Store(b, d, bs);
  const auto key = [](double v) {
    std::int64_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    const std::int64_t magnitude = bits & 0x7fffffffffffffffLL;
    return bits < 0 ? -magnitude : magnitude;
  };
  for (std::size_t i = 0; i < N; ++i) {
    if (as[i] != as[i] || bs[i] != bs[i]) {
      out[i] = static_cast<std::uint32_t>(nan_bin);
      continue;
    }
    const std::int64_t ka = key(as[i]), kb = key(bs[i]);
    // As unsigned: the distance of two finite doubles of opposite sign exceeds 2^63.
    const std::uint64_t distance =
        ka > kb ? static_cast<std::uint64_t>(ka) - static_cast<std::uint64_t>(kb)
                : static_cast<std::uint64_t>(kb) - static_cast<std::uint64_t>(ka);
    out[i] = static_cast<std::uint32_t>(distance_bin(distance));
  }
}

/// The division that relative errors and shares need, only for vectors that may raise the maximum.
template <class T>
HWY_NOINLINE double raised_relative(const T* a, const T* d, int n, double max_rel) {
  for (int i = 0; i < n; ++i) {
    const double magnitude = std::fabs(static_cast<double>(a[i]));
    const double relative =
        std::fabs(static_cast<double>(d[i])) / (magnitude > 0x1p-126 ? magnitude : 0x1p-126);
    if (relative > max_rel) max_rel = relative;
  }
  return max_rel;
}

template <class T>
HWY_NOINLINE void raise_share(const T* d, const T* magnitude, int n, std::int64_t at,
                              const Judgement& judgement, ChunkComparison& chunk,
                              RunningComparison& running) {
  for (int i = 0; i < n; ++i) {
    const double m = static_cast<double>(magnitude[i]);
    const double distance = static_cast<double>(d[i]);
    if (!(m < judgement.limit) || distance == 0) continue;
    const double bound = judgement.coefficient * m + judgement.underflow;
    const double share = bound > 0 ? distance / bound : std::numeric_limits<double>::infinity();
    if (share >= running.share_to_beat && share > chunk.share) {
      chunk.share = share;
      chunk.share_at = at + i;
      running.share_to_beat = share;
    }
  }
}

/// 32 consecutive elements at `at` of the chunk; `valid` of them count (the rest are zeros of a
/// tail).
template <class T, bool judged>
struct Comparer {
  using D = hn::ScalableTag<T>;
  using DD = hn::ScalableTag<double>;
  using V = hn::Vec<D>;
  using VD = hn::Vec<DD>;
  static constexpr int N = static_cast<int>(hn::MaxLanes(D()));
  static constexpr int ND = static_cast<int>(hn::MaxLanes(DD()));
  static constexpr int parts = N / ND;
  static constexpr int groups = lanes / ND;

  ChunkComparison chunk;
  VD sum_abs[groups], sum_square[groups], sum_aa[groups], sum_bb[groups], sum_ab[groups];
  V max_abs;

  HWY_INLINE Comparer() {
    const DD dd;
    for (int g = 0; g < groups; ++g)
      sum_abs[g] = sum_square[g] = sum_aa[g] = sum_bb[g] = sum_ab[g] = hn::Zero(dd);
    max_abs = hn::Zero(D());
  }

  template <int part>
  HWY_INLINE void add(int g, V a, V b, V d) {
    const D tag;
    const DD dd;
    const VD wa = widened<part>(tag, a), wb = widened<part>(tag, b), wd = widened<part>(tag, d);
    sum_abs[g] = hn::Add(sum_abs[g], hn::Abs(wd));
    sum_square[g] = fused<T>(dd, wd, wd, sum_square[g]);
    sum_aa[g] = fused<T>(dd, wa, wa, sum_aa[g]);
    sum_bb[g] = fused<T>(dd, wb, wb, sum_bb[g]);
    sum_ab[g] = fused<T>(dd, wa, wb, sum_ab[g]);
  }

  template <int part>
  HWY_INLINE bool judge(V distance, V m, const Judgement& judgement, VD nearly_to_beat) {
    const D tag;
    const DD dd;
    const VD wd = widened<part>(tag, distance), wm = widened<part>(tag, m);
    const auto informative = hn::Lt(wm, hn::Set(dd, judgement.limit));
    const VD bound =
        hn::Add(hn::Mul(hn::Set(dd, judgement.coefficient), wm), hn::Set(dd, judgement.underflow));
    chunk.uninformative_bounds += ND - static_cast<std::int64_t>(hn::CountTrue(dd, informative));
    chunk.beyond +=
        static_cast<std::int64_t>(hn::CountTrue(dd, hn::And(informative, hn::Gt(wd, bound))));
    const auto candidate =
        hn::And(hn::Gt(wd, hn::Zero(dd)), hn::Ge(wd, hn::Mul(nearly_to_beat, bound)));
    return !hn::AllFalse(dd, hn::And(informative, candidate));
  }

  HWY_INLINE void block(const T* pa, const T* pb, const T* pm, std::int64_t at, int valid,
                        const Judgement& judgement, RunningComparison& running) {
    const D tag;
    const hn::RebindToUnsigned<D> du;
    const V infinity = hn::Set(tag, std::numeric_limits<T>::infinity());
    const V tiny = hn::Set(tag, static_cast<T>(0x1p-126));
    // A little below the maximum so far: whatever could exceed it is a candidate in spite of
    // rounding.
    constexpr double largest = std::numeric_limits<float>::max();
    const double slack = running.max_rel * (1 - 0x1p-20);
    const V nearly_max_rel =
        hn::Set(tag, static_cast<T>(sizeof(T) == 4 && slack > largest ? largest : slack));
    const VD nearly_to_beat = hn::Set(DD(), running.share_to_beat * (1 - 0x1p-40));
    HWY_ALIGN std::uint32_t bins[lanes];
    HWY_ALIGN T differences[lanes];
    bool relative_candidates = false;
    for (int j = 0; j < lanes; j += N) {
      V a = hn::LoadU(tag, pa + j), b = hn::LoadU(tag, pb + j);
      const auto nan_a = hn::IsNaN(a), nan_b = hn::IsNaN(b);
      const auto nan = hn::Or(nan_a, nan_b);
      const auto equal = hn::Eq(a, b);
      const auto other_bits = hn::Ne(hn::BitCast(du, a), hn::BitCast(du, b));
      if constexpr (sizeof(T) == 8) {
        const hn::Rebind<float, D> narrow;
        if (judgement.ulp_of_float32) {
          const auto na = hn::DemoteTo(narrow, a), nb = hn::DemoteTo(narrow, b);
          store_bins(narrow, na, nb, hn::Or(hn::IsNaN(na), hn::IsNaN(nb)), bins + j);
        } else {
          store_bins(tag, a, b, nan, bins + j);
        }
      } else {
        store_bins(tag, a, b, nan, bins + j);
      }
      // Also where both are the same infinity: their difference would be a NaN.
      V d = hn::Abs(hn::IfThenZeroElse(hn::Or(nan, equal), hn::Sub(b, a)));
      const V zero = hn::Zero(tag);
      const auto infinite = hn::Or(hn::Eq(hn::Abs(a), infinity), hn::Eq(hn::Abs(b), infinity));
      const auto wild = hn::Or(nan, infinite);
      const auto other_zero = hn::And(equal, hn::RebindMask(tag, other_bits));
      chunk.informative += static_cast<std::int64_t>(
          hn::CountTrue(tag, hn::AndNot(wild, hn::And(hn::Ne(a, zero), hn::Ne(b, zero)))));
      chunk.differing += static_cast<std::int64_t>(hn::CountTrue(du, other_bits));
      V judged_distance = d;
      if (HWY_UNLIKELY(!hn::AllFalse(tag, hn::Or(wild, other_zero)))) {
        const auto nan_mismatch = hn::Xor(nan_a, nan_b);
        const auto both_nan = hn::And(nan_a, nan_b);
        chunk.differing -= static_cast<std::int64_t>(
            hn::CountTrue(tag, hn::And(both_nan, hn::RebindMask(tag, other_bits))));
        chunk.nan_mismatches += static_cast<std::int64_t>(hn::CountTrue(tag, nan_mismatch));
        chunk.infinity_mismatches +=
            static_cast<std::int64_t>(hn::CountTrue(tag, hn::AndNot(hn::Or(nan, equal), infinite)));
        chunk.signed_zero_mismatches += static_cast<std::int64_t>(hn::CountTrue(tag, other_zero));
        judged_distance = hn::IfThenElse(nan_mismatch, infinity, d);
        a = hn::IfThenZeroElse(nan, a);
        b = hn::IfThenZeroElse(nan, b);
      }
      max_abs = hn::Max(max_abs, d);
      hn::StoreU(d, tag, differences + j);
      const V floor = hn::Max(hn::Abs(a), tiny);
      relative_candidates |=
          !hn::AllFalse(tag, hn::And(hn::Gt(d, zero), hn::Ge(d, hn::Mul(nearly_max_rel, floor))));
      add<0>(j / ND, a, b, d);
      if constexpr (parts == 2) add<1>(j / ND + 1, a, b, d);
      if constexpr (judged) {
        const V m = hn::LoadU(tag, pm + j);
        bool candidates = judge<0>(judged_distance, m, judgement, nearly_to_beat);
        if constexpr (parts == 2)
          candidates |= judge<1>(judged_distance, m, judgement, nearly_to_beat);
        if (HWY_UNLIKELY(candidates)) {
          HWY_ALIGN T distances[N];
          hn::Store(judged_distance, tag, distances);
          raise_share(distances, pm + j, N, at + j, judgement, chunk, running);
        }
      }
    }
    if (HWY_UNLIKELY(relative_candidates))
      running.max_rel = raised_relative(pa, differences, lanes, running.max_rel);
    for (int j = 0; j < lanes; ++j) ++running.histogram[j % histogram_tables][bins[j]];
    // A tail is filled up with zeros, which are equal and land in bin 0.
    for (int j = valid; j < lanes; ++j) --running.histogram[j % histogram_tables][0];
  }

  HWY_INLINE static double reduced(const VD* sums) {
    HWY_ALIGN double lane_sums[lanes];
    for (int g = 0; g < groups; ++g) hn::Store(sums[g], DD(), lane_sums + g * ND);
    return tree(lane_sums);
  }

  HWY_INLINE void close() {
    chunk.sum_abs = reduced(sum_abs);
    chunk.sum_square = reduced(sum_square);
    chunk.sum_aa = reduced(sum_aa);
    chunk.sum_bb = reduced(sum_bb);
    chunk.sum_ab = reduced(sum_ab);
    chunk.max_abs = static_cast<double>(hn::GetLane(hn::MaxOfLanes(D(), max_abs)));
  }
};

template <class T, bool judged>
ChunkComparison compared(const T* a, const T* b, const T* m, std::int64_t n,
                         const Judgement& judgement, RunningComparison& running) {
  Comparer<T, judged> comparer;
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    comparer.block(a + i, b + i, judged ? m + i : nullptr, i, lanes, judgement, running);
  if (i < n) {
    HWY_ALIGN T ta[lanes] = {}, tb[lanes] = {}, tm[lanes] = {};
    const std::size_t bytes = static_cast<std::size_t>(n - i) * sizeof(T);
    std::memcpy(ta, a + i, bytes);
    std::memcpy(tb, b + i, bytes);
    if (judged) std::memcpy(tm, m + i, bytes);
    const std::int64_t before = comparer.chunk.uninformative_bounds;
    comparer.block(ta, tb, tm, i, static_cast<int>(n - i), judgement, running);
    // The zeros of the tail have a magnitude of 0, below any limit that is positive.
    if (judged && !(0 < judgement.limit)) comparer.chunk.uninformative_bounds = before + (n - i);
  }
  comparer.close();
  return comparer.chunk;
}

/// Equal bits: only a's own figures are left to find.
template <class T>
ChunkComparison equal_chunk(const T* a, const T* m, std::int64_t n, const Judgement& judgement,
                            RunningComparison& running) {
  using D = hn::ScalableTag<T>;
  using DD = hn::ScalableTag<double>;
  constexpr int N = static_cast<int>(hn::MaxLanes(D())), ND = static_cast<int>(hn::MaxLanes(DD()));
  constexpr int groups = lanes / ND;
  const D tag;
  const DD dd;
  hn::Vec<DD> sums[groups];
  for (int g = 0; g < groups; ++g) sums[g] = hn::Zero(dd);
  const auto infinity = hn::Set(tag, std::numeric_limits<T>::infinity());
  std::int64_t nans = 0;
  ChunkComparison chunk;
  HWY_ALIGN T tail[lanes] = {};
  for (std::int64_t i = 0; i < n; i += lanes) {
    const T* from = a + i;
    if (i + lanes > n) {
      std::memcpy(tail, from, static_cast<std::size_t>(n - i) * sizeof(T));
      from = tail;
    }
    for (int j = 0; j < lanes; j += N) {
      auto v = hn::LoadU(tag, from + j);
      const auto nan = hn::IsNaN(v);
      const auto magnitude = hn::Abs(v);
      // Not zero and below infinity; a NaN is neither.
      chunk.informative += static_cast<std::int64_t>(hn::CountTrue(
          tag, hn::And(hn::Gt(magnitude, hn::Zero(tag)), hn::Lt(magnitude, infinity))));
      nans += static_cast<std::int64_t>(hn::CountTrue(tag, nan));
      v = hn::IfThenZeroElse(nan, v);
      const auto low = widened<0>(tag, v);
      sums[j / ND] = fused<T>(dd, low, low, sums[j / ND]);
      if constexpr (N / ND == 2) {
        const auto high = widened<1>(tag, v);
        sums[j / ND + 1] = fused<T>(dd, high, high, sums[j / ND + 1]);
      }
    }
  }
  chunk.sum_aa = chunk.sum_bb = chunk.sum_ab = Comparer<T, false>::reduced(sums);
  running.histogram[0][0] += n - nans;
  running.histogram[0][nan_bin] += nans;
  if (m)
    for (std::int64_t i = 0; i < n; ++i)
      chunk.uninformative_bounds += !(static_cast<double>(m[i]) < judgement.limit);
  return chunk;
}

template <class T>
ChunkComparison compare_chunk(const T* a, const T* b, const T* m, std::int64_t n,
                              const Judgement& judgement, RunningComparison& running) {
  if (a == b || std::memcmp(a, b, static_cast<std::size_t>(n) * sizeof(T)) == 0)
    return equal_chunk(a, m, n, judgement, running);
  return m ? compared<T, true>(a, b, m, n, judgement, running)
           : compared<T, false>(a, b, m, n, judgement, running);
}

ChunkComparison compare32(const float* a, const float* b, const float* m, std::int64_t n,
                          const Judgement& judgement, RunningComparison& running) {
  return compare_chunk(a, b, m, n, judgement, running);
}
ChunkComparison compare64(const double* a, const double* b, const double* m, std::int64_t n,
                          const Judgement& judgement, RunningComparison& running) {
  return compare_chunk(a, b, m, n, judgement, running);
}

template <class T>
ChunkSplit split_chunk(const T* a, const T* local, const T* b, std::int64_t n) {
  using D = hn::ScalableTag<T>;
  using DD = hn::ScalableTag<double>;
  using VD = hn::Vec<DD>;
  constexpr int N = static_cast<int>(hn::MaxLanes(D())), ND = static_cast<int>(hn::MaxLanes(DD()));
  constexpr int groups = lanes / ND;
  const D tag;
  const DD dd;
  VD introduced[groups], inherited[groups], accumulated[groups], on_first[groups],
      on_second[groups], aa[groups];
  for (int g = 0; g < groups; ++g)
    introduced[g] = inherited[g] = accumulated[g] = on_first[g] = on_second[g] = aa[g] =
        hn::Zero(dd);
  HWY_ALIGN T ta[lanes] = {}, tl[lanes] = {}, tb[lanes] = {};
  const auto add = [&](int g, VD x, VD l, VD y) HWY_ATTR {
    const auto finite = hn::And(hn::And(hn::IsFinite(x), hn::IsFinite(l)), hn::IsFinite(y));
    x = hn::IfThenElseZero(finite, x);
    l = hn::IfThenElseZero(finite, l);
    y = hn::IfThenElseZero(finite, y);
    const VD first = hn::Sub(l, x), second = hn::Sub(y, l), all = hn::Sub(y, x);
    introduced[g] = hn::Add(introduced[g], hn::Mul(first, first));
    inherited[g] = hn::Add(inherited[g], hn::Mul(second, second));
    accumulated[g] = hn::Add(accumulated[g], hn::Mul(all, all));
    on_first[g] = hn::Add(on_first[g], hn::Mul(first, all));
    on_second[g] = hn::Add(on_second[g], hn::Mul(second, all));
    aa[g] = hn::Add(aa[g], hn::Mul(x, x));
  };
  for (std::int64_t i = 0; i < n; i += lanes) {
    const T *pa = a + i, *pl = local + i, *pb = b + i;
    if (i + lanes > n) {
      const std::size_t bytes = static_cast<std::size_t>(n - i) * sizeof(T);
      std::memcpy(ta, pa, bytes);
      std::memcpy(tl, pl, bytes);
      std::memcpy(tb, pb, bytes);
      pa = ta, pl = tl, pb = tb;
    }
    for (int j = 0; j < lanes; j += N) {
      const auto x = hn::LoadU(tag, pa + j), l = hn::LoadU(tag, pl + j), y = hn::LoadU(tag, pb + j);
      add(j / ND, widened<0>(tag, x), widened<0>(tag, l), widened<0>(tag, y));
      if constexpr (N / ND == 2)
        add(j / ND + 1, widened<1>(tag, x), widened<1>(tag, l), widened<1>(tag, y));
    }
  }
  const auto reduced = Comparer<T, false>::reduced;
  return {reduced(introduced), reduced(inherited), reduced(accumulated),
          reduced(on_first),   reduced(on_second), reduced(aa)};
}
ChunkSplit split32(const float* a, const float* local, const float* b, std::int64_t n) {
  return split_chunk(a, local, b, n);
}
ChunkSplit split64(const double* a, const double* local, const double* b, std::int64_t n) {
  return split_chunk(a, local, b, n);
}

void distance32(const float* a, const float* b, float* out, std::int64_t n) {
  const hn::ScalableTag<float> tag;
  constexpr std::int64_t N = static_cast<std::int64_t>(hn::MaxLanes(tag));
  const auto infinity = hn::Set(tag, std::numeric_limits<float>::infinity());
  const auto distance = [&](auto x, auto y) HWY_ATTR {
    const auto equal = hn::Or(hn::Eq(x, y), hn::And(hn::IsNaN(x), hn::IsNaN(y)));
    const auto d = hn::Abs(hn::IfThenZeroElse(equal, hn::Sub(y, x)));
    return hn::IfThenElse(hn::IsNaN(d), infinity, d);
  };
  std::int64_t i = 0;
  for (; i + N <= n; i += N)
    hn::StoreU(distance(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i)), tag, out + i);
  if (i < n) {
    HWY_ALIGN float ta[N] = {}, tb[N] = {}, td[N];
    const std::size_t bytes = static_cast<std::size_t>(n - i) * sizeof(float);
    std::memcpy(ta, a + i, bytes);
    std::memcpy(tb, b + i, bytes);
    hn::Store(distance(hn::Load(tag, ta), hn::Load(tag, tb)), tag, td);
    std::memcpy(out + i, td, bytes);
  }
}
void distance64(const double* a, const double* b, float* out, std::int64_t n) {
  const hn::ScalableTag<double> tag;
  const hn::Rebind<float, hn::ScalableTag<double>> narrow;
  constexpr std::int64_t N = static_cast<std::int64_t>(hn::MaxLanes(tag));
  const auto infinity = hn::Set(tag, std::numeric_limits<double>::infinity());
  const auto distance = [&](auto x, auto y) HWY_ATTR {
    const auto equal = hn::Or(hn::Eq(x, y), hn::And(hn::IsNaN(x), hn::IsNaN(y)));
    const auto d = hn::Abs(hn::IfThenZeroElse(equal, hn::Sub(y, x)));
    return hn::DemoteTo(narrow, hn::IfThenElse(hn::IsNaN(d), infinity, d));
  };
  std::int64_t i = 0;
  for (; i + N <= n; i += N)
    hn::StoreU(distance(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i)), narrow, out + i);
  if (i < n) {
    HWY_ALIGN double ta[N] = {}, tb[N] = {};
    HWY_ALIGN float td[N];
    std::memcpy(ta, a + i, static_cast<std::size_t>(n - i) * sizeof(double));
    std::memcpy(tb, b + i, static_cast<std::size_t>(n - i) * sizeof(double));
    hn::StoreU(distance(hn::Load(tag, ta), hn::Load(tag, tb)), narrow, td);
    std::memcpy(out + i, td, static_cast<std::size_t>(n - i) * sizeof(float));
  }
}

template <class U>
void digest_run(const U* bits, std::int64_t n, std::uint64_t first_index, std::uint64_t step,
                std::uint64_t* sums) {
  // digest_term (model/arithmetic/digest.hpp), its products by the index replaced by a running sum.
  constexpr std::uint64_t key0 = 0x9e3779b97f4a7c15ULL, key1 = 0xd1b54a32d192ed03ULL;
  constexpr U sign = U{1} << (8 * sizeof(U) - 1);
  constexpr U infinity =
      sizeof(U) == 4 ? static_cast<U>(0x7f800000U) : static_cast<U>(0x7ff0000000000000ULL);
  std::uint64_t sum0 = 0, sum1 = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const U raw = bits[i];
    const U magnitude = raw & static_cast<U>(~sign);
    const std::uint64_t value = magnitude > infinity ? static_cast<U>(~sign) : raw;
    const std::uint64_t index = first_index + static_cast<std::uint64_t>(i) * step + 1;
    std::uint64_t h0 = (value + key0) * 0xff51afd7ed558ccdULL + index * key0;
    std::uint64_t h1 = (value + key1) * 0xff51afd7ed558ccdULL + index * key1;
    h0 = (h0 ^ (h0 >> 32)) * 0xc4ceb9fe1a85ec53ULL;
    h1 = (h1 ^ (h1 >> 32)) * 0xc4ceb9fe1a85ec53ULL;
    sum0 += h0 ^ (h0 >> 29);
    sum1 += h1 ^ (h1 >> 29);
  }
  sums[0] += sum0;
  sums[1] += sum1;
}
void digest32(const std::uint32_t* bits, std::int64_t n, std::uint64_t first, std::uint64_t step,
              std::uint64_t* sums) {
  digest_run(bits, n, first, step, sums);
}
void digest64(const std::uint64_t* bits, std::int64_t n, std::uint64_t first, std::uint64_t step,
              std::uint64_t* sums) {
  digest_run(bits, n, first, step, sums);
}

float max_into(const float* values, float* into, std::int64_t n) {
  const hn::ScalableTag<float> tag;
  constexpr std::int64_t N = static_cast<std::int64_t>(hn::MaxLanes(tag));
  auto best = hn::Zero(tag);
  std::int64_t i = 0;
  for (; i + N <= n; i += N) {
    const auto v = hn::LoadU(tag, values + i);
    best = hn::Max(best, v);
    hn::StoreU(hn::Max(v, hn::LoadU(tag, into + i)), tag, into + i);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(tag, best));
  for (; i < n; ++i) {
    if (values[i] > largest) largest = values[i];
    if (values[i] > into[i]) into[i] = values[i];
  }
  return largest;
}

constexpr CompareKernels kernels = {compare32,  compare64, split32,  split64, distance32,
                                    distance64, digest32,  digest64, max_into};
const CompareKernels& table() { return kernels; }

}  // namespace HWY_NAMESPACE
}  // namespace parity::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/mac/widths.hpp"

namespace parity::cpu {

const CompareKernels& compare_kernels(InstructionSet set) {
  using Table = const CompareKernels& (*)();
  return PARITY_WIDTHS(Table, HWY_STATIC_DISPATCH(table), table).at(set)();
}

}  // namespace parity::cpu
#endif
