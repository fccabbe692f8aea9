#pragma once

namespace parity {

/// How an operand becomes TF32: nearest with ties away (cvt.rna), toward zero (raw bits fed to the
/// tensor core), nearest with ties to even (cvt.rn, sm_90 upward). C++17, so that device code names
/// it too.
enum class Rounding { rna, truncate, rn };

}  // namespace parity
