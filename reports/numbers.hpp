#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/comparison.hpp"

namespace parity::reports {

/// The fewest decimal digits that read back to the same bits: "0.1", "1e-45", "-0"; "NaN",
/// "Infinity",
/// "-Infinity". Never depends on a locale.
std::string shortest(double value);
std::string shortest(float value);

/// A number for a person: `digits` significant ones, "0.14", "41", "4.1e-3", "2.97e6", "inf",
/// "NaN".
std::string brief(double value, int digits = 3);

/// A share as a percentage: "31 %", "0.3 %", "<0.1 %", "0 %".
std::string percent(double share);
/// The same to a tenth throughout, for parts of a whole: "99.6 %".
std::string percent_in_tenths(double share);

/// A threshold that somebody chose: "1e-3", "2.5e-2", "1", "100".
std::string scientific(double value);

/// Thousands apart: "2,970,112".
std::string grouped(std::int64_t count);

/// The bits of an element, 8 hex digits, or 16 where `pair` holds 64-bit elements: "0x3f800000".
std::string a_bits(const ElementPair& pair);
std::string b_bits(const ElementPair& pair);

/// The values of a pair with the fewest digits of their own width.
std::string a_value(const ElementPair& pair);
std::string b_value(const ElementPair& pair);

/// A logical index by its coordinates: (70, "1x2x64") -> "[0,1,6]"; "#70" where the shape is not of
/// that kind.
std::string coordinates(std::int64_t index, std::string_view shape);

}  // namespace parity::reports
