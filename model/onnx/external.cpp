#include "model/onnx/external.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "model/error.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

namespace fs = std::filesystem;

/// Owns a file descriptor; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Opens a file strictly beneath `root`: the kernel refuses every link and every way out. Errno on
/// failure.
struct Opened {
  Descriptor file;
  int error = 0;
};
Opened open_beneath(const fs::path& root, const std::string& relative) {
  const fs::path folder = root.empty() ? fs::path(".") : root;
  const Descriptor directory(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return {Descriptor(-1), errno};
  open_how how{};
  // O_NONBLOCK: a FIFO in the folder must not hang the lab before fstat can refuse it
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, directory.get(), relative.c_str(), &how, sizeof how);
  return {Descriptor(static_cast<int>(fd)), fd < 0 ? errno : 0};
}

struct stat status_of(const Descriptor& file, const std::string& action) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0) throw Error(Fault::io, action + ": " + std::strerror(errno));
  return status;
}

/// The part of `path` below `root` when it lies there, both without links.
std::optional<std::string> beneath(const fs::path& root, const fs::path& path) {
  const auto [end, rest] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  if (end != root.end() || rest == path.end()) return std::nullopt;
  fs::path relative;
  for (auto part = rest; part != path.end(); ++part) relative /= *part;
  return relative.string();
}

/// The file by way of the roots: as a name beneath a root, or linked from the model's folder into
/// one.
std::optional<Descriptor> open_in_roots(const Sandbox& sandbox, const std::string& location) {
  std::vector<fs::path> candidates;
  candidates.push_back(sandbox.folder / location);
  for (const fs::path& root : sandbox.roots) candidates.push_back(root / location);
  for (const fs::path& candidate : candidates) {
    std::error_code failed;
    const fs::path target = fs::canonical(candidate, failed);
    if (failed) continue;
    for (const fs::path& root : sandbox.roots) {
      const fs::path canonical_root = fs::canonical(root, failed);
      if (failed) continue;
      const std::optional<std::string> relative = beneath(canonical_root, target);
      if (!relative) continue;
      // the path is free of links now, so the strict open takes it unless somebody swapped a link
      // in
      Opened opened = open_beneath(canonical_root, *relative);
      if (opened.error == 0) return std::move(opened.file);
    }
  }
  return std::nullopt;
}

std::string reason(int error) {
  switch (error) {
    case ELOOP:
      return "a symbolic link is on the way, and links are not followed";
    case EXDEV:
      return "it lies outside the model's folder";
    case ENOENT:
    case ENOTDIR:
      return "there is no such file";
    default:
      return std::strerror(error);
  }
}

}  // namespace

std::shared_ptr<const std::vector<std::byte>> read_external(const Sandbox& sandbox,
                                                            const ExternalRange& range,
                                                            const std::string& tensor) {
  const std::string action =
      "cannot read the external data " + shown(range.location) + " of tensor " + shown(tensor);
  const std::string advice =
      ". If the file is meant to lie elsewhere (a model cache), name its folder with "
      "--external-root DIR.";
  if (range.location.empty() || range.location.find('\0') != std::string::npos ||
      fs::path(range.location).is_absolute())
    throw Error(Fault::bad_model,
                action + ": the location must be a path relative to the model's folder" + advice);

  Opened opened = open_beneath(sandbox.folder, range.location);
  std::string refused;
  if (opened.error == ENOSYS || opened.error == EPERM)
    throw Error(
        Fault::io,
        action +
            ": the system call openat2, by which the lab keeps a model inside its folder, is " +
            "not available (" + std::strerror(opened.error) +
            "). Use Linux 5.6 or newer, or store the weights inside the model file.");
  if (opened.error != 0) {
    refused = reason(opened.error);
  } else {
    const struct stat status = status_of(opened.file, action);
    if (!S_ISREG(status.st_mode))
      refused = "it is not a regular file";
    else if (status.st_nlink != 1)
      refused = "it has " + std::to_string(status.st_nlink) +
                " hard links, so it may be somebody else's file";
  }
  std::optional<Descriptor> rooted;
  if (!refused.empty() && !sandbox.roots.empty()) rooted = open_in_roots(sandbox, range.location);
  if (!refused.empty() && !rooted) throw Error(Fault::bad_model, action + ": " + refused + advice);
  const Descriptor& file = rooted ? *rooted : opened.file;

  const struct stat status = status_of(file, action);
  if (!S_ISREG(status.st_mode))
    throw Error(Fault::bad_model, action + ": it is not a regular file");
  if (range.offset < 0 || range.length < 0 || range.offset > status.st_size ||
      range.length > status.st_size - range.offset)
    throw Error(Fault::bad_model,
                action + ": bytes " + std::to_string(range.offset) + " to " +
                    std::to_string(range.offset) + " + " + std::to_string(range.length) +
                    " are asked for, but the file has " + std::to_string(status.st_size) +
                    ". Copy the data file again.");
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(range.length));
  std::size_t done = 0;
  while (done < bytes->size()) {
    const ssize_t got = pread(file.get(), bytes->data() + done, bytes->size() - done,
                              range.offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(Fault::io, action + ": " + std::strerror(errno));
    if (got == 0) throw Error(Fault::io, action + ": the file became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace parity::onnx_import
