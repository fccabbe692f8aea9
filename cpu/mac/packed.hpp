#pragma once

#include <string>
#include <string_view>

#include "cpu/mac/mac.hpp"
#include "model/error.hpp"

namespace parity::cpu {

/// The packed weights as the type P that `algorithm` makes, for a window with the same groups,
/// channels and taps as the one they were packed for. Throws Fault::internal when they are others.
template <class P>
const P& packed_as(const Packed& packed, const Window& window, std::string_view algorithm) {
  const P* const found = dynamic_cast<const P*>(&packed);
  if (found == nullptr)
    throw Error(Fault::internal,
                "'" + std::string(algorithm) + "' was given weights that another algorithm packed");
  const Window& made = found->packed_for();
  if (made.G != window.G || made.IC != window.IC || made.OC != window.OC || made.KH != window.KH ||
      made.KW != window.KW)
    throw Error(Fault::internal,
                "'" + std::string(algorithm) +
                    "' was given weights packed for other groups, channels or taps");
  return *found;
}

}  // namespace parity::cpu
