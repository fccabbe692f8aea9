#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "model/arithmetic/fill.hpp"

namespace parity {

/// Numbers drawn one after the other.
class Draw {
 public:
  Draw(std::uint64_t seed, std::string_view stream) : random_(seed, stream) {}
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(random_.bits(next_++) % static_cast<std::uint64_t>(count));
  }
  /// Once in `times`.
  bool once_in(std::int64_t times) { return below(times) == 0; }
  double between(double low, double high) { return low + (high - low) * random_.uniform(next_++); }

 private:
  Counter random_;
  std::uint64_t next_ = 0;
};

}  // namespace parity
