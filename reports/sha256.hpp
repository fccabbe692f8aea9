#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace parity::reports {

/// SHA-256 of the bytes (FIPS 180-4). For the page's own content security policy, which names its
/// one script and style sheet by this hash.
std::array<std::uint8_t, 32> sha256(std::string_view bytes);

/// Base 64 with padding (RFC 4648, section 4).
std::string base64(const std::array<std::uint8_t, 32>& bytes);

}  // namespace parity::reports
