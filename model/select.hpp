#pragma once

#include "model/numerics.hpp"
#include "model/op.hpp"
#include "model/ops_fwd.hpp"

namespace parity {

/// Decides how one step is computed. A pure function shared by all backends: it may read the op's
/// channels, groups, kernel, stride and dilation and the numerics, never batch, spatial size,
/// threads or memory. Throws Fault::bad_request when no algorithm keeps the request (tf32 without
/// an arch that has it, a promise that the algorithm demanded does not make).
Contract select(const Op& op, const OperandTypes& types, const Numerics& numerics);

}  // namespace parity
