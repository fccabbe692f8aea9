#pragma once

#include <cstdint>
#include <limits>

namespace parity {

// The bound of LayerNorm and its kin, evaluated in double on the values of a row: C++17 templates over
// the operations `A` (add, mul, div, sqrt on double), so that every backend's magnitudes have the same
// bits.
//
// Quantities without a hat are exact; D is the depth of `lanes32` over n, A = mean |x|, w = v + eps.
//
//   m^   |m^ - m| <= E, E = gamma(D + 1) * A: the sum, then the division.
//   d^   |d^ - d| <= E (1 + u) + u|d|.
//   v^   With d^_i = (1 + r_i)(d_i - h), |r_i| <= u and h = m^ - m the same for all i:
//        mean (d_i - h)^2 = v + h^2 exactly, because the d_i sum to zero. So an error of the mean only
//        ever raises the variance: v^ = (v + h^2)(1 + theta), |theta| <= gamma(D + 3).
//   q^   Hence q (1 + E^2/w)^(-1/2) (1 - g) <= q^ <= q (1 + g), g = gamma((D + 5)/2 + 3) for the error
//        of v^, adding eps, the root and the division; |q^ - q| <= e q, e = min((E q)^2/2, 1) + g. It
//        stays finite however badly m cancels. Squares below 2^-150 move w by 2^-148 at most: r =
//        2^-147 q^2 more in e, and where r > 1/4 nothing is said (M infinite).
//   z^   |z^ - z| <= q E + |z| (2u + e) to first order, and 2^-149 where the product is subnormal.
//   y^   |gamma| times that, and u|y|.
//
// Divided by u: M = |gamma| (q E/u + |z| (2 + e/u) + 2^-124) + |y|, times 1 + 2^-8 for the terms of
// second order, each below 2^-14 of its first, and for the roundings of this pass. E/u = k A has no u left in
// it, and (E q)^2/u only shrinks with u, so 2^-53 M bounds `fp64` too. Where a sum could overflow
// float32, M is infinite.

/// What all rows of a normalization share.
struct NormalizationBound {
  double mean_error;  ///< k = gamma(D + 1)/u
  double relative;    ///< g/u
  double count;       ///< n
  double epsilon;
};

/// What all elements of a row share; infinite `shift`: nothing is said about the row.
struct NormalizedRow {
  double mean, q;
  double shift;      ///< q E/u
  double relative;   ///< e/u
  double deviation;  ///< E/u
};

/// From the row's sums in double: x, |x|, and (x - m)^2 with m = sum / n.
template <class A>
constexpr NormalizedRow normalized_row(const NormalizationBound& bound, double mean,
                                       double absolute_sum, double square_sum) {
  const double deviation = A::mul(bound.mean_error, A::div(absolute_sum, bound.count));
  const double error = A::mul(deviation, 0x1p-24);
  const double w = A::add(A::div(square_sum, bound.count), bound.epsilon);
  const double q = A::div(1.0, A::sqrt(w));
  const double t = A::mul(error, q);
  const double half = A::mul(A::mul(t, t), 0.5);
  const double lost = A::mul(0x1p-147, A::mul(q, q));
  const double relative =
      A::add(A::add(A::mul(half < 1.0 ? half : 1.0, 0x1p24), bound.relative), A::mul(lost, 0x1p24));
  const bool told = lost <= 0.25 && absolute_sum < 0x1p126 && square_sum < 0x1p126 &&
                    A::mul(A::mul(error, error), bound.count) < 0x1p126;
  return {mean, q, told ? A::mul(q, deviation) : std::numeric_limits<double>::infinity(), relative,
          deviation};
}

/// Pays for terms of second order and for the roundings of the pass itself.
inline constexpr double normalization_slack = 1 + 0x1p-8;

/// M of y = fma(z, gamma, beta); beta 0 when there is none.
template <class A>
constexpr double normalized_magnitude(const NormalizedRow& row, double x, double gamma,
                                      double beta) {
  const double z = A::mul(A::add(x, -row.mean), row.q);
  const double y = A::add(A::mul(z, gamma), beta);
  const double own = A::mul(z < 0 ? -z : z, A::add(2.0, row.relative));
  const double error = A::mul(gamma < 0 ? -gamma : gamma, A::add(A::add(row.shift, own), 0x1p-124));
  return A::mul(A::add(error, y < 0 ? -y : y), normalization_slack);
}
/// M of the outputs Mean and InvStdDev.
template <class A>
constexpr double mean_magnitude(const NormalizedRow& row) {
  const double told = A::add(row.deviation, row.mean < 0 ? -row.mean : row.mean);
  return A::mul(row.shift < std::numeric_limits<double>::infinity() ? told : row.shift,
                normalization_slack);
}
template <class A>
constexpr double deviation_magnitude(const NormalizedRow& row) {
  const double told = A::mul(row.q, A::add(1.0, row.relative));
  return A::mul(row.shift < std::numeric_limits<double>::infinity() ? told : row.shift,
                normalization_slack);
}

}  // namespace parity
