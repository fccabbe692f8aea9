#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace parity {

/// Puts files of a folder into a ZIP archive, stored, under a fixed time: the bytes depend on names
/// and contents alone. Throws Fault::io.
void pack(const std::filesystem::path& folder, std::span<const std::string> names,
          const std::filesystem::path& archive);

/// Takes the files of these names out of an archive, wherever in it they lie, and nothing else.
/// Throws Fault::bad_input: it is no archive, lacks one, holds two of one name, is encrypted, or
/// claims to unpack to more than `largest_bytes` or 64 times its own size (1 GiB is always allowed).
void unpack(const std::filesystem::path& archive, std::span<const std::string> names,
            const std::filesystem::path& folder, std::uint64_t largest_bytes);

}  // namespace parity
