#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "cpu/memory.hpp"
#include "model/layout.hpp"
#include "model/numerics.hpp"
#include "model/value.hpp"

namespace parity::cpu {

using parity::Layout;

/// The CPU backend's storage: its own memory, or a host tensor's, which it keeps alive.
class CpuStorage final : public Storage {
 public:
  CpuStorage(std::shared_ptr<const void> owner, const void* data, std::size_t bytes, Layout layout)
      : owner_(std::move(owner)), data_(data), bytes_(bytes), layout_(layout) {}

  const void* data() const { return data_; }
  Layout layout() const { return layout_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<const void> owner_;
  const void* data_;
  std::size_t bytes_;
  Layout layout_;
};

/// The storage of a CPU value. Throws Fault::internal when the value is another backend's.
const CpuStorage& storage_of(const Value& value);
bool is_cpu(const Value& value);

/// A value under construction: write through data<T>(), then take value().
class Fresh {
 public:
  /// Takes from `memory`; outside a network's run from the process.
  Fresh(TensorType type, Layout layout, Memory* memory = nullptr);
  template <class T>
  T* data() {
    return static_cast<T*>(memory_.get());
  }
  Layout layout() const { return layout_; }
  Value value() &&;

 private:
  TensorType type_;
  Layout layout_;
  std::size_t bytes_;
  std::shared_ptr<void> memory_;
};

/// A value's elements in one layout and type, kept alive by `value`. T = double widens float32
/// values. Integers and booleans are read as what they are.
template <class T>
struct Elements {
  Value value;
  const T* data = nullptr;
};
/// The elements as T in `layout`; shares when they lie so already, else converts (on `threads`).
template <class T>
Elements<T> elements(const Value& value, Layout layout, const Execution& execution,
                     Memory* memory = nullptr);

/// The same value stored in `layout`.
Value with_layout(const Value& value, Layout layout, const Execution& execution,
                  Memory* memory = nullptr);
/// The layout it lies in.
Layout layout_of(const Value& value);

extern template Elements<float> elements<float>(const Value&, Layout, const Execution&, Memory*);
extern template Elements<double> elements<double>(const Value&, Layout, const Execution&, Memory*);
extern template Elements<std::int64_t> elements<std::int64_t>(const Value&, Layout,
                                                              const Execution&, Memory*);
extern template Elements<std::uint8_t> elements<std::uint8_t>(const Value&, Layout,
                                                              const Execution&, Memory*);

}  // namespace parity::cpu
