#include "cli/output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "model/error.hpp"

namespace parity::cli {
namespace {

[[noreturn]] void cannot_write(const std::string& path, const std::string& why) {
  throw Error(Fault::io, "the output file '" + path + "' cannot be written: " + why + ".");
}

std::string reason() { return std::strerror(errno); }

void write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) cannot_write(path, reason());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Whether two paths lead to one regular file, which need not be there yet.
bool same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || a == "-" || b == "-") return false;
  std::error_code failed_a, failed_b;
  const std::filesystem::path place_a =
      std::filesystem::weakly_canonical(std::filesystem::absolute(a), failed_a);
  const std::filesystem::path place_b =
      std::filesystem::weakly_canonical(std::filesystem::absolute(b), failed_b);
  if (failed_a || failed_b) return a == b;
  // A device may take two outputs: /dev/null does.
  const auto status = std::filesystem::status(place_a, failed_a);
  return place_a == place_b &&
         (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status));
}

}  // namespace

void require_distinct(const std::string& model, std::span<const std::string> outputs,
                      std::span<const std::string> read) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (same_file(outputs[i], model))
      throw Error(Fault::bad_request,
                  "the output file '" + outputs[i] + "' is the model itself; name another file.");
    for (const std::string& each : read)
      if (same_file(outputs[i], each))
        throw Error(Fault::bad_request, "the output file '" + outputs[i] +
                                            "' is also what is read; name another file.");
    for (std::size_t k = 0; k < i; ++k)
      if (same_file(outputs[k], outputs[i]))
        throw Error(Fault::bad_request, "the outputs '" + outputs[k] + "' and '" + outputs[i] +
                                            "' are the same file, given twice; name two.");
  }
}

OutputFile::OutputFile(std::string path) : path_(std::move(path)) {
  if (is_standard_output()) return;
  if (path_.empty()) cannot_write(path_, "the name is empty");
  struct stat state = {};
  if (::stat(path_.c_str(), &state) == 0) {
    if (S_ISDIR(state.st_mode)) cannot_write(path_, "it is a folder; name a file inside it");
    if (!S_ISREG(state.st_mode)) {  // a pipe or a device is written in place
      if (::access(path_.c_str(), W_OK) != 0) cannot_write(path_, reason());
      partial_ = path_;
      return;
    }
    if (::access(path_.c_str(), W_OK) != 0) cannot_write(path_, reason());
  }
  partial_ = path_ + ".partial-" + std::to_string(::getpid());
  const int file = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    const std::string why = reason();
    partial_.clear();
    cannot_write(path_, why + "; its folder must exist and be writable");
  }
  ::close(file);
}

OutputFile::~OutputFile() {
  if (!partial_.empty() && partial_ != path_) ::unlink(partial_.c_str());
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(other.path_), partial_(std::exchange(other.partial_, std::string())) {}

void OutputFile::write(std::string_view bytes) {
  if (is_standard_output()) {
    write_all(STDOUT_FILENO, bytes, "standard output");
    return;
  }
  const int file = ::open(partial_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (file < 0) cannot_write(path_, reason());
  try {
    write_all(file, bytes, path_);
  } catch (...) {
    ::close(file);
    throw;
  }
  if (::close(file) != 0) cannot_write(path_, reason());
  commit();
}

void OutputFile::commit() {
  if (partial_.empty()) return;
  const std::string partial = std::exchange(partial_, std::string());
  if (partial == path_) return;
  if (::rename(partial.c_str(), path_.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(partial.c_str());
    cannot_write(path_, why);
  }
}

}  // namespace parity::cli
