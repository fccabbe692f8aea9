#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compare/misread.hpp"
#include "model/backend.hpp"

namespace parity {

/// One fault in one stage.
struct Injection {
  int stage = 0;  ///< Stage::id
  Bug bug = Bug::ulp_bumped;
  /// What it means stands at the bug's row (compare/misread/, compare/inject.cpp).
  double amount = 1;
  std::uint64_t seed = 7;  ///< picks the element or the channel
};

/// All bugs, for tests and `selftest`.
std::span<const Bug> all_bugs();
/// The bug's number in NUMERICS section 5.2; 0: not listed there.
int zoo_number(Bug bug);
/// What the faulty stage does: "the kernel is read with its rows and columns exchanged".
std::string_view meaning(Bug bug);
/// Amounts that the selftest seats: from far above to near the size of a rounding.
std::vector<double> amounts(Bug bug, const PlannedStage& stage);
/// What a diagnosis should call it. Two bugs are the same to whoever sees only tensors when one run
/// of one is one run of the other: a flip of bit 0 is a bump of one ULP, and whatever changes
/// between runs is `run_to_run`.
Bug expected_label(const Injection& injection);

/// Whether the fault can be seated in this stage at all (wrong_epsilon needs a BatchNorm, and so
/// on).
bool applies(const Injection& injection, const PlannedStage& stage);

/// A backend that behaves like `inner`, except for one fault in one stage. Reading::magnitudes is
/// left alone: bounds are honest. `inner` must outlive it.
std::unique_ptr<Backend> inject(Backend& inner, const Injection& injection);

}  // namespace parity
