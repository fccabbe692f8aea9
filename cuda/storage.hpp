#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "cuda/movement.hpp"
#include "cuda/session.hpp"
#include "model/layout.hpp"
#include "model/value.hpp"

namespace parity::cuda {

/// The CUDA backend's storage: memory of one device, complete once the stream has come so far.
class CudaStorage final : public Storage {
 public:
  CudaStorage(std::shared_ptr<const void> memory, const Session* session, Layout layout)
      : memory_(std::move(memory)), session_(session), layout_(layout) {}

  const void* data() const { return memory_.get(); }
  Layout layout() const { return layout_; }
  const std::shared_ptr<const void>& memory() const { return memory_; }
  const Session* session() const { return session_; }

 private:
  std::shared_ptr<const void> memory_;
  const Session* session_;  ///< kept alive by the memory
  Layout layout_;
};

/// What kernels call an element type.
ElementType element_type(Type type);

/// The storage of a CUDA value. Throws Fault::internal when the value is another backend's.
const CudaStorage& storage_of(const Value& value);
bool is_cuda(const Value& value);
Layout layout_of(const Value& value);

/// A value under construction: have kernels write to data<T>(), then take value().
class Fresh {
 public:
  Fresh(TensorType type, Layout layout, Session& session);
  template <class T>
  T* data() {
    return static_cast<T*>(memory_.get());
  }
  Layout layout() const { return layout_; }
  Value value() &&;

 private:
  TensorType type_;
  Layout layout_;
  const Session* session_;
  std::shared_ptr<void> memory_;
};

/// A value's elements on the device in one layout, kept alive by `value`.
template <class T>
struct Elements {
  Value value;
  const T* data = nullptr;
};
/// The elements as T (float, or double for movements) in `layout`; shares when they lie so already, else
/// launches the conversions. Integers and booleans are read as what they are.
template <class T>
Elements<T> elements(const Value& value, Layout layout, Session& session);

/// The same value stored in `layout`.
Value with_layout(const Value& value, Layout layout, Session& session);

extern template Elements<float> elements<float>(const Value&, Layout, Session&);
extern template Elements<double> elements<double>(const Value&, Layout, Session&);
extern template Elements<std::int64_t> elements<std::int64_t>(const Value&, Layout, Session&);
extern template Elements<std::uint8_t> elements<std::uint8_t>(const Value&, Layout, Session&);

}  // namespace parity::cuda
