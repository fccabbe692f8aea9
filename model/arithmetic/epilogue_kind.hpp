#pragma once

namespace parity {

/// What an epilogue step does to an element y of channel c, with operands a and b. C++17, so that device
/// code names it too.
enum class EpilogueKind {
  add,     ///< y = add(y, a[c]): a bias or a constant
  fma,     ///< y = fma(y, a[c], b[c]): BatchNorm
  mul,     ///< y = mul(y, a[c])
  relu,    ///< y > 0 ? y : (y != y ? y : +0)
  sigmoid  ///< model/arithmetic/sequences.hpp
};

}  // namespace parity
