#include "model/onnx/file_stream.hpp"

#include <cerrno>
#include <cstring>

#include "model/error.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {

HashedFile::HashedFile(const std::filesystem::path& file)
    : path_(file), state_(XXH3_createState()) {
  const std::string action = "cannot read " + shown(file.string());
  std::error_code failed;
  const std::filesystem::file_status status = std::filesystem::status(file, failed);
  if (status.type() == std::filesystem::file_type::not_found)
    throw Error(Fault::io, action + ": there is no such file");
  if (failed) throw Error(Fault::io, action + ": " + failed.message());
  if (status.type() != std::filesystem::file_type::regular)
    throw Error(Fault::io, action + ": it is not a regular file");
  errno = 0;
  stream_.open(file, std::ios::binary);
  if (!stream_) throw Error(Fault::io, action + ": " + std::strerror(errno));
  if (!state_ || XXH3_128bits_reset(state_.get()) == XXH_ERROR) throw std::bad_alloc();
}

int HashedFile::Read(void* buffer, int size) {
  stream_.read(static_cast<char*>(buffer), size);
  const std::streamsize got = stream_.gcount();
  if (stream_.bad()) return -1;
  XXH3_128bits_update(state_.get(), buffer, static_cast<std::size_t>(got));
  return static_cast<int>(got);
}

void HashedFile::check() const {
  if (stream_.bad())
    throw Error(Fault::io, "cannot read " + shown(path_.string()) +
                               ": the system reported an error on the way");
}

std::string HashedFile::digest() const { return digest_text(XXH3_128bits_digest(state_.get())); }

std::string digest_text(XXH128_hash_t hash) {
  constexpr char digits[] = "0123456789abcdef";
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace parity::onnx_import
