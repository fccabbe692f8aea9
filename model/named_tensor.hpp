#pragma once

#include <string>

#include "model/tensor.hpp"

namespace parity {

/// A tensor and what a file calls it.
struct NamedTensor {
  std::string name;  ///< maybe empty where the format allows it
  Tensor tensor;
};

}  // namespace parity
