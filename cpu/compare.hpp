#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/comparison.hpp"
#include "model/numerics.hpp"
#include "model/op.hpp"
#include "model/value.hpp"

namespace parity::cpu {

/// What stands behind Backend::digest, compare, split, map and elements. All read float32 and
/// float64 values, also mixed, in either layout, also different ones, and copy none; integers and booleans
/// are measured as doubles. Every
/// result is the same for every layout, instruction set and number of threads: counts and maxima
/// commute, and sums follow CONTRACTS section 6 (chunks of 4096 logical indices by lanes32 in
/// double, chunk sums added in index order).

/// The 128-bit digest of model/arithmetic/digest.hpp; also of int64 and boolean values.
Digest digest(const Value& value, const Execution& execution);

/// One pass over a and b, judged against the magnitude when there is one (model/comparison.hpp).
/// An infinity against a finite number is a difference of infinity. Of a float32 and a float64
/// value the ULP histogram counts between the float32 numbers nearest to both. Throws
/// Fault::internal when shapes differ.
Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                   const Allowance& allowance, const Execution& execution);

/// Energies in double; an element that is not finite in all three is left out.
Split split(const Value& a, const Value& local, const Value& b, const Execution& execution);

/// compare(a, b) and split(a, local, b) in one pass: what costs most is bringing the values into
/// row-major order.
Accumulation accumulate(const Value& a, const Value& local, const Value& b,
                        const Execution& execution);

/// Rank 3 and 4: space is what follows the channel axis. Rank 2: rows are axis 0 and columns axis
/// 1, which is also the channel. A NaN or infinity on one side only counts as infinity.
ErrorMap map(const Value& a, const Value& b, const Execution& execution);

/// The elements at logical indices, widened to double.
std::vector<double> elements_at(const Value& value, std::span<const std::int64_t> indices);

}  // namespace parity::cpu
