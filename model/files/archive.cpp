#include "model/files/archive.hpp"

#include <zip.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include "model/error.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

struct Discard {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
struct CloseMember {
  void operator()(zip_file_t* member) const noexcept { zip_fclose(member); }
};

std::string text_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

std::string last_component(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void pack(const std::filesystem::path& folder, std::span<const std::string> names,
          const std::filesystem::path& archive) {
  const auto refuse = [&](const std::string& why) {
    return Error(Fault::io, "cannot write " + shown(archive.string()) + ": " + why + ".");
  };
  int code = 0;
  Archive zip(zip_open(archive.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!zip) throw refuse(text_of(code));
  constexpr zip_int64_t to_the_end = -1;
  for (const std::string& name : names) {
    zip_source_t* const source = zip_source_file(zip.get(), (folder / name).c_str(), 0, to_the_end);
    const zip_int64_t index =
        source == nullptr ? -1 : zip_file_add(zip.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      if (source != nullptr) zip_source_free(source);
      throw refuse(zip_strerror(zip.get()));
    }
    const auto at = static_cast<zip_uint64_t>(index);
    constexpr zip_uint16_t midnight = 0, first_of_1980 = 0x21;
    if (zip_set_file_compression(zip.get(), at, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(zip.get(), at, midnight, first_of_1980, 0) != 0)
      throw refuse(zip_strerror(zip.get()));
  }
  // Only closing writes; after a failure there is still something to discard.
  if (zip_close(zip.get()) != 0) throw refuse(zip_strerror(zip.get()));
  (void)zip.release();
}

void unpack(const std::filesystem::path& archive, std::span<const std::string> names,
            const std::filesystem::path& folder, std::uint64_t largest_bytes) {
  const auto refuse = [&](const std::string& why) {
    return Error(Fault::bad_input, "cannot read " + shown(archive.string()) + ": " + why);
  };
  int code = 0;
  const Archive zip(zip_open(archive.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!zip) throw refuse("it is no consistent ZIP archive (" + text_of(code) + ")");
  std::error_code failed;
  const std::uint64_t packed = std::filesystem::file_size(archive, failed);
  std::uint64_t left =
      std::min(largest_bytes, std::max(std::uint64_t{1} << 30, failed ? 0 : 64 * packed));
  std::vector<std::string> found;
  const zip_int64_t count = zip_get_num_entries(zip.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip.get(), index, 0, &status) != 0 || (status.valid & needed) != needed)
      throw refuse("its directory is damaged");
    const std::string name = last_component(status.name);
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (std::find(found.begin(), found.end(), name) != found.end())
      throw refuse("it holds two files named " + name);
    found.push_back(name);
    if (status.encryption_method != ZIP_EM_NONE) throw refuse("its " + name + " is encrypted");
    if (status.size > left) throw refuse("it claims to unpack to more than a bundle may hold");
    left -= status.size;
    const std::unique_ptr<zip_file_t, CloseMember> member(zip_fopen_index(zip.get(), index, 0));
    if (!member)
      throw refuse("its " + name + " cannot be opened (" + zip_strerror(zip.get()) + ")");
    std::ofstream out(folder / name, std::ios::binary);
    std::vector<char> block(std::size_t{1} << 20);
    std::uint64_t written = 0;
    for (;;) {
      const zip_int64_t got = zip_fread(member.get(), block.data(), block.size());
      if (got < 0 || written + static_cast<std::uint64_t>(got) > status.size)
        throw refuse("its " + name + " is damaged");
      if (got == 0) break;
      written += static_cast<std::uint64_t>(got);
      if (!out.write(block.data(), got))
        throw Error(Fault::io, "cannot unpack " + shown(archive.string()) +
                                   ": the temporary folder takes no more. Point TMPDIR at a folder "
                                   "with space.");
    }
  }
  for (const std::string& name : names)
    if (std::find(found.begin(), found.end(), name) == found.end())
      throw refuse("it lacks " + name);
}

}  // namespace parity
