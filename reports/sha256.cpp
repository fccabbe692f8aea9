#include "reports/sha256.hpp"

#include <bit>

namespace parity::reports {
namespace {

constexpr bool prime(std::uint32_t n) {
  for (std::uint32_t d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return true;
}

/// floor(2^32 * frac(root(n))) for a square or cube root: the largest 64-bit r with r^degree <= n *
/// 2^(32 degree).
constexpr std::uint32_t root_fraction(std::uint32_t n, int degree) {
  std::uint64_t root = 0;
  for (int bit = 35; bit >= 0; --bit) {
    const std::uint64_t tried = root | (std::uint64_t{1} << bit);
    unsigned __int128 power = tried;
    for (int i = 1; i < degree; ++i) power *= tried;
    if (power <= static_cast<unsigned __int128>(n) << (32 * degree)) root = tried;
  }
  return static_cast<std::uint32_t>(root);
}

/// The standard's constants are roots of the first primes; computed, they cannot be mistyped.
template <std::size_t count>
constexpr std::array<std::uint32_t, count> prime_roots(int degree) {
  std::array<std::uint32_t, count> roots{};
  std::uint32_t n = 2;
  for (std::uint32_t& root : roots) {
    while (!prime(n)) ++n;
    root = root_fraction(n++, degree);
  }
  return roots;
}

constexpr std::array<std::uint32_t, 8> initial = prime_roots<8>(2);
constexpr std::array<std::uint32_t, 64> round_constants = prime_roots<64>(3);

void absorb(std::array<std::uint32_t, 8>& state, const char* block) {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 64; ++i)
    w[i / 4] = w[i / 4] << 8 | static_cast<unsigned char>(block[i]);
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> sum = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += sum[i];
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  std::string padded(bytes);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  for (int shift = 56; shift >= 0; shift -= 8)
    padded += static_cast<char>(static_cast<std::uint64_t>(bytes.size()) * 8 >> shift & 0xff);
  std::array<std::uint32_t, 8> state = initial;
  for (std::size_t at = 0; at < padded.size(); at += 64) absorb(state, padded.data() + at);
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t i = 0; i < 32; ++i)
    digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

std::string base64(const std::array<std::uint8_t, 32>& bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return k < bytes.size() ? static_cast<std::uint32_t>(bytes[k]) : 0u;
    };
    const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace parity::reports
