#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/graph.hpp"
#include "model/numerics.hpp"

namespace parity {

/// Name and value, as they were when the program began.
using Variables = std::vector<std::pair<std::string, std::string>>;

/// Why environment variables that a vendor's library obeys contradict what a spec asks of these stages, as a
/// sentence that names the variable, its value, the stage and what to do; nothing when none does. Only
/// contracts that go through such a library (gemm:cublas) can be contradicted: paritylab's own kernels read
/// no variable. Asks no backend, so that it is told before a device shows the effect. Throws what select()
/// throws.
std::optional<std::string> contradiction(const Variables& variables, std::span<const Stage> stages,
                                         const Numerics& numerics, const std::string& spec);

/// Throws Fault::device with that sentence.
void demand_no_contradiction(const Variables& variables, std::span<const Stage> stages,
                             const Numerics& numerics, const std::string& spec);

}  // namespace parity
