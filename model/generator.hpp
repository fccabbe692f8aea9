#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tensor.hpp"

namespace parity {

/// A tensor made from a name and a seed, the same on every machine (Counter of
/// model/arithmetic/fill.hpp).
///
///   normal:SEED    mean 0, variance 1: twelve 32-bit uniforms minus six in double, rounded once
///   pillars:SEED   a pillar pseudo-image {N, C, H, W}: a cell (n, h, w) is occupied with
///   probability 1/16; an
///                  occupied cell holds max(0, normal) in every channel, an empty one +0 everywhere
///   integers:SEED  float: integers in [-8, 8]; int64: integers in [0, limit); bool: 0 or 1
///   extreme:SEED   finite, either sign, 2^e times [1, 2) with e uniform in [-62, 62]: one product
///   never overflows denormal:SEED  subnormal float32 of either sign, never zero zeros, ones
///   constants
struct Generator {
  enum class Kind { normal, pillars, integers, extreme, denormal, zeros, ones };
  Kind kind = Kind::normal;
  std::uint64_t seed = 7;

  std::string text() const;  ///< "pillars:7", "zeros"
};

/// Every form a generator has: "normal:SEED", …, "zeros", "ones".
const std::vector<std::string>& generator_forms();

/// Whether the text means to be a generator (its part before ':' is one's name).
bool is_generator(std::string_view text);
/// Throws Fault::bad_request for a name that is none, and for a seed that is missing or no number.
Generator parse_generator(std::string_view text);

/// Integers of an int64 input lie in [0, integer_limit).
inline constexpr std::int64_t default_integer_limit = 8;

/// Makes the tensor. `stream` keeps several tensors of one seed apart; element i depends on seed,
/// stream and i alone. Float64 tensors hold the float32 values. Throws Fault::bad_input when the
/// generator cannot make this type (a normal boolean, pillars that are not rank 4).
Tensor generate(const Generator& generator, const TensorType& type, std::string_view stream,
                std::int64_t integer_limit = default_integer_limit);

}  // namespace parity
