#pragma once

#include "compare/forwarding.hpp"

namespace parity {

/// A backend that has every algorithm there is, as far as plans are concerned.
class Accepting final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  std::optional<Refusal> refuses(const PlannedStage&) const override { return std::nullopt; }
};

}  // namespace parity
