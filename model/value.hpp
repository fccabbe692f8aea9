#pragma once

#include <memory>
#include <utility>

#include "model/tensor.hpp"

namespace parity {

/// Where a backend keeps elements. Each backend derives its own and recognises it again.
class Storage {
 public:
  virtual ~Storage() = default;
};

/// An immutable value on some backend: its ONNX type and the storage that knows its layout. Copies
/// share.
class Value {
 public:
  Value() = default;
  Value(TensorType type, std::shared_ptr<const Storage> storage)
      : type_(std::move(type)), storage_(std::move(storage)) {}

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  const std::shared_ptr<const Storage>& storage() const { return storage_; }
  explicit operator bool() const { return storage_ != nullptr; }

 private:
  TensorType type_;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace parity
