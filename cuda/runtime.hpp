#pragma once

#include <memory>

#include "cuda/api.hpp"

namespace parity::cuda {

/// The table of functions over the CUDA runtime that this build links. Needs no driver to be made: without
/// one its calls fail.
std::shared_ptr<Api> cuda_runtime();

}  // namespace parity::cuda
