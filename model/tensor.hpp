#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/error.hpp"

namespace parity {

/// The element types a value may have. boolean is stored as one byte, 0 or 1.
enum class Type { float32, float64, int64, boolean };

/// Extents in ONNX order, outermost first. Rank 0 is a scalar with one element.
using Shape = std::vector<std::int64_t>;

/// Element type and ONNX shape, whatever the layout inside a backend.
struct TensorType {
  Type type = Type::float32;
  Shape shape;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// No tensor of the lab has more elements than this; a shape beyond it is refused with a sentence.
inline constexpr std::int64_t largest_element_count = std::int64_t{1} << 33;

/// Product of the extents. Throws Fault::bad_model on a negative extent or beyond
/// largest_element_count, so that a hostile shape never reaches an allocation.
std::int64_t element_count(const Shape& shape);

/// Product of the extents from axis `first` up to, not including, `last`.
std::int64_t element_count(const Shape& shape, std::size_t first, std::size_t last);

std::size_t byte_width(Type type);
std::string to_string(Type type);               ///< "float32"
std::string to_string(const Shape& shape);      ///< "1x64x512x512", "scalar" for rank 0
std::string to_string(const TensorType& type);  ///< "float32 1x64x512x512"

template <class T>
constexpr Type type_of();
template <>
constexpr Type type_of<float>() {
  return Type::float32;
}
template <>
constexpr Type type_of<double>() {
  return Type::float64;
}
template <>
constexpr Type type_of<std::int64_t>() {
  return Type::int64;
}
template <>
constexpr Type type_of<std::uint8_t>() {
  return Type::boolean;
}

/// An immutable host tensor in ONNX (row-major) order. Copies share the elements.
class Tensor {
 public:
  /// A float32 tensor of shape {0}.
  Tensor() : type_{Type::float32, {0}} {}

  /// Takes bytes owned by anyone (a vector, a mapped file) that outlive the tensor through `owner`.
  /// `data` must hold element_count(type.shape) * byte_width(type.type) bytes.
  Tensor(TensorType type, std::shared_ptr<const void> owner, const void* data);

  /// Takes the elements over. Throws Fault::internal when the count does not fit the shape.
  template <class T>
  static Tensor of(Shape shape, std::vector<T> elements);

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  std::int64_t size() const;       ///< elements
  std::size_t size_bytes() const;  ///< bytes
  const void* data() const { return data_; }

  /// The elements, row-major. Throws Fault::internal when T is not the tensor's type.
  template <class T>
  std::span<const T> values() const;

  /// The same elements under another shape of the same element count.
  Tensor reshaped(Shape shape) const;

  /// Say same_bits(a, b): a defaulted == would call NaN unequal to itself and -0 equal to +0.
  friend bool operator==(const Tensor&, const Tensor&) = delete;

 private:
  void require(Type type) const;

  TensorType type_;
  std::shared_ptr<const void> owner_;
  const void* data_ = nullptr;
};

template <class T>
Tensor Tensor::of(Shape shape, std::vector<T> elements) {
  if (element_count(shape) != static_cast<std::int64_t>(elements.size()))
    throw Error(Fault::internal, "a tensor of shape " + to_string(shape) + " was given " +
                                     std::to_string(elements.size()) + " elements");
  auto owner = std::make_shared<const std::vector<T>>(std::move(elements));
  const void* data = owner->data();
  return Tensor({type_of<T>(), std::move(shape)}, std::move(owner), data);
}

template <class T>
std::span<const T> Tensor::values() const {
  require(type_of<T>());
  return {static_cast<const T*>(data_), static_cast<std::size_t>(size())};
}

/// Equal type, shape and bits, every NaN read as the canonical NaN.
bool same_bits(const Tensor& a, const Tensor& b);

/// Every NaN replaced by 0x7fffffff (float32) or 0x7fffffffffffffff (float64); what enters the lab
/// goes through here (CONTRACTS: the bits of a NaN are part of no contract). Shares when nothing
/// changes.
Tensor with_canonical_nan(const Tensor& tensor);

/// Whether every NaN among the elements is the canonical one, so that nothing needs changing.
bool nan_is_canonical(std::span<const float> values);
bool nan_is_canonical(std::span<const double> values);

/// The same values as float32 (rounded to nearest even) or float64 (exact). Throws Fault::internal
/// for int64 and boolean.
Tensor to_float32(const Tensor& tensor);
Tensor to_float64(const Tensor& tensor);

}  // namespace parity
