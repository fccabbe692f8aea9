#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "model/named_tensor.hpp"

namespace parity {

/// Reads a NumPy .npy file, versions 1 to 3: C and Fortran order, little- and big-endian, f2 f4 f8,
/// integers of 1 to 8 bytes, bool; never pickled objects. f2 becomes float32 and integers become
/// int64, both exactly; `declared` says so. The format has no name for its tensor. Throws Fault::bad_input when it is none or does not hold what its header
/// says, Fault::io when it cannot be read.
NamedTensor read_npy(const std::filesystem::path& file);

/// The same from bytes; `what` is how messages call them ("'x.npy'").
NamedTensor parse_npy(std::span<const std::byte> bytes, const std::string& what);

/// What stands before a tensor's elements in a .npy file (version 1.0, C order, little-endian), so
/// that header and elements together are the file.
std::string npy_header(const TensorType& type);

/// Fills a buffer from a stream of bytes; returns how many there were, fewer than asked only at the
/// end.
using ByteSource = std::function<std::size_t(void*, std::size_t)>;

/// Reads a .npy from a stream that claims `size` bytes and must hold exactly these. Nothing is
/// allocated for elements before the header's own count of bytes equals that claim.
NamedTensor read_npy(const ByteSource& source, std::uint64_t size, const std::string& what);

}  // namespace parity
