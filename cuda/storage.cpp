#include "cuda/storage.hpp"

#include <string>
#include <type_traits>

#include "cuda/movement.hpp"

namespace parity::cuda {

ElementType element_type(Type type) {
  switch (type) {
    case Type::float32:
      return ElementType::float32;
    case Type::float64:
      return ElementType::float64;
    case Type::int64:
      return ElementType::int64;
    case Type::boolean:
      return ElementType::boolean;
  }
  throw Error(Fault::internal, "a value has no element type");
}

const CudaStorage& storage_of(const Value& value) {
  const auto* storage = dynamic_cast<const CudaStorage*>(value.storage().get());
  if (storage == nullptr)
    throw Error(Fault::internal, "a value of another backend reached the cuda backend");
  return *storage;
}

bool is_cuda(const Value& value) {
  return dynamic_cast<const CudaStorage*>(value.storage().get()) != nullptr;
}

Layout layout_of(const Value& value) { return storage_of(value).layout(); }

Fresh::Fresh(TensorType type, Layout layout, Session& session)
    : type_(std::move(type)),
      layout_(meaningful(type_.shape, layout)),
      session_(&session),
      memory_(session.take(static_cast<std::size_t>(element_count(type_.shape)) *
                           byte_width(type_.type))) {}

Value Fresh::value() && {
  return {std::move(type_),
          std::make_shared<const CudaStorage>(std::move(memory_), session_, layout_)};
}

Value with_layout(const Value& value, Layout layout, Session& session) {
  const Layout wanted = meaningful(value.shape(), layout);
  if (layout_of(value) == wanted) return value;
  const std::size_t width = byte_width(value.type().type);
  const auto [N, C, S] = planes_of(value.shape());
  const bool last = wanted == Layout::channels_last;
  Fresh fresh(value.type(), wanted, session);
  session.check(
      launch_transpose(session.queue(), {storage_of(value).data(), fresh.data<void>(), N,
                                         last ? C : S, last ? S : C, static_cast<int>(width)}),
      "changing the layout of a tensor");
  return std::move(fresh).value();
}

template <class T>
Elements<T> elements(const Value& value, Layout layout, Session& session) {
  Value kept = with_layout(value, layout, session);
  if (kept.type().type != type_of<T>()) {
    if (!std::is_floating_point_v<T>)
      throw Error(Fault::internal, "a tensor of type " + to_string(kept.type().type) +
                                       " was read as " + to_string(type_of<T>()));
    Fresh fresh({type_of<T>(), kept.shape()}, layout_of(kept), session);
    session.check(
        launch_convert(session.queue(),
                       {storage_of(kept).data(), fresh.data<void>(), element_count(kept.shape()),
                        element_type(kept.type().type), element_type(type_of<T>())}),
        "converting a tensor to " + to_string(type_of<T>()));
    kept = std::move(fresh).value();
  }
  const auto* const data = static_cast<const T*>(storage_of(kept).data());
  return {std::move(kept), data};
}

template Elements<float> elements<float>(const Value&, Layout, Session&);
template Elements<double> elements<double>(const Value&, Layout, Session&);
template Elements<std::int64_t> elements<std::int64_t>(const Value&, Layout, Session&);
template Elements<std::uint8_t> elements<std::uint8_t>(const Value&, Layout, Session&);

}  // namespace parity::cuda
