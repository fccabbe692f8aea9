#include "model/arithmetic/digest.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace parity {
namespace {

template <class T>
std::uint64_t digest_bits(T value) {
  if constexpr (std::is_same_v<T, float>)
    return value != value ? 0x7fffffffU : std::bit_cast<std::uint32_t>(value);
  else if constexpr (std::is_same_v<T, double>)
    return value != value ? 0x7fffffffffffffffULL : std::bit_cast<std::uint64_t>(value);
  else
    return static_cast<std::uint64_t>(value);
}

template <class T>
Digest digest_of(const Tensor& tensor) {
  const std::span<const T> values = tensor.values<T>();
  const std::int64_t items = tensor.shape().empty() ? 1 : tensor.shape()[0];
  const std::int64_t elements = items == 0 ? 0 : tensor.size() / items;
  std::vector<Digest> closed;
  closed.reserve(static_cast<std::size_t>(items));
  for (std::int64_t item = 0; item < items; ++item) {
    Digest sums;
    for (std::int64_t i = 0; i < elements; ++i) {
      // values[item, i], row-major
      const std::uint64_t bits = digest_bits(values[static_cast<std::size_t>(item * elements + i)]);
      const DigestTerm term = digest_term(bits, static_cast<std::uint64_t>(i));
      sums.lane[0] += term.lane0;
      sums.lane[1] += term.lane1;
    }
    closed.push_back(close_item(sums, elements, tensor.type().type));
  }
  return combine_items(closed, tensor.type().type);
}

}  // namespace

Digest close_item(Digest sums, std::int64_t elements, Type type) {
  // A second round over what was summed: count and type cannot be undone by adding elements.
  const std::uint64_t tail =
      static_cast<std::uint64_t>(elements) * 4 + static_cast<std::uint64_t>(type);
  return {
      {digest_mix(sums.lane[0], tail, digest_key1), digest_mix(sums.lane[1], tail, digest_key0)}};
}

Digest combine_items(const std::vector<Digest>& items, Type type) {
  Digest sums;
  for (std::size_t i = 0; i < items.size(); ++i) {
    sums.lane[0] += digest_mix(items[i].lane[0], i, digest_key0);
    sums.lane[1] += digest_mix(items[i].lane[1], i, digest_key1);
  }
  return close_item(sums, static_cast<std::int64_t>(items.size()), type);
}

Digest digest(const Tensor& tensor) {
  switch (tensor.type().type) {
    case Type::float32:
      return digest_of<float>(tensor);
    case Type::float64:
      return digest_of<double>(tensor);
    case Type::int64:
      return digest_of<std::int64_t>(tensor);
    case Type::boolean:
      break;
  }
  return digest_of<std::uint8_t>(tensor);
}

std::optional<Digest> digest_named(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  Digest digest;
  for (std::size_t i = 0; i < 2; ++i) {
    const char* const first = text.data() + 16 * i;
    const auto [end, failed] = std::from_chars(first, first + 16, digest.lane[i], 16);
    if (failed != std::errc() || end != first + 16) return std::nullopt;
  }
  return to_string(digest) == text ? std::optional(digest) : std::nullopt;
}

}  // namespace parity
