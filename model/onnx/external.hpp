#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace parity::onnx_import {

/// Where external data may be read from.
struct Sandbox {
  std::filesystem::path folder;              ///< the model's own
  std::vector<std::filesystem::path> roots;  ///< named by the user: links into these are followed
};

/// Part of an external file, as a TensorProto names it.
struct ExternalRange {
  std::string location;  ///< relative to the model's folder
  std::int64_t offset = 0;
  std::int64_t length = 0;  ///< bytes the tensor needs
};

/// Reads the range into memory of its own, so that the file may change afterwards. The file must be
/// a regular file beneath the model's folder, reached without any symbolic link and having one hard
/// link; or it must lie, after links, beneath one of the roots. `tensor` is for messages. Throws
/// Fault::bad_model when the location is not allowed or the range lies outside the file, Fault::io
/// when the system refuses.
std::shared_ptr<const std::vector<std::byte>> read_external(const Sandbox& sandbox,
                                                            const ExternalRange& range,
                                                            const std::string& tensor);

}  // namespace parity::onnx_import
