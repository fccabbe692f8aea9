#pragma once

#include <string>
#include <string_view>

#include "model/numerics.hpp"

namespace parity {

/// BACKEND:MATH[@ARCH][,CLAUSE=VALUE]… or capture:FILE.npz, as given to --a, --b and --on.
struct Spec {
  std::string text;     ///< as written
  std::string backend;  ///< "cpu", "cuda", "capture"
  Numerics numerics;    ///< meaningless for a capture, except conv/matmul (capture:F.npz,math=tf32)
  std::string file;     ///< of a capture
  std::string plan_file;  ///< clause plan=FILE, else empty
  int device = 0;
};

/// Parses a spec. Throws Fault::bad_request: unknown backend, math, arch or clause, each with the
/// list of what there is; `cpu:tf32` without @ARCH with the list of archs (a CPU has no tensor core
/// of its own, so the generation to model must be named).
Spec parse_spec(std::string_view text);

}  // namespace parity
