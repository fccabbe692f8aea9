#pragma once

#include <string>

#include "model/tensor.hpp"

namespace parity {

/// A tensor and what a file calls it.
struct NamedTensor {
  std::string name;  ///< maybe empty where the format allows it
  Tensor tensor;
  /// The element type as the file names it where the lab holds its values in a wider one: "int32".
  std::string declared = {};
};

/// "int32 1x3": a type and shape, the element type by its `declared` name where it has one.
inline std::string type_text(const TensorType& type, const std::string& declared) {
  return (declared.empty() ? to_string(type.type) : declared) + " " + to_string(type.shape);
}

}  // namespace parity
