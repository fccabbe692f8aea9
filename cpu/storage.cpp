#include "cpu/storage.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "cpu/threads.hpp"

namespace parity::cpu {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

/// N, C and the product of the spatial extents of a rank-3 or rank-4 type.
struct Planes {
  std::int64_t N, C, S;
};
Planes planes_of(const Shape& shape) {
  return {shape[0], shape[1], element_count(shape, 2, shape.size())};
}

/// to[n][column][row] = from[n][row][column], converting the element, in blocks that stay in the first cache.
template <class To, class From>
void transpose(const From* from, To* to, std::int64_t N, std::int64_t rows, std::int64_t columns, int threads) {
  constexpr std::int64_t block = 16;
  const std::int64_t bands = (columns + block - 1) / block;
  parallel_for(N * bands, 1, threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t job = first; job < last; ++job) {
      const std::int64_t n = job / bands, c0 = job % bands * block, c1 = std::min(columns, c0 + block);
      const From* source = from + n * rows * columns;
      To* target = to + n * rows * columns;
      for (std::int64_t r0 = 0; r0 < rows; r0 += block) {
        const std::int64_t r1 = std::min(rows, r0 + block);
        for (std::int64_t c = c0; c < c1; ++c)
          for (std::int64_t r = r0; r < r1; ++r) target[c * rows + r] = static_cast<To>(source[r * columns + c]);
      }
    }
  });
}

template <class To, class From>
void copy(const From* from, To* to, std::int64_t count, int threads) {
  parallel_for(count, std::int64_t{1} << 16, threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) to[i] = static_cast<To>(from[i]);
  });
}

template <class To, class From>
void rearrange(const Value& value, Layout layout, To* to, int threads) {
  const auto* from = static_cast<const From*>(storage_of(value).data());
  if (layout_of(value) == layout) {
    copy(from, to, element_count(value.shape()), threads);
    return;
  }
  const auto [N, C, S] = planes_of(value.shape());
  if (layout == Layout::channels_last)
    transpose(from, to, N, C, S, threads);
  else
    transpose(from, to, N, S, C, threads);
}

template <class T>
Value converted(const Value& value, Layout layout, const Execution& execution) {
  Fresh fresh({type_of<T>(), value.shape()}, layout);
  switch (value.type().type) {
    case Type::float32: rearrange<T, float>(value, layout, fresh.data<T>(), execution.threads); break;
    case Type::float64: rearrange<T, double>(value, layout, fresh.data<T>(), execution.threads); break;
    case Type::int64: rearrange<T, std::int64_t>(value, layout, fresh.data<T>(), execution.threads); break;
    case Type::boolean: rearrange<T, std::uint8_t>(value, layout, fresh.data<T>(), execution.threads); break;
  }
  return std::move(fresh).value();
}

/// channels_last means nothing for other ranks: they have one layout.
Layout meaningful(const Shape& shape, Layout layout) {
  return shape.size() == 3 || shape.size() == 4 ? layout : Layout::row_major;
}

}  // namespace

std::shared_ptr<void> allocate(std::size_t bytes) {
  const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* const data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) {
    const long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    throw Error(Fault::out_of_memory, "a tensor needs " + std::to_string(bytes) + " bytes of memory, " +
                                          std::to_string(static_cast<long long>(pages) * page) +
                                          " are available; use a smaller input or --until to run a part");
  }
  if (alignment == huge_page) madvise(data, rounded, MADV_HUGEPAGE);  // a hint: refusal costs speed, not bits
  return {data, [](void* memory) { std::free(memory); }};
}

const CpuStorage& storage_of(const Value& value) {
  const auto* storage = dynamic_cast<const CpuStorage*>(value.storage().get());
  if (storage == nullptr) throw Error(Fault::internal, "a value of another backend reached the cpu backend");
  return *storage;
}

bool is_cpu(const Value& value) { return dynamic_cast<const CpuStorage*>(value.storage().get()) != nullptr; }

Fresh::Fresh(TensorType type, Layout layout)
    : type_(std::move(type)),
      layout_(meaningful(type_.shape, layout)),
      bytes_(static_cast<std::size_t>(element_count(type_.shape)) * byte_width(type_.type)),
      memory_(allocate(bytes_)) {}

Value Fresh::value() && {
  const void* const data = memory_.get();
  return {std::move(type_), std::make_shared<const CpuStorage>(std::move(memory_), data, bytes_, layout_)};
}

Layout layout_of(const Value& value) { return storage_of(value).layout(); }

Value with_layout(const Value& value, Layout layout, const Execution& execution) {
  if (layout_of(value) == meaningful(value.shape(), layout)) return value;
  switch (value.type().type) {
    case Type::float32: return converted<float>(value, layout, execution);
    case Type::float64: return converted<double>(value, layout, execution);
    case Type::int64: return converted<std::int64_t>(value, layout, execution);
    case Type::boolean: return converted<std::uint8_t>(value, layout, execution);
  }
  throw Error(Fault::internal, "a value of no known type");
}

template <class T>
Elements<T> elements(const Value& value, Layout layout, const Execution& execution) {
  const Layout wanted = meaningful(value.shape(), layout);
  const Value kept = value.type().type == type_of<T>() && layout_of(value) == wanted
                         ? value
                         : converted<T>(value, wanted, execution);
  return {kept, static_cast<const T*>(storage_of(kept).data())};
}

template Elements<float> elements<float>(const Value&, Layout, const Execution&);
template Elements<double> elements<double>(const Value&, Layout, const Execution&);

}  // namespace parity::cpu
