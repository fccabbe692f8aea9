#include "reports/numbers.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace parity::reports {
namespace {

template <class Real>
std::string shortest_of(Real value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// "4.10e-03" -> "4.1e-3" when `trim`, "4.10e-3" otherwise.
enum class Zeros { keep, trim };
std::string tidy_exponent(const std::string& text, Zeros zeros) {
  const std::size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (zeros == Zeros::trim && mantissa.find('.') != std::string::npos) {
    while (mantissa.back() == '0') mantissa.pop_back();
    if (mantissa.back() == '.') mantissa.pop_back();
  }
  return mantissa + "e" + std::to_string(std::stoi(text.substr(e + 1)));
}

/// Bits beyond 32 mean 64-bit elements; a pair of two small doubles prints 8 digits and is still
/// exact.
bool wide(const ElementPair& pair) { return ((pair.a_bits | pair.b_bits) >> 32) != 0; }

std::string bits_of(std::uint64_t bits, const ElementPair& pair) {
  return wide(pair) ? fmt::format("0x{:016x}", bits) : fmt::format("0x{:08x}", bits);
}

std::string value_of(double value, const ElementPair& pair) {
  return wide(pair) ? shortest(value) : shortest(static_cast<float>(value));
}

}  // namespace

std::string shortest(double value) { return shortest_of(value); }
std::string shortest(float value) { return shortest_of(value); }

std::string brief(double value, int digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return "0";
  const std::string text = fmt::format("{:.{}e}", value, digits - 1);
  const int exponent = std::stoi(text.substr(text.find('e') + 1));
  if (exponent < -2 || exponent > 3) return tidy_exponent(text, Zeros::keep);
  return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent));
}

std::string scientific(double value) {
  if (!std::isfinite(value) || value == 0) return brief(value);
  if (value >= 1 && value < 1e4) return shortest(value);
  return tidy_exponent(fmt::format("{:.6e}", value), Zeros::trim);
}

std::string percent(double share) {
  if (!std::isfinite(share)) return brief(share);
  if (share == 0) return "0 %";
  const double hundred = 100 * share;
  if (std::abs(hundred) < 0.1) return "<0.1 %";  // of either sign
  return fmt::format("{:.{}f} %", hundred, std::abs(hundred) < 9.95 ? 1 : 0);
}

std::string percent_in_tenths(double share) {
  const double hundred = 100 * share;
  return std::isfinite(share) && std::abs(hundred) >= 9.95 ? fmt::format("{:.1f} %", hundred)
                                                           : percent(share);
}

std::string grouped(std::int64_t count) {
  std::string text = std::to_string(count);
  const std::ptrdiff_t first = count < 0 ? 1 : 0;
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > first; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string a_bits(const ElementPair& pair) { return bits_of(pair.a_bits, pair); }
std::string b_bits(const ElementPair& pair) { return bits_of(pair.b_bits, pair); }
std::string a_value(const ElementPair& pair) { return value_of(pair.a, pair); }
std::string b_value(const ElementPair& pair) { return value_of(pair.b, pair); }

std::string coordinates(std::int64_t index, std::string_view shape) {
  const std::string plain = "#" + std::to_string(index);
  std::vector<std::int64_t> extents;
  const char* at = shape.data();
  const char* const end = at + shape.size();
  while (at != end) {
    std::int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent <= 0 || (next != end && *next != 'x')) return plain;
    extents.push_back(extent);
    at = next == end ? end : next + 1;
  }
  if (extents.empty() || index < 0) return plain;
  std::string text;
  for (auto extent = extents.rbegin(); extent != extents.rend(); ++extent) {
    text = std::to_string(index % *extent) + (text.empty() ? "" : "," + text);
    index /= *extent;
  }
  return index == 0 ? "[" + text + "]" : plain;
}

}  // namespace parity::reports
