#include "model/arithmetic/tensor_core.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "model/arithmetic/tf32.hpp"
#include "model/error.hpp"

namespace parity {

namespace {

constexpr std::uint32_t sign_bit = 0x80000000U;
constexpr std::uint32_t infinity = 0x7f800000U;
constexpr std::uint32_t canonical_nan = 0x7fffffffU;

enum class Kind { zero, finite, infinite, nan };

/// A float32 taken apart: |value| = significand * 2^(exponent - 23).
struct Operand {
  Kind kind;
  std::uint32_t sign;  ///< sign_bit or 0
  int exponent;
  std::uint32_t significand;
};

Operand decode(std::uint32_t bits) {
  const std::uint32_t sign = bits & sign_bit;
  const std::uint32_t fraction = bits & 0x7fffffU;
  const int field = static_cast<int>((bits >> 23) & 0xffU);
  if (field == 0xff) return {fraction != 0 ? Kind::nan : Kind::infinite, sign, 0, 0};
  if (field == 0) return {fraction != 0 ? Kind::finite : Kind::zero, sign, -126, fraction};
  return {Kind::finite, sign, field - 127, fraction | 0x800000U};
}

/// One addend of a step: |value| = significand * 2^(exponent - fraction_bits).
struct Term {
  std::uint32_t sign;
  int exponent;
  int fraction_bits;
  std::uint64_t significand;
};

/// What the special values of a step decide before any number is added.
struct Specials {
  bool nan = false, positive_infinity = false, negative_infinity = false;

  void add_infinity(std::uint32_t sign) {
    (sign != 0 ? negative_infinity : positive_infinity) = true;
  }
  bool any() const { return nan || positive_infinity || negative_infinity; }
  std::uint32_t result() const {
    if (nan || (positive_infinity && negative_infinity)) return canonical_nan;
    return positive_infinity ? infinity : infinity | sign_bit;
  }
};

/// RZ(sum * 2^lsb) as float32.
std::uint32_t round_toward_zero(std::int64_t sum, int lsb) {
  if (sum == 0) return 0;
  const std::uint32_t sign = sum < 0 ? sign_bit : 0;
  const auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
  const int exponent = std::bit_width(magnitude) - 1 + lsb;
  if (exponent > 127) return sign | infinity;
  const int drop = std::max(exponent, -126) - 23 - lsb;  // bits below the last place of the result
  const std::uint64_t kept = drop >= 64 ? 0 : drop >= 0 ? magnitude >> drop : magnitude << -drop;
  // A subnormal has no hidden bit and the exponent field 0; one that vanishes leaves its sign.
  if (exponent < -126) return sign | static_cast<std::uint32_t>(kept);
  return sign | static_cast<std::uint32_t>(exponent + 127) << 23 |
         (static_cast<std::uint32_t>(kept) & 0x7fffffU);
}

}  // namespace

const TensorCore& tensor_core(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::tensor_k4f24:
      return k4f24;
    case Algorithm::tensor_k8f25:
      return k8f25;
    default:
      throw Error(Fault::internal, "the tensor-core model was asked for algorithm '" +
                                       std::string(name(algorithm)) +
                                       "', which is none of tensor:k4f24 and tensor:k8f25");
  }
}

std::uint32_t tensor_core_step(const TensorCore& core, const std::uint32_t* a,
                               const std::uint32_t* b, std::uint32_t c) {
  std::array<Term, tensor_core_group + 1> terms;
  int count = 0;
  Specials specials;

  const Operand accumulator = decode(c);
  if (accumulator.kind == Kind::nan) specials.nan = true;
  if (accumulator.kind == Kind::infinite) specials.add_infinity(accumulator.sign);
  if (accumulator.kind == Kind::finite) {
    terms[count++] = {accumulator.sign, accumulator.exponent, 23, accumulator.significand};
  }
  for (int k = 0; k < core.block; ++k) {
    const Operand x = decode(a[k] & ~tf32_dropped_bits);
    const Operand y = decode(b[k] & ~tf32_dropped_bits);
    const std::uint32_t sign = x.sign ^ y.sign;
    if (x.kind == Kind::nan || y.kind == Kind::nan) {
      specials.nan = true;
    } else if (x.kind == Kind::infinite || y.kind == Kind::infinite) {
      if (x.kind == Kind::zero || y.kind == Kind::zero) {
        specials.nan = true;
      } else {
        specials.add_infinity(sign);
      }
    } else if (x.kind == Kind::finite && y.kind == Kind::finite) {
      // 11-bit significands with 10 fraction bits each, so the product has 20 and is not
      // renormalised.
      const std::uint64_t product = std::uint64_t{x.significand >> 13} * (y.significand >> 13);
      terms[count++] = {sign, x.exponent + y.exponent, 20, product};
    }
  }
  if (specials.any()) return specials.result();

  int emax = core.exponent_floor;
  for (int t = 0; t < count; ++t) emax = std::max(emax, terms[t].exponent);

  const int lsb = emax - core.fraction_bits;
  std::int64_t sum = 0;
  for (int t = 0; t < count; ++t) {
    const Term& term = terms[t];
    const int shift =
        term.exponent - term.fraction_bits - lsb;  // at most F - 20: 27 bits hold any term
    const std::uint64_t aligned = shift >= 0     ? term.significand << shift
                                  : shift <= -64 ? 0
                                                 : term.significand >> -shift;
    sum +=
        term.sign != 0 ? -static_cast<std::int64_t>(aligned) : static_cast<std::int64_t>(aligned);
  }
  return round_toward_zero(sum, lsb);
}

std::uint32_t tensor_core_dot(const TensorCore& core, std::span<const std::uint32_t> a,
                              std::span<const std::uint32_t> b, std::uint32_t c) {
  if (a.size() != b.size()) {
    throw Error(Fault::internal, "a tensor-core dot product was given " + std::to_string(a.size()) +
                                     " and " + std::to_string(b.size()) + " operands");
  }
  const auto block = static_cast<std::size_t>(core.block);
  std::uint32_t acc = c;
  for (std::size_t first = 0; first < a.size(); first += block) {
    std::array<std::uint32_t, tensor_core_group> x{}, y{};
    const std::size_t terms = std::min(block, a.size() - first);
    std::copy_n(a.begin() + static_cast<std::ptrdiff_t>(first), terms, x.begin());
    std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(first), terms, y.begin());
    acc = tensor_core_step(core, x.data(), y.data(), acc);
  }
  return acc;
}

}  // namespace parity
