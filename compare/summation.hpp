#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/backend.hpp"

namespace parity {

/// One way to add the products of a convolution or a matrix product in float32, as libraries do it
/// (NUMERICS section 5: their block of channels, their blocking of K, their split of K).
struct Summation {
  enum class Grouping {
    chain,   ///< one chain
    chunks,  ///< chains of `count` terms, their sums added in order
    splits,  ///< `count` chains of equal length, their sums added in order
    lanes    ///< `count` interleaved chains, their sums added pairwise
  };
  /// Channels in a block of the order of terms: (c div block, r, s, c mod block); 1: (c, r, s), 0:
  /// (r, s, c). A product has one order, k.
  std::int64_t block = 32;
  Grouping grouping = Grouping::chain;
  std::int64_t count = 1;
  bool fused = true;       ///< fused multiply-add; else products are rounded first
  bool from_bias = false;  ///< the bias starts the sum; else it is added last
  bool image = true;       ///< of a convolution
  std::string norm = {};   ///< how BatchNorm was computed, where not as the lab does it

  /// "chains of 128 terms over (c, r, s), added in order".
  std::string text() const;
};

/// An order that gives every bit of a program's output, on a sample or on all of it.
struct FoundSummation {
  Summation how;
  std::int64_t elements = 0;  ///< compared, all with the same bits
  std::int64_t telling = 0;   ///< of them, whose bits `chain` does not give
  bool whole = false;         ///< compared on every element
};

struct SummationSearch {
  const PlannedStage& planned;  ///< in float32; its head multiplies by constant weights
  Backend& host;
  const Execution& execution;
  std::span<const Value> inputs;  ///< readable by host
  const Value& output;            ///< what the program made of them
  bool whole = false;             ///< hold what fits the sample to every element
};

/// Tries some 300 orders on a few hundred elements where the program's bits are not those of
/// `chain`, simplest first, each with BatchNorm as the lab computes it and with constants made in
/// float32. No run of the stage: only its epilogue is run, on the sample. Nothing when none fits,
/// fewer than 20 elements tell, or the stage is of another form (its head no product with constant
/// weights; a transposition, or constants with extents in space, behind it).
std::optional<FoundSummation> find_summation(const SummationSearch& search);

}  // namespace parity
