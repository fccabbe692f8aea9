#include "model/arithmetic/fill.hpp"

#include <array>
#include <limits>

#include "model/arithmetic/bits.hpp"

namespace parity {
namespace {

/// SplitMix64's finaliser: every input bit reaches every output bit.
constexpr std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

float exact_value(const Counter& counter, std::uint64_t i) {
  const std::uint64_t bits = counter.bits(i);
  if ((bits >> 60) < 4) return 0;
  return static_cast<float>(static_cast<int>(bits % 9) - 4);
}

float hostile_value(const Counter& counter, std::uint64_t i) {
  const std::uint64_t bits = counter.bits(i);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr std::array<float, 12> rare{
      float_of(nan_bits32), infinity,         -infinity,  -0.0F,     0.0F,     0x1p-149F,
      -0x1p-149F,           0x1.fffffcp-127F, -0x1p-126F, 0x1p-140F, 0x1p120F, -0x1p120F};
  // Rare values are rare enough that most sums stay finite and judge something.
  if (bits % 257 == 0) return rare[(bits >> 32) % rare.size()];
  const auto value = static_cast<float>(counter.normal(i));
  switch ((bits >> 16) % 8) {
    case 0:
      return value * 0x1p-100F;
    case 1:
      return value * 0x1p60F;
    case 2:
      return i > 0 ? -static_cast<float>(counter.normal(i - 1)) : value;  // cancels its neighbour
    case 3:
      return 0;
    default:
      return value;
  }
}

}  // namespace

Counter::Counter(std::uint64_t seed, std::string_view stream)
    : key_(mixed(seed + 0x9e3779b97f4a7c15ULL)) {
  for (const char c : stream)
    key_ = mixed(key_ ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15ULL;
}

std::uint64_t Counter::bits(std::uint64_t index) const {
  return mixed(key_ + mixed(index * 0x9e3779b97f4a7c15ULL + 0x632be59bd9b4e019ULL));
}

double Counter::uniform(std::uint64_t index) const {
  return static_cast<double>(bits(index) >> 11) * 0x1p-53;
}

double Counter::normal(std::uint64_t index) const {
  double sum = 0;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::uint64_t pair = bits(index * 6 + i);
    sum += static_cast<double>(pair >> 32) * 0x1p-32 +
           static_cast<double>(pair & 0xffffffffU) * 0x1p-32;
  }
  return sum - 6;
}

Tensor filled(const TensorType& type, Fill fill, std::uint64_t seed) {
  const Counter counter(seed, "filled");
  const auto count = static_cast<std::uint64_t>(element_count(type.shape));
  if (type.type == Type::boolean) {
    std::vector<std::uint8_t> answers(count);
    for (std::uint64_t i = 0; i < count; ++i) answers[i] = counter.bits(i) % 2;
    return Tensor::of(type.shape, std::move(answers));
  }
  if (type.type == Type::int64) {
    std::vector<std::int64_t> numbers(count);
    for (std::uint64_t i = 0; i < count; ++i)
      numbers[i] = static_cast<std::int64_t>(counter.bits(i) % 9) - 4;
    return Tensor::of(type.shape, std::move(numbers));
  }
  std::vector<float> values(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    switch (fill) {
      case Fill::exact:
        values[i] = exact_value(counter, i);
        break;
      case Fill::real:
        values[i] = static_cast<float>(counter.normal(i));
        break;
      case Fill::hostile:
        values[i] = hostile_value(counter, i);
        break;
    }
  }
  const Tensor tensor = Tensor::of(type.shape, std::move(values));
  return type.type == Type::float64 ? to_float64(tensor) : tensor;
}

}  // namespace parity
