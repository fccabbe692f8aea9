#include "cpu/storage.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include "cpu/threads.hpp"
#include "cpu/transpose.hpp"

namespace parity::cpu {
namespace {

/// to[n][column][row] = from[n][row][column]; the threads share bands of the longer side.
template <class T>
void transpose_all(const T* from, T* to, std::int64_t N, std::int64_t rows, std::int64_t columns,
                   const Execution& execution) {
  constexpr std::int64_t large = std::int64_t{8} << 20;  // bytes that no second-level cache holds
  const Into into = N * rows * columns * static_cast<std::int64_t>(sizeof(T)) >= large
                        ? Into::memory
                        : Into::cache;
  const std::int64_t band = into == Into::memory ? 8192 : 1024;
  const bool wide = columns >= rows;
  const std::int64_t length = wide ? columns : rows, bands = (length + band - 1) / band;
  parallel_for(N * bands, 1, execution.threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t job = first; job < last; ++job) {
      const std::int64_t n = job / bands, at = job % bands * band,
                         some = std::min(band, length - at);
      const T* const source = from + n * rows * columns + (wide ? at : at * columns);
      T* const target = to + n * rows * columns + (wide ? at * rows : at);
      transpose(source, columns, target, rows, wide ? rows : some, wide ? some : columns, into,
                execution.instruction_set);
    }
  });
}

template <class T>
Value transposed(const Value& value, Layout layout, const Execution& execution, Memory* memory) {
  const auto [N, C, S] = planes_of(value.shape());
  Fresh fresh(value.type(), layout, memory);
  const auto* const from = static_cast<const T*>(storage_of(value).data());
  if (layout == Layout::channels_last)
    transpose_all(from, fresh.data<T>(), N, C, S, execution);
  else
    transpose_all(from, fresh.data<T>(), N, S, C, execution);
  return std::move(fresh).value();
}

Value transposed_bytes(const Value& value, Layout layout, Memory* memory) {
  const auto [N, C, S] = planes_of(value.shape());
  Fresh fresh(value.type(), layout, memory);
  const auto* const from = static_cast<const std::uint8_t*>(storage_of(value).data());
  auto* const to = fresh.data<std::uint8_t>();
  const bool last = layout == Layout::channels_last;
  const std::int64_t rows = last ? C : S, columns = last ? S : C;
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        to[(n * columns + column) * rows + row] = from[(n * rows + row) * columns + column];
  return std::move(fresh).value();
}

/// The same elements as T where they lie, in the same layout.
template <class T, class From>
Value converted(const Value& value, const Execution& execution, Memory* memory) {
  Fresh fresh({type_of<T>(), value.shape()}, layout_of(value), memory);
  const auto* const from = static_cast<const From*>(storage_of(value).data());
  T* const to = fresh.data<T>();
  parallel_for(element_count(value.shape()), std::int64_t{1} << 16, execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) to[i] = static_cast<T>(from[i]);
               });
  return std::move(fresh).value();
}

std::size_t bytes_of(const TensorType& type) {
  return static_cast<std::size_t>(element_count(type.shape)) * byte_width(type.type);
}

}  // namespace

const CpuStorage& storage_of(const Value& value) {
  const auto* storage = dynamic_cast<const CpuStorage*>(value.storage().get());
  if (storage == nullptr)
    throw Error(Fault::internal, "a value of another backend reached the cpu backend");
  return *storage;
}

bool is_cpu(const Value& value) {
  return dynamic_cast<const CpuStorage*>(value.storage().get()) != nullptr;
}

Fresh::Fresh(TensorType type, Layout layout, Memory* memory)
    : type_(std::move(type)),
      layout_(meaningful(type_.shape, layout)),
      bytes_(bytes_of(type_)),
      memory_(memory != nullptr ? memory->take(bytes_) : allocate(bytes_)) {}

Value Fresh::value() && {
  const void* const data = memory_.get();
  return {std::move(type_),
          std::make_shared<const CpuStorage>(std::move(memory_), data, bytes_, layout_)};
}

Layout layout_of(const Value& value) { return storage_of(value).layout(); }

Value with_layout(const Value& value, Layout layout, const Execution& execution, Memory* memory) {
  const Layout wanted = meaningful(value.shape(), layout);
  if (layout_of(value) == wanted) return value;
  if (value.type().type == Type::float32)
    return transposed<float>(value, wanted, execution, memory);
  if (byte_width(value.type().type) == sizeof(double))  // bits move, whatever they mean
    return transposed<double>(value, wanted, execution, memory);
  return transposed_bytes(value, wanted, memory);
}

template <class T>
Elements<T> elements(const Value& value, Layout layout, const Execution& execution,
                     Memory* memory) {
  Value kept = with_layout(value, layout, execution, memory);
  if (kept.type().type != type_of<T>()) {
    if constexpr (std::is_floating_point_v<T>) {
      switch (kept.type().type) {
        case Type::float32:
          kept = converted<T, float>(kept, execution, memory);
          break;
        case Type::float64:
          kept = converted<T, double>(kept, execution, memory);
          break;
        case Type::int64:
          kept = converted<T, std::int64_t>(kept, execution, memory);
          break;
        case Type::boolean:
          kept = converted<T, std::uint8_t>(kept, execution, memory);
          break;
      }
    } else {
      throw Error(Fault::internal, "a tensor of type " + to_string(kept.type().type) +
                                       " was read as " + to_string(type_of<T>()));
    }
  }
  const auto* const data = static_cast<const T*>(storage_of(kept).data());
  return {std::move(kept), data};
}

template Elements<float> elements<float>(const Value&, Layout, const Execution&, Memory*);
template Elements<double> elements<double>(const Value&, Layout, const Execution&, Memory*);
template Elements<std::int64_t> elements<std::int64_t>(const Value&, Layout, const Execution&,
                                                       Memory*);
template Elements<std::uint8_t> elements<std::uint8_t>(const Value&, Layout, const Execution&,
                                                       Memory*);

}  // namespace parity::cpu
