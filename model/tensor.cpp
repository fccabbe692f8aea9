#include "model/tensor.hpp"

#include <cmath>
#include <cstring>

#include "model/arithmetic/bits.hpp"

namespace parity {
namespace {

std::int64_t product(const Shape& shape, std::size_t first, std::size_t last) {
  std::int64_t count = 1;
  for (std::size_t axis = first; axis < last; ++axis) {
    if (shape[axis] < 0)
      throw Error(Fault::bad_model, "the shape " + to_string(shape) +
                                        " has a negative extent on axis " + std::to_string(axis));
    if (shape[axis] != 0 && count > largest_element_count / shape[axis])
      throw Error(Fault::bad_model,
                  "a tensor of shape " + to_string(shape) +
                      " has more elements than the lab handles (2^33); use smaller extents");
    count *= shape[axis];
  }
  return count;
}

/// Canonical bits of one element, so that every NaN reads as one.
template <class T>
bool same_elements(std::span<const T> a, std::span<const T> b) {
  if (a.empty()) return true;  // memcmp takes no null pointer, not even for no bytes
  if constexpr (std::is_floating_point_v<T>) {
    if (std::memcmp(a.data(), b.data(), a.size_bytes()) == 0) return true;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (canonical_bits(a[i]) != canonical_bits(b[i])) return false;
    return true;
  } else {
    return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
  }
}

/// Integer tests without branches, so that the compiler makes vectors of them.
template <class Bits, class T>
bool only_canonical(std::span<const T> values, Bits infinity, Bits nan) {
  Bits foreign = 0;
  for (const T value : values) {
    const Bits bits = bits_of(value);
    foreign |= static_cast<Bits>((bits & nan) > infinity) & static_cast<Bits>(bits != nan);
  }
  return foreign == 0;
}

template <class T>
Tensor canonical(const Tensor& tensor) {
  const std::span<const T> values = tensor.values<T>();
  if (nan_is_canonical(values)) return tensor;
  std::vector<T> copy(values.begin(), values.end());
  for (T& value : copy) value = canonical_nan(value);
  return Tensor::of(tensor.shape(), std::move(copy));
}

template <class To, class From>
Tensor converted(const Tensor& tensor) {
  const std::span<const From> values = tensor.values<From>();
  std::vector<To> copy(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    copy[i] = canonical_nan(static_cast<To>(values[i]));
  return Tensor::of(tensor.shape(), std::move(copy));
}

}  // namespace

std::int64_t element_count(const Shape& shape) { return product(shape, 0, shape.size()); }

std::int64_t element_count(const Shape& shape, std::size_t first, std::size_t last) {
  return product(shape, first, last);
}

std::size_t byte_width(Type type) {
  switch (type) {
    case Type::float32:
      return 4;
    case Type::float64:
      return 8;
    case Type::int64:
      return 8;
    case Type::boolean:
      return 1;
  }
  throw Error(Fault::internal, "an element type outside the enumeration");
}

std::string to_string(Type type) {
  switch (type) {
    case Type::float32:
      return "float32";
    case Type::float64:
      return "float64";
    case Type::int64:
      return "int64";
    case Type::boolean:
      return "bool";
  }
  throw Error(Fault::internal, "an element type outside the enumeration");
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t extent : shape)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

std::string to_string(const TensorType& type) {
  return to_string(type.type) + " " + to_string(type.shape);
}

Tensor::Tensor(TensorType type, std::shared_ptr<const void> owner, const void* data)
    : type_(std::move(type)), owner_(std::move(owner)), data_(data) {
  element_count(type_.shape);
}

std::int64_t Tensor::size() const { return element_count(type_.shape); }

std::size_t Tensor::size_bytes() const {
  return static_cast<std::size_t>(size()) * byte_width(type_.type);
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != size())
    throw Error(Fault::internal, "a tensor of shape " + to_string(type_.shape) + " cannot become " +
                                     to_string(shape));
  Tensor result = *this;
  result.type_.shape = std::move(shape);
  return result;
}

void Tensor::require(Type type) const {
  if (type != type_.type)
    throw Error(Fault::internal,
                "a tensor of type " + to_string(type_.type) + " was read as " + to_string(type));
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return false;
  switch (a.type().type) {
    case Type::float32:
      return same_elements(a.values<float>(), b.values<float>());
    case Type::float64:
      return same_elements(a.values<double>(), b.values<double>());
    case Type::int64:
      return same_elements(a.values<std::int64_t>(), b.values<std::int64_t>());
    case Type::boolean:
      return same_elements(a.values<std::uint8_t>(), b.values<std::uint8_t>());
  }
  return false;
}

bool nan_is_canonical(std::span<const float> values) {
  return only_canonical<std::uint32_t>(values, 0x7f800000U, nan_bits32);
}

bool nan_is_canonical(std::span<const double> values) {
  return only_canonical<std::uint64_t>(values, 0x7ff0000000000000ULL, nan_bits64);
}

Tensor with_canonical_nan(const Tensor& tensor) {
  if (tensor.type().type == Type::float32) return canonical<float>(tensor);
  if (tensor.type().type == Type::float64) return canonical<double>(tensor);
  return tensor;
}

Tensor to_float32(const Tensor& tensor) {
  if (tensor.type().type == Type::float32) return tensor;
  return converted<float, double>(tensor);
}

Tensor to_float64(const Tensor& tensor) {
  if (tensor.type().type == Type::float64) return tensor;
  return converted<double, float>(tensor);
}

}  // namespace parity
