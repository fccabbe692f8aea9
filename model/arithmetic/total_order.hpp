#pragma once

#include <cstdint>

namespace parity {

/// The bits of a float or double as an integer that orders the values totally: NaN greatest, whatever
/// its sign and payload, +0 above -0 (CONTRACTS section 4). C++17, so that device code calls it too.
constexpr std::uint32_t total_order(std::uint32_t bits) {
  if ((bits & 0x7fffffffU) > 0x7f800000U) return 0xffffffffU;
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}
constexpr std::uint64_t total_order(std::uint64_t bits) {
  if ((bits & 0x7fffffffffffffffU) > 0x7ff0000000000000U) return 0xffffffffffffffffU;
  return (bits >> 63) != 0 ? ~bits : bits | 0x8000000000000000U;
}

}  // namespace parity
