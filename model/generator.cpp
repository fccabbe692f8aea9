#include "model/generator.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <functional>

#include "model/arithmetic/fill.hpp"
#include "model/error.hpp"
#include "model/nearest.hpp"

namespace parity {
namespace {

struct Row {
  std::string_view name;
  Generator::Kind kind;
  enum class Seed { needed, none } seed;
};
constexpr Row rows[] = {
    {"normal", Generator::Kind::normal, Row::Seed::needed},
    {"pillars", Generator::Kind::pillars, Row::Seed::needed},
    {"integers", Generator::Kind::integers, Row::Seed::needed},
    {"extreme", Generator::Kind::extreme, Row::Seed::needed},
    {"denormal", Generator::Kind::denormal, Row::Seed::needed},
    {"zeros", Generator::Kind::zeros, Row::Seed::none},
    {"ones", Generator::Kind::ones, Row::Seed::none},
};

const Row* row_named(std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

const Row& row_of(Generator::Kind kind) {
  for (const Row& row : rows)
    if (row.kind == kind) return row;
  throw Error(Fault::internal, "a generator has no row in its table");
}

[[noreturn]] void cannot(const Generator& generator, const TensorType& type,
                         const std::string& why) {
  throw Error(Fault::bad_input, "the generator " + generator.text() + " cannot make a " +
                                    to_string(type) + " tensor: " + why);
}

/// Calls value(i) for every element and stores it as T.
template <class T>
Tensor made(const Shape& shape, const std::function<T(std::uint64_t)>& value) {
  std::vector<T> elements(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = value(i);
  return Tensor::of<T>(shape, std::move(elements));
}

float sign_of(std::uint64_t bits) { return (bits >> 63) != 0 ? -1.0F : 1.0F; }

float extreme(const Counter& counter, std::uint64_t i) {
  const std::uint64_t bits = counter.bits(i);
  constexpr int largest = 62;
  const int exponent = static_cast<int>((bits >> 32) % (2 * largest + 1)) - largest;
  const auto mantissa = static_cast<float>(bits & 0x7fffff);
  return sign_of(bits) * std::ldexp(1.0F + mantissa * 0x1p-23F, exponent);
}

float denormal(const Counter& counter, std::uint64_t i) {
  const std::uint64_t bits = counter.bits(i);
  const auto mantissa = static_cast<std::uint32_t>((bits & 0xffffffff) % 0x7fffff + 1);
  return sign_of(bits) * std::bit_cast<float>(mantissa);
}

Tensor pillars(const Generator& generator, const TensorType& type, std::string_view stream) {
  if (type.shape.size() != 4)
    cannot(generator, type,
           "a pillar pseudo-image is N x C x H x W. Use normal:" + std::to_string(generator.seed) +
               ".");
  const Counter occupancy(generator.seed, std::string(stream) + "/cells");
  const Counter features(generator.seed, stream);
  const std::int64_t N = type.shape[0], C = type.shape[1];
  const std::int64_t cells = type.shape[2] * type.shape[3];
  std::vector<float> elements(static_cast<std::size_t>(element_count(type.shape)), 0.0F);
  constexpr double density = 1.0 / 16;
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      if (occupancy.uniform(static_cast<std::uint64_t>(n * cells + cell)) >= density) continue;
      for (std::int64_t c = 0; c < C; ++c) {
        const auto i = static_cast<std::size_t>((n * C + c) * cells + cell);
        const auto value = static_cast<float>(features.normal(i));
        elements[i] = value > 0 ? value : 0.0F;
      }
    }
  return Tensor::of<float>(type.shape, std::move(elements));
}

Tensor floats(const Generator& generator, const TensorType& type, std::string_view stream) {
  const Counter counter(generator.seed, stream);
  const auto fill = [&](const std::function<float(std::uint64_t)>& value) {
    return made<float>(type.shape, value);
  };
  switch (generator.kind) {
    case Generator::Kind::normal:
      return fill([&](std::uint64_t i) { return static_cast<float>(counter.normal(i)); });
    case Generator::Kind::pillars:
      return pillars(generator, type, stream);
    case Generator::Kind::integers:
      return fill([&](std::uint64_t i) {
        return static_cast<float>(static_cast<int>(counter.bits(i) % 17) - 8);
      });
    case Generator::Kind::extreme:
      return fill([&](std::uint64_t i) { return extreme(counter, i); });
    case Generator::Kind::denormal:
      return fill([&](std::uint64_t i) { return denormal(counter, i); });
    case Generator::Kind::zeros:
      return fill([](std::uint64_t) { return 0.0F; });
    case Generator::Kind::ones:
      return fill([](std::uint64_t) { return 1.0F; });
  }
  throw Error(Fault::internal, "a generator kind without a function");
}

/// int64 and boolean tensors: integers in [0, limit), zeros, ones.
template <class T>
Tensor counts(const Generator& generator, const TensorType& type, std::string_view stream,
              std::int64_t limit) {
  const Counter counter(generator.seed, stream);
  switch (generator.kind) {
    case Generator::Kind::integers:
      return made<T>(type.shape, [&](std::uint64_t i) {
        return static_cast<T>(counter.bits(i) % static_cast<std::uint64_t>(limit));
      });
    case Generator::Kind::zeros:
      return made<T>(type.shape, [](std::uint64_t) { return T{0}; });
    case Generator::Kind::ones:
      return made<T>(type.shape, [](std::uint64_t) { return T{1}; });
    default:
      cannot(generator, type,
             "its values are not whole numbers. Use integers:" + std::to_string(generator.seed) +
                 ", zeros or ones.");
  }
}

}  // namespace

std::string Generator::text() const {
  const Row& row = row_of(kind);
  std::string text(row.name);
  if (row.seed == Row::Seed::needed) text += ":" + std::to_string(seed);
  return text;
}

const std::vector<std::string>& generator_forms() {
  static const std::vector<std::string> forms = [] {
    std::vector<std::string> all;
    for (const Row& row : rows)
      all.push_back(std::string(row.name) + (row.seed == Row::Seed::needed ? ":SEED" : ""));
    return all;
  }();
  return forms;
}

bool is_generator(std::string_view text) {
  return row_named(text.substr(0, text.find(':'))) != nullptr;
}

Generator parse_generator(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const Row* row = row_named(name);
  const std::string asked = "the input generator '" + std::string(text) + "'";
  if (row == nullptr) {
    std::vector<std::string> names;
    for (const Row& each : rows) names.emplace_back(each.name);
    std::string hint = did_you_mean(name, names);
    if (hint.empty()) hint = ".";
    throw Error(Fault::bad_request, asked + " does not exist; there is " +
                                        fmt::format("{}", fmt::join(generator_forms(), ", ")) +
                                        hint);
  }
  Generator generator{row->kind, 0};
  if (row->seed == Row::Seed::none) {
    if (colon != std::string_view::npos)
      throw Error(Fault::bad_request, asked + " takes no seed; write " + std::string(name) + ".");
    return generator;
  }
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto [end, fault] =
      std::from_chars(digits.data(), digits.data() + digits.size(), generator.seed);
  if (digits.empty() || fault != std::errc() || end != digits.data() + digits.size())
    throw Error(Fault::bad_request, asked + " needs a seed, a whole number from 0 upward; write " +
                                        std::string(name) + ":7.");
  return generator;
}

Tensor generate(const Generator& generator, const TensorType& type, std::string_view stream,
                std::int64_t integer_limit) {
  switch (type.type) {
    case Type::float32:
      return floats(generator, type, stream);
    case Type::float64:
      return to_float64(floats(generator, {Type::float32, type.shape}, stream));
    case Type::int64:
      return counts<std::int64_t>(generator, type, stream, integer_limit);
    case Type::boolean:
      return counts<std::uint8_t>(generator, type, stream, 2);
  }
  throw Error(Fault::internal, "an element type without a generator");
}

}  // namespace parity
