#pragma once

#include <cstdint>

namespace parity {

// C++17, so that device code computes it too.

/// What one element adds to the two lanes of its item's digest: `bits` NaN-canonical, `index`
/// logical (ONNX, row-major) within the item of axis 0. Plain integer arithmetic, so every backend
/// and grid can do it; the sums are taken mod 2^64 in any order.
struct DigestTerm {
  std::uint64_t lane0, lane1;
};
inline constexpr std::uint64_t digest_key0 = 0x9e3779b97f4a7c15ULL;
inline constexpr std::uint64_t digest_key1 = 0xd1b54a32d192ed03ULL;

constexpr std::uint64_t digest_mix(std::uint64_t bits, std::uint64_t index, std::uint64_t key) {
  std::uint64_t h = (bits + key) * 0xff51afd7ed558ccdULL + (index + 1) * key;
  h ^= h >> 32;
  h *= 0xc4ceb9fe1a85ec53ULL;
  h ^= h >> 29;
  return h;
}
constexpr DigestTerm digest_term(std::uint64_t bits, std::uint64_t index) {
  return {digest_mix(bits, index, digest_key0), digest_mix(bits, index, digest_key1)};
}

}  // namespace parity
