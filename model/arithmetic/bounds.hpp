#pragma once

#include <cstdint>

#include "model/arithmetic/magnitude.hpp"
#include "model/numerics.hpp"
#include "model/op.hpp"

namespace parity {

inline constexpr double unit_roundoff = 0x1p-24;         ///< u of float32
inline constexpr double unit_roundoff_double = 0x1p-53;  ///< of float64
inline constexpr double smallest_rounding = 0x1p-150;    ///< half the smallest subnormal float32

/// gamma_n = n*unit / (1 - n*unit): the relative growth of n roundings. Infinity when n*unit >= 1.
/// Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., lemma 3.1.
double gamma(std::int64_t n, double unit = unit_roundoff);

/// The bound of one MAC of n terms under its contract, against M = sum |w||x|, before any epilogue
/// (CONTRACTS section 7; `steps` = tensor-core steps actually run, 0 for the others). Includes the
/// division by 1 - gamma(n + 1) that pays for M being computed in FP32 itself.
Allowance mac_allowance(const Contract& contract, std::int64_t terms, std::int64_t tensor_steps);

/// Tensor-core steps of one output: each tap's channels are padded to a multiple of 8; k4f24 takes
/// two steps per group of 8. 0 for every other algorithm.
std::int64_t tensor_steps(const Contract& contract, std::int64_t channels, std::int64_t taps);

/// The largest number of roundings that a summand of `lanes32` over n elements meets: d = ceil(min(n,
/// 4096)/32) + 5 per level.
std::int64_t lanes32_depth(std::int64_t n);

/// The sum of n elements under `lanes32`: gamma_d, d = lanes32_depth(n); under fp64 and exact
/// (n + 8)*2^-53.
Allowance sum_allowance(const Contract& contract, std::int64_t n);

/// `terms` products or summands of which each is rounded at most `terms` times, whatever the
/// algorithm is called: gamma_terms; under fp64 and exact (terms + 8)*2^-53.
Allowance chain_allowance(const Contract& contract, std::int64_t terms);

/// k further rounded operations on values bounded by M: k*u*M + k*2^-150, with u of the contract's
/// arithmetic (2^-53 for fp64 and exact).
Allowance rounded(const Contract& contract, std::int64_t operations);

/// Whether the contract computes in double.
bool in_double(const Contract& contract);

/// Both, one after the other on the same magnitude.
Allowance operator+(const Allowance& a, const Allowance& b);

}  // namespace parity
