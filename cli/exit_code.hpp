#pragma once

#include "model/error.hpp"

namespace parity::cli {

/// What the program tells its caller. Of several, device > invalid > diverged > incomplete >
/// consistent.
enum class ExitCode {
  consistent =
      0,  ///< same bits, or explained by arithmetic, and within the tolerance if one was given
  diverged = 1,    ///< a stage leaves its bound, or the tolerance is exceeded
  usage = 2,       ///< the command line asks for what does not exist
  invalid = 3,     ///< the model or an input is invalid or unsupported
  incomplete = 4,  ///< untrusted or not_run stages: no claim can be made
  device = 5       ///< a device, memory or the environment failed
};

constexpr ExitCode exit_code(Fault fault) {
  switch (fault) {
    case Fault::bad_request:
      return ExitCode::usage;
    case Fault::bad_model:
    case Fault::bad_input:
      return ExitCode::invalid;
    case Fault::device:
    case Fault::out_of_memory:
    case Fault::io:
    case Fault::internal:
      return ExitCode::device;
  }
  return ExitCode::device;
}

}  // namespace parity::cli
