#pragma once

#include <stdexcept>
#include <string>

namespace parity {

/// The caller's file and line. Stands in for std::source_location, which clang 14 cannot compile.
struct Where {
  const char* file;
  int line;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Why the lab cannot go on. The program's exit code follows from it (cli/exit_code.hpp).
enum class Fault {
  bad_request,    ///< the command line asks for something that does not exist (exit 2)
  bad_model,      ///< the model file is invalid or needs what the lab does not support (exit 3)
  bad_input,      ///< a tensor file or generator does not fit the model (exit 3)
  device,         ///< a device is missing or failed (exit 5)
  out_of_memory,  ///< not enough memory on the named device (exit 5)
  io,             ///< the environment refused to read or write (exit 5)
  internal        ///< the lab broke its own precondition: a defect of the lab (exit 5)
};

/// A reason the lab cannot go on, as a sentence: what was attempted, on what, why it failed, what
/// to do. A numerical disagreement is never an Error: it is a Verdict.
class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& what, Where where = Where::here())
      : std::runtime_error(what), fault_(fault), where_(where) {}

  Fault fault() const noexcept { return fault_; }
  Where where() const noexcept { return where_; }

 private:
  Fault fault_;
  Where where_;
};

}  // namespace parity
