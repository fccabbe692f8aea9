#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "model/named_tensor.hpp"

namespace parity {

/// Reads every array of a NumPy .npz archive, in the archive's order, under its name without
/// ".npy". Throws Fault::bad_input: an archive that is damaged or inconsistent, two members of one
/// name, an encrypted member or one that is no .npy, sizes that do not hold, more than
/// `largest_bytes` in all. Fault::io when unreadable.
std::vector<NamedTensor> read_npz(const std::filesystem::path& file,
                                  std::uint64_t largest_bytes = std::uint64_t{1} << 36);

/// Writes a .npz member by member, so that no more than one tensor need be in memory. The bytes
/// depend on names and tensors alone: members are stored uncompressed with a fixed time stamp.
class NpzWriter {
 public:
  /// Creates or empties the file. Throws Fault::io when it cannot.
  explicit NpzWriter(std::filesystem::path file);
  /// Throws Fault::io when the disk is full or the like, Fault::internal for a name that is empty,
  /// 65,000 bytes long or there already.
  void add(const std::string& name, const Tensor& tensor);
  /// Writes the directory. Without it the file is no archive.
  void finish();

 private:
  struct Member {
    std::string name;
    std::uint64_t offset = 0, size = 0;
    std::uint32_t checksum = 0;
  };
  void write(const void* data, std::size_t bytes);
  void check();

  std::filesystem::path file_;
  std::ofstream stream_;
  std::uint64_t written_ = 0;
  std::vector<Member> members_;
};

/// The whole archive at once, under a temporary name beside `file` until it is complete. Throws as
/// the writer.
void write_npz(const std::filesystem::path& file, std::span<const NamedTensor> tensors);

}  // namespace parity
