#include "model/onnx/weights.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "model/error.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

static_assert(std::endian::native == std::endian::little,
              "raw_data is little-endian and is taken as it lies");

constexpr int largest_rank = 16;

/// One ONNX element type that the lab can hold.
struct Held {
  Type type;              ///< after import
  std::size_t raw_width;  ///< bytes per element in raw_data
};

std::optional<Held> held(int onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT:
      return Held{Type::float32, 4};
    case onnx::TensorProto::DOUBLE:
      return Held{Type::float64, 8};
    case onnx::TensorProto::INT64:
      return Held{Type::int64, 8};
    case onnx::TensorProto::INT32:
      return Held{Type::int64, 4};
    case onnx::TensorProto::BOOL:
      return Held{Type::boolean, 1};
    default:
      return std::nullopt;
  }
}

std::int64_t parse_number(const std::string& text, const std::string& key,
                          const std::string& action) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    throw Error(Fault::bad_model, action + ": its external data gives " + key + " as " +
                                      shown(text) + ", which is no count of bytes");
  return number;
}

ExternalRange external_range(const onnx::TensorProto& proto, std::int64_t needed,
                             const std::string& action) {
  ExternalRange range;
  range.length = needed;
  std::vector<std::string> seen;
  for (const onnx::StringStringEntryProto& entry : proto.external_data()) {
    for (const std::string& key : seen)
      if (key == entry.key())
        throw Error(Fault::bad_model,
                    action + ": its external data gives " + shown(key) + " twice");
    seen.push_back(entry.key());
    if (entry.key() == "location") {
      range.location = entry.value();
    } else if (entry.key() == "offset") {
      range.offset = parse_number(entry.value(), "offset", action);
    } else if (entry.key() == "length") {
      const std::int64_t length = parse_number(entry.value(), "length", action);
      if (length != needed)
        throw Error(Fault::bad_model, action + ": its external data has " + std::to_string(length) +
                                          " bytes, its shape needs " + std::to_string(needed));
    } else if (entry.key() != "checksum") {
      throw Error(Fault::bad_model, action + ": its external data has the unknown key " +
                                        shown(entry.key()) +
                                        "; known are location, offset, length and checksum");
    }
  }
  return range;
}

/// Elements as they lie in memory, whoever owns them.
struct Bytes {
  std::shared_ptr<const void> owner;
  const void* data = nullptr;
  std::size_t size = 0;
};

template <class Stored, class Field>
std::vector<Stored> converted(const Field& field, const std::string& action,
                              std::int64_t elements) {
  if (field.size() != elements)
    throw Error(Fault::bad_model, action + ": it holds " + std::to_string(field.size()) +
                                      " elements, its shape needs " + std::to_string(elements));
  return {field.begin(), field.end()};
}

/// From bytes of the file's element type to the lab's.
Tensor from_bytes(const onnx::TensorProto& proto, const Held& held, Shape shape, Bytes bytes,
                  const std::string& action) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  if (proto.data_type() == onnx::TensorProto::INT32) {
    std::vector<std::int64_t> wide(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::int32_t narrow = 0;
      std::memcpy(&narrow, static_cast<const char*>(bytes.data) + 4 * i, 4);
      wide[i] = narrow;
    }
    return Tensor::of(std::move(shape), std::move(wide));
  }
  if (held.type == Type::boolean) {
    const auto* flags = static_cast<const std::uint8_t*>(bytes.data);
    for (std::size_t i = 0; i < count; ++i)
      if (flags[i] > 1)
        throw Error(Fault::bad_model,
                    action + ": a bool element is " + std::to_string(flags[i]) + ", not 0 or 1");
  }
  if (count == 0 || reinterpret_cast<std::uintptr_t>(bytes.data) % held.raw_width == 0)
    return Tensor({held.type, std::move(shape)}, std::move(bytes.owner), bytes.data);
  auto aligned = std::make_shared<std::vector<std::int64_t>>((bytes.size + 7) / 8);
  std::memcpy(aligned->data(), bytes.data, bytes.size);
  const void* data = aligned->data();
  return Tensor({held.type, std::move(shape)}, std::move(aligned), data);
}

Tensor from_fields(const onnx::TensorProto& proto, Shape shape, const std::string& action) {
  const std::int64_t elements = element_count(shape);
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      return Tensor::of(std::move(shape), converted<float>(proto.float_data(), action, elements));
    case onnx::TensorProto::DOUBLE:
      return Tensor::of(std::move(shape), converted<double>(proto.double_data(), action, elements));
    case onnx::TensorProto::INT64:
      return Tensor::of(std::move(shape),
                        converted<std::int64_t>(proto.int64_data(), action, elements));
    case onnx::TensorProto::INT32:
      return Tensor::of(std::move(shape),
                        converted<std::int64_t>(proto.int32_data(), action, elements));
    default: {
      for (const std::int32_t flag : proto.int32_data())
        if (flag != 0 && flag != 1)
          throw Error(Fault::bad_model,
                      action + ": a bool element is " + std::to_string(flag) + ", not 0 or 1");
      return Tensor::of(std::move(shape),
                        converted<std::uint8_t>(proto.int32_data(), action, elements));
    }
  }
}

std::string advice_for(int onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return "The lab compares float32 networks: export the model without half precision "
             "(model.float()).";
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
      return "The lab does not run quantised networks: export the model before quantisation.";
    default:
      return "The lab holds float32, int64, int32 and bool constants: export the model with those.";
  }
}

}  // namespace

std::string type_name(int onnx_type) {
  static constexpr const char* names[] = {
      "undefined",      "float32",    "uint8",          "int8",       "uint16",   "int16",
      "int32",          "int64",      "string",         "bool",       "float16",  "float64",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};
  if (onnx_type >= 0 && onnx_type < static_cast<int>(std::size(names))) return names[onnx_type];
  return "element type " + std::to_string(onnx_type);
}

std::optional<std::string> refusal_of_type(int onnx_type) {
  if (held(onnx_type)) return std::nullopt;
  return "it is " + type_name(onnx_type) + ". " + advice_for(onnx_type);
}

Constant to_constant(onnx::TensorProto& proto, const Sandbox& sandbox, Doubles doubles) {
  const std::string action = "cannot use tensor " + shown(proto.name());
  if (const std::optional<std::string> refusal = refusal_of_type(proto.data_type()))
    throw Error(Fault::bad_model, action + ": " + *refusal);
  const std::optional<Held> kind = held(proto.data_type());
  if (proto.has_segment())
    throw Error(Fault::bad_model, action + ": it is stored in segments, which no exporter writes");
  if (proto.dims_size() > largest_rank)
    throw Error(Fault::bad_model, action + ": it has " + std::to_string(proto.dims_size()) +
                                      " dimensions; the lab takes at most " +
                                      std::to_string(largest_rank));
  Shape shape(proto.dims().begin(), proto.dims().end());
  std::int64_t elements = 0;
  try {
    elements = element_count(shape);
  } catch (const Error& error) {
    throw Error(Fault::bad_model, action + ": " + error.what());
  }
  const std::int64_t needed = elements * static_cast<std::int64_t>(kind->raw_width);  // <= 2^33 * 8
  const bool fields = proto.float_data_size() + proto.double_data_size() + proto.int32_data_size() +
                          proto.int64_data_size() >
                      0;

  std::optional<Tensor> tensor;
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    if (proto.has_raw_data() || fields)
      throw Error(Fault::bad_model, action + ": it has both external data and data of its own");
    const auto bytes = read_external(sandbox, external_range(proto, needed, action), proto.name());
    tensor =
        from_bytes(proto, *kind, std::move(shape), {bytes, bytes->data(), bytes->size()}, action);
  } else if (proto.has_raw_data()) {
    if (fields)
      throw Error(Fault::bad_model, action + ": it has its elements twice, raw and typed");
    if (static_cast<std::int64_t>(proto.raw_data().size()) != needed)
      throw Error(Fault::bad_model,
                  action + ": it holds " + std::to_string(proto.raw_data().size()) +
                      " bytes, its shape " + to_string(shape) + " needs " + std::to_string(needed));
    auto bytes = std::make_shared<const std::string>(std::move(*proto.mutable_raw_data()));
    tensor =
        from_bytes(proto, *kind, std::move(shape), {bytes, bytes->data(), bytes->size()}, action);
  } else {
    tensor = from_fields(proto, std::move(shape), action);
  }

  Constant constant{with_canonical_nan(*tensor), {}};
  if (kind->type == Type::float64 && doubles == Doubles::rounded) {
    const Tensor rounded = to_float32(constant.tensor);
    std::int64_t changed = 0;
    const std::span<const double> before = constant.tensor.values<double>();
    const std::span<const float> after = rounded.values<float>();
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i] == before[i] && static_cast<double>(after[i]) != before[i]) ++changed;
    constant.lints.push_back("constant " + shown(proto.name()) +
                             " is float64 and was rounded to float32; " + std::to_string(changed) +
                             " of " + std::to_string(elements) + " values changed");
    constant.tensor = rounded;
  }
  return constant;
}

}  // namespace parity::onnx_import
