#pragma once

#include "model/numerics.hpp"

namespace parity::cpu {

/// Whether this processor (and this build) can run kernels of that width. best and scalar: always.
bool has(InstructionSet set);

/// The width to run: best becomes the widest the processor has. Throws Fault::device when it lacks
/// the one asked for; a narrower one is never taken instead.
InstructionSet resolve(InstructionSet set);

}  // namespace parity::cpu
