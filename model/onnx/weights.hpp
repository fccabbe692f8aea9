#pragma once

#include <onnx/onnx_pb.h>

#include <optional>
#include <string>
#include <vector>

#include "model/onnx/external.hpp"
#include "model/tensor.hpp"

namespace parity::onnx_import {

/// A TensorProto as the lab holds it.
struct Constant {
  Tensor tensor;
  std::vector<std::string> lints;
};

/// Whether float64 elements stay (a test's data) or become float32 with a lint (a model's
/// constants).
enum class Doubles { kept, rounded };

/// Converts a TensorProto: float32, float64, int64, bool as they are; int32 widened to int64. Sizes
/// are checked before anything is allocated. `raw_data` is taken out of the proto, not copied.
/// Throws Fault::bad_model naming the tensor: other types, sizes that do not fit, external data
/// that may not be read.
Constant to_constant(onnx::TensorProto& proto, const Sandbox& sandbox, Doubles doubles);

/// Why elements of this TensorProto::DataType cannot be held, with advice; nothing when they can.
std::optional<std::string> refusal_of_type(int onnx_type);

/// "float16" for a TensorProto::DataType.
std::string type_name(int onnx_type);

}  // namespace parity::onnx_import
