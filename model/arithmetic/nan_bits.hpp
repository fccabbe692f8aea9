#pragma once

#include <cstdint>

namespace parity {

/// The one NaN of the lab: its bits are part of no contract, so every NaN is read and stored as
/// this. C++17, so that device code names it too.
inline constexpr std::uint32_t nan_bits32 = 0x7fffffffU;
inline constexpr std::uint64_t nan_bits64 = 0x7fffffffffffffffULL;

}  // namespace parity
