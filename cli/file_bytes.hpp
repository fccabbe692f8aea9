#pragma once

#include <string>

namespace parity::cli {

/// A whole text file. Throws Fault::io when it cannot be read, Fault::bad_input beyond 1 GiB.
std::string read_text_file(const std::string& path);

}  // namespace parity::cli
