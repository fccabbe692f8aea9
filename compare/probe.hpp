#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compare/differ.hpp"

namespace parity {

/// A stage made exact: integers for operands and parameters, chosen so that no step of any correct
/// arithmetic rounds.
///
///   MAC         |x|, |w| <= 1000 and sum |x||w| < 2^21, so that operands have at most 11 bits
///               (TF32 keeps them) and every partial sum, in any order, is an integer below 2^24
///   BatchNorm   s = +-2^j, t an integer: eps = 0, variances powers of 4, gammas powers of 2
///   alpha, beta of Gemm become 2 where they are neither 0 nor 1
///   means       of 2^k elements only; sums while they stay below 2^23
///
/// Beyond its reach, and said so: what eps does, division otherwise, elementary functions. A stage is
/// probed up to the first step of that kind.
struct ExactStage {
  Stage stage;  ///< its leading steps, with integer parameters
  std::vector<Tensor> inputs;
  /// Why the rest of the stage, or all of it (then `stage` has no steps), is left out; else empty.
  std::string left_out;
};
ExactStage exact_stage(const Stage& stage, std::uint64_t seed);

/// Runs every stage of both sides on integers of its own, and demands the same bits of both whatever
/// their contracts: every correct arithmetic gives them, so any mismatch is a bug. The plans give the
/// numerics; the request's inputs, tolerance and taps are not read.
///
/// A stage is same_bits, diverged (with the side that differs from the exact integers, and a
/// diagnosis) or not_run where nothing of it can be exact.
RunRecord probe_exact(const DiffRequest& request, std::uint64_t seed);

}  // namespace parity
