#include "model/comparison.hpp"

#include <fmt/format.h>

namespace parity {

std::string to_string(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.lane[0], digest.lane[1]);
}

}  // namespace parity
