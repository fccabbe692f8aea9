#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace parity::cli {

/// A folder of this process's own for files between processes; removed with everything in it.
class ScratchFolder {
 public:
  /// Throws Fault::io when there is no place for one.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

/// Runs this very program once more, as a process of its own, with these arguments; its standard
/// output is dropped. Throws Fault::device, with what it said on standard error, unless it ends
/// with exit code 0.
void run_program(const std::vector<std::string>& arguments, const ScratchFolder& scratch);

}  // namespace parity::cli
