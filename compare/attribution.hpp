#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/backend.hpp"
#include "model/plan.hpp"

namespace parity {

/// A clause of the arithmetic that may differ between two sides, in the order in which they are
/// switched. recording: what rounding it to float16 did to a recording. fault: no arithmetic, but what a diagnosis proved. rest: what nothing explains.
enum class Cause {
  operand_rounding,
  accumulator,
  order,
  batch_norm,
  function,
  subnormals,
  recording,
  fault,
  rest
};
std::string_view name(Cause cause);
std::optional<Cause> cause_named(std::string_view text);

/// One bar of the waterfall.
struct CauseShare {
  Cause cause = Cause::rest;
  std::string what;  ///< "tf32 operand rounding (rna)", "accumulator (tensor:k8f25)"
  double share = 0;  ///< <e_i, e> / <e, e>; may be negative, all together 1
};

/// An emulation explains something of an error when it leaves less than this part of it: two orders
/// of float32 leave as much of each other's error by chance.
inline constexpr double left_by_chance = 0.5;

/// The introduced error e = l - a of one stage, taken apart: each clause of a's arithmetic in turn
/// becomes b's, on the input that both sides were given.
struct Attribution {
  std::vector<CauseShare> causes;  ///< in switching order, rest last
  /// The arithmetic whose emulation on the CPU has b's bits, every one of them; empty when none
  /// that was tried has.
  std::string certificate;
  /// How an unknown program summed, as far as a sample of elements shows it: "chains of 128 terms
  /// (c, r, s), added in order: the bits of all 512 sampled elements, …"; else empty.
  std::string summation;
  std::string nearest;          ///< the emulated arithmetic with the smallest residual
  double nearest_residual = 1;  ///< ||b - emulation||^2 / ||b - a||^2
  int runs = 0;                 ///< of the stage, at most ten
};

/// A cause over the whole network, weighted by the stages' shares of the final error.
struct CauseTotal {
  Cause cause = Cause::rest;
  std::string what;
  double share = 0;
};

/// How many stages diff() attributes: the first diverging one and those with the largest shares.
inline constexpr std::size_t attribute_none = 0;
inline constexpr std::size_t attribute_all = std::numeric_limits<std::size_t>::max();

/// A fault that a diagnosis proved: none where it has no words.
struct ProvedFault {
  std::string words;  ///< "kernel axes swapped"
  double leaves = 0;  ///< of the difference's energy
  bool bits = false;  ///< it gives b's very bits
};

struct AttributionRequest {
  const Stage& stage;  ///< as cut, BatchNorm kept
  const PlannedStage& a;
  /// What b says that it runs. Null for a program that nobody knows: then the nearest emulation
  /// stands in.
  const PlannedStage* b;
  Backend& host;  ///< emulates
  Execution execution;
  std::span<const Value> inputs;  ///< the shared input
  const Value& a_output;          ///< of output 0, all readable by host
  const Value& b_output;
  /// An unknown program may have used TF32.
  bool tf32_permitted = false;
  /// Whether b's distance from exact is what the order of float32 summation alone would make:
  /// then what remains of an unknown program's error is called order.
  bool rest_is_order = false;
  bool within_bound = false;  ///< whether b's output is, around exact
  /// What of a recording was rounded to float16 when it was made.
  bool recorded_in_half = false, inputs_in_half = false;
  ProvedFault fault = {};
  /// Whether a is the side that is wrong, and the fault a's: then a's output is not what a's own
  /// arithmetic makes.
  bool a_blamed = false;
};

/// Nothing where a's and b's bits agree or differ by infinities and NaN alone.
std::optional<Attribution> attribute(const AttributionRequest& request);

}  // namespace parity
