#pragma once

#include <span>
#include <string>
#include <vector>

#include "cuda/movement.hpp"
#include "model/error.hpp"

namespace parity::cuda {

/// A walk over `extents` and the steps of several operands along its axes, neighbouring axes that every
/// operand crosses evenly made one. Throws Fault::bad_request when more than 8 axes remain.
struct Walked {
  Walk walk{};
  std::vector<Steps> steps;
};
Walked walk_of(std::span<const std::int64_t> extents,
               const std::vector<std::vector<std::int64_t>>& steps, const std::string& what);

}  // namespace parity::cuda
