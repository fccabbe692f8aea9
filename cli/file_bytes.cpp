#include "cli/file_bytes.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/error.hpp"

namespace parity::cli {

std::string read_text_file(const std::string& path) {
  const auto refuse = [&](Fault fault, const std::string& why) {
    throw Error(fault, "the file '" + path + "' cannot be read: " + why + ".");
  };
  std::error_code status;
  if (std::filesystem::is_directory(path, status)) refuse(Fault::bad_input, "it is a folder");
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(Fault::bad_input, std::strerror(errno));
  constexpr std::uintmax_t largest = std::uintmax_t{1} << 30;
  if (const auto size = std::filesystem::file_size(path, status); !status && size > largest)
    refuse(Fault::bad_input, "it is larger than 1 GiB");
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) refuse(Fault::bad_input, "reading it failed");
  return std::move(text).str();
}

}  // namespace parity::cli
