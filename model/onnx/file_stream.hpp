#pragma once

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace parity::onnx_import {

/// Feeds a file to the parser and hashes the bytes as they pass, so that what was parsed is what
/// was hashed and the file is never in memory beside the message.
class HashedFile final : public google::protobuf::io::CopyingInputStream {
 public:
  /// Throws Fault::io when the file cannot be opened or is no regular file.
  explicit HashedFile(const std::filesystem::path& file);

  int Read(void* buffer, int size) override;
  /// Throws Fault::io when reading failed on the way.
  void check() const;
  /// XXH3-128 of what was read, 32 lower-case hex digits.
  std::string digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::filesystem::path path_;
  std::ifstream stream_;
  std::unique_ptr<XXH3_state_t, Free> state_;
};

/// XXH3-128 in canonical order, 32 lower-case hex digits.
std::string digest_text(XXH128_hash_t hash);

}  // namespace parity::onnx_import
