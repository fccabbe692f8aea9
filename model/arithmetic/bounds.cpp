#include "model/arithmetic/bounds.hpp"

#include <algorithm>
#include <limits>

#include "model/error.hpp"

namespace parity {
namespace {

/// Pays for M itself having been summed in FP32: the true magnitude is at most M / (1 - gamma(n +
/// 1)), plus what its products lost to underflow, which is of the order of the term already there.
Allowance on_computed_magnitude(double coefficient, double underflow, std::int64_t terms) {
  const double shrink = 1 - gamma(terms + 1);
  if (shrink <= 0) return {std::numeric_limits<double>::infinity(), 0};
  const double paid = coefficient / shrink;
  return {paid, underflow + paid * static_cast<double>(terms) * smallest_rounding};
}

/// Fraction bits kept below the largest exponent and products per step (NUMERICS section 1.2).
struct TensorCore {
  double fraction_unit;
  double products;
};
TensorCore tensor_core(Algorithm algorithm) {
  return algorithm == Algorithm::tensor_k4f24 ? TensorCore{0x1p-24, 4} : TensorCore{0x1p-25, 8};
}

}  // namespace

double gamma(std::int64_t n, double unit) {
  const double nu = static_cast<double>(n) * unit;
  return nu >= 1 ? std::numeric_limits<double>::infinity() : nu / (1 - nu);
}

Allowance mac_allowance(const Contract& contract, std::int64_t terms, std::int64_t tensor_steps) {
  const double n = static_cast<double>(terms);
  switch (contract.algorithm) {
    case Algorithm::chain:
    case Algorithm::gemm_eigen:  // any order of n products and n - 1 sums is within gamma(n)
      return on_computed_magnitude(gamma(terms), n * smallest_rounding, terms);
    case Algorithm::gemm_cublas: {
      if (!contract.rounding)
        return on_computed_magnitude(gamma(terms), n * smallest_rounding, terms);
      // Operands as under tensor:*, but a library takes what kernel it likes: the rounding is that of
      // the worst, truncation. A term passes at most n tensor-core steps, in any order and maybe alone
      // in each, of which one loses at most (4 + 1)*2^-24 + 2^-23 = 7u (k4f24; k8f25 loses 6.5u), and
      // at most n additions of partial sums.
      constexpr double r = 0x1p-10;
      constexpr std::int64_t units_per_term = 7 + 1;
      const double operand = 2 * r + r * r;
      return on_computed_magnitude(operand + gamma(units_per_term * terms) * (1 + r) * (1 + r),
                                   n * (0x1p-149 + smallest_rounding), terms);
    }
    case Algorithm::chunk256: {
      // A term is rounded at most once per term of its chunk and once per chunk added behind it.
      const std::int64_t chunks = (terms + 255) / 256;
      const std::int64_t roundings =
          std::min<std::int64_t>(terms, 256) + std::max<std::int64_t>(chunks - 1, 0);
      return on_computed_magnitude(gamma(roundings), n * smallest_rounding, terms);
    }
    case Algorithm::tensor_k4f24:
    case Algorithm::tensor_k8f25: {
      // Each operand's error is at most r*max(|x|, 2^-126), and magnitudes are read with that
      // maximum (magnitude_operand), so (2r + r^2)*M covers subnormal operands too.
      const bool nearest = contract.rounding != Rounding::truncate;
      const double r = nearest ? 0x1p-11 : 0x1p-10;
      const double operand = 2 * r + r * r;
      const auto [fraction_unit, products] = tensor_core(contract.algorithm);
      const double steps = static_cast<double>(tensor_steps);
      const double grown = (1 + r) * (1 + r);
      const double accumulation = steps * ((products + 1) * fraction_unit + 0x1p-23) * grown;
      return on_computed_magnitude(operand + accumulation, steps * 0x1p-149 + n * smallest_rounding,
                                   terms);
    }
    case Algorithm::fp64:
    case Algorithm::exact:
      return on_computed_magnitude((n + 8) * unit_roundoff_double, 0, terms);
    case Algorithm::lanes32:
    case Algorithm::elementwise:
    case Algorithm::move:
      break;
  }
  throw Error(Fault::internal,
              "mac_allowance was asked about " + contract.text() + ", which is no MAC");
}

std::int64_t tensor_steps(const Contract& contract, std::int64_t channels, std::int64_t taps) {
  const std::int64_t groups_of_8 = (channels + 7) / 8 * taps;
  if (contract.algorithm == Algorithm::tensor_k4f24) return 2 * groups_of_8;
  return contract.algorithm == Algorithm::tensor_k8f25 ? groups_of_8 : 0;
}

std::int64_t lanes32_depth(std::int64_t n) {
  std::int64_t depth = 0;
  for (std::int64_t left = n; left > 1; left = (left + 4095) / 4096) {
    const std::int64_t block = left < 4096 ? left : 4096;
    depth += (block + 31) / 32 + 5;
  }
  return depth;
}

Allowance sum_allowance(const Contract& contract, std::int64_t n) {
  if (in_double(contract)) return mac_allowance(contract, n, 0);
  const std::int64_t depth = lanes32_depth(n);
  return on_computed_magnitude(gamma(depth), static_cast<double>(n) * smallest_rounding, depth);
}

Allowance chain_allowance(const Contract& contract, std::int64_t terms) {
  if (in_double(contract)) return mac_allowance(contract, terms, 0);
  return on_computed_magnitude(gamma(terms), static_cast<double>(terms) * smallest_rounding, terms);
}

bool in_double(const Contract& contract) {
  return contract.algorithm == Algorithm::fp64 || contract.algorithm == Algorithm::exact;
}

Allowance rounded(const Contract& contract, std::int64_t operations) {
  const double k = static_cast<double>(operations);
  // M is an FP32 quantity, itself rounded once per operation, whatever computes the value: (1 +
  // 2ku).
  const double slack = 1 + 2 * k * unit_roundoff;
  if (in_double(contract)) return {k * unit_roundoff_double * slack, 0};
  return {k * unit_roundoff * slack, k * smallest_rounding};
}

Allowance operator+(const Allowance& a, const Allowance& b) {
  return {a.coefficient + b.coefficient * (1 + a.coefficient), a.underflow + b.underflow};
}

}  // namespace parity
