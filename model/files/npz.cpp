#include "model/files/npz.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "model/error.hpp"
#include "model/files/npy.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

constexpr std::string_view suffix = ".npy";
constexpr std::uint64_t most_members = 100'000;

struct Discard {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const noexcept { zip_fclose(member); }
};

// ---- writing: the few records of the ZIP format that a stored archive has (APPNOTE.TXT 6.3,
// sections 4.3 and 4.5)

constexpr std::uint32_t in_zip64 =
    0xFFFFFFFF;  ///< a 32-bit field whose value stands in the ZIP64 record

/// Little-endian fields, one after the other.
class Record {
 public:
  Record& u16(std::uint64_t value) { return number(value, 2); }
  Record& u32(std::uint64_t value) { return number(value, 4); }
  Record& u64(std::uint64_t value) { return number(value, 8); }
  Record& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& number(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

/// CRC-32 (polynomial 0xEDB88320), eight bytes at a time by tables.
class Crc32 {
 public:
  Crc32() {
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
      table_[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t i = 0; i < 256; ++i)
        table_[k][i] = (table_[k - 1][i] >> 8) ^ table_[0][table_[k - 1][i] & 0xFF];
  }
  void add(const void* data, std::size_t size) {
    const auto* at = static_cast<const unsigned char*>(data);
    for (; size >= 8; at += 8, size -= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      word ^= state_;
      state_ = 0;
      for (std::size_t k = 0; k < 8; ++k) state_ ^= table_[7 - k][word >> (8 * k) & 0xFF];
    }
    for (; size > 0; ++at, --size) state_ = (state_ >> 8) ^ table_[0][(state_ ^ *at) & 0xFF];
  }
  std::uint32_t value() const { return ~state_; }

 private:
  std::array<std::array<std::uint32_t, 256>, 8> table_{};
  std::uint32_t state_ = 0xFFFFFFFF;
};

constexpr std::uint64_t utf8_names = 0x0800, stored = 0, dos_time = 0,
                        dos_date = 0x21;  // 1980-01-01 00:00
constexpr std::uint64_t version_zip64 = 45;

std::uint64_t field(std::uint64_t value) { return value < in_zip64 ? value : in_zip64; }

}  // namespace

std::vector<NamedTensor> read_npz(const std::filesystem::path& file, std::uint64_t largest_bytes) {
  const std::string what = shown(file.string());
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed))
    throw Error(Fault::io, "cannot read " + what + ": " +
                               (failed ? failed.message() : "it is no regular file"));
  if (access(file.c_str(), R_OK) != 0)
    throw Error(Fault::io, "cannot read " + what + ": " + std::strerror(errno));
  const auto refuse = [&](const std::string& why) {
    return Error(Fault::bad_input, "cannot read " + what + ": " + why);
  };

  int code = 0;
  const std::unique_ptr<zip_t, Discard> archive(
      zip_open(file.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw refuse("it is no consistent ZIP archive, as an .npz must be (" + text + ")");
  }
  const std::int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count < 0 || static_cast<std::uint64_t>(count) > most_members)
    throw refuse("it has " + std::to_string(count) + " members; the lab reads up to " +
                 std::to_string(most_members));

  std::vector<NamedTensor> tensors;
  std::set<std::string> names;
  // a small archive may unpack to a large sparse tensor, but not to whatever it likes
  const std::uint64_t packed = std::filesystem::file_size(file, failed);
  const std::uint64_t budget =
      std::min(largest_bytes, std::max(std::uint64_t{1} << 30, failed ? 0 : 64 * packed));
  std::uint64_t left = budget;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), index, ZIP_FL_ENC_RAW, &status) != 0 ||
        (status.valid & needed) != needed)
      throw refuse("member " + std::to_string(i + 1) + " has no complete directory entry");
    std::string name = status.name;
    const std::string member = "member " + shown(name) + " of " + what;
    if (!is_utf8(name)) throw refuse("the name of " + shown(name) + " is not UTF-8");
    if (!name.ends_with(suffix) || name.size() == suffix.size())
      throw refuse("its member " + shown(name) + " is no .npy array");
    name.resize(name.size() - suffix.size());
    if (!names.insert(name).second) throw refuse("it holds two members named " + shown(name));
    if (status.encryption_method != ZIP_EM_NONE)
      throw refuse("its member " + shown(name) + " is encrypted");
    if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE)
      throw refuse("its member " + shown(name) +
                   " is compressed by a method that NumPy does not write");
    if (status.size > left)
      throw refuse("its " + std::to_string(packed) + " bytes claim to unpack to more than " +
                   std::to_string(budget) + " bytes");
    left -= status.size;
    const std::unique_ptr<zip_file_t, CloseMember> stream(zip_fopen_index(archive.get(), index, 0));
    if (!stream)
      throw refuse("its member " + shown(name) + " cannot be opened (" +
                   zip_strerror(archive.get()) + ")");
    const auto source = [&](void* to, std::size_t bytes) -> std::size_t {
      std::size_t done = 0;
      while (done < bytes) {
        const zip_int64_t got =
            zip_fread(stream.get(), static_cast<char*>(to) + done, bytes - done);
        if (got < 0)
          throw refuse("its member " + shown(name) + " is damaged (" +
                       zip_file_strerror(stream.get()) + ")");
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
      }
      return done;
    };
    tensors.push_back(read_npy(source, status.size, member));
    tensors.back().name = std::move(name);
  }
  return tensors;
}

NpzWriter::NpzWriter(std::filesystem::path file) : file_(std::move(file)) {
  errno = 0;
  stream_.open(file_, std::ios::binary | std::ios::trunc);
  if (!stream_)
    throw Error(Fault::io, "cannot write " + shown(file_.string()) + ": " + std::strerror(errno));
}

void NpzWriter::check() {
  if (!stream_)
    throw Error(Fault::io, "cannot write " + shown(file_.string()) +
                               ": the system took no more after " + std::to_string(written_) +
                               " bytes (" + (errno != 0 ? std::strerror(errno) : "unknown error") +
                               ")");
}

void NpzWriter::write(const void* data, std::size_t bytes) {
  errno = 0;
  stream_.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  check();
  written_ += bytes;
}

void NpzWriter::add(const std::string& name, const Tensor& tensor) {
  const bool taken = std::any_of(members_.begin(), members_.end(),
                                 [&](const Member& m) { return m.name == name; });
  if (name.empty() || name.size() > 65'000 || taken)
    throw Error(Fault::internal, "cannot write a tensor named " + shown(name) + " to " +
                                     shown(file_.string()) +
                                     ": the name is empty, too long or there already");
  const Tensor canonical = with_canonical_nan(tensor);
  const std::string header = npy_header(canonical.type());
  Member member{name, written_, header.size() + canonical.size_bytes(), 0};
  Crc32 crc;
  crc.add(header.data(), header.size());
  crc.add(canonical.data(), canonical.size_bytes());
  member.checksum = crc.value();

  const bool large = member.size >= in_zip64;
  const std::string path = name + std::string(suffix);
  Record local;
  local.u32(0x04034B50).u16(version_zip64).u16(utf8_names).u16(stored).u16(dos_time).u16(dos_date);
  local.u32(member.checksum).u32(field(member.size)).u32(field(member.size));
  local.u16(path.size()).u16(large ? 20 : 0).text(path);
  if (large) local.u16(1).u16(16).u64(member.size).u64(member.size);
  write(local.bytes().data(), local.bytes().size());
  write(header.data(), header.size());
  if (canonical.size_bytes() > 0) write(canonical.data(), canonical.size_bytes());
  members_.push_back(std::move(member));
}

void NpzWriter::finish() {
  const std::uint64_t directory = written_;
  for (const Member& member : members_) {
    const std::string path = member.name + std::string(suffix);
    Record extra;
    if (member.size >= in_zip64) extra.u64(member.size).u64(member.size);
    if (member.offset >= in_zip64) extra.u64(member.offset);
    const std::size_t length = extra.bytes().size();
    Record entry;
    entry.u32(0x02014B50)
        .u16(version_zip64)
        .u16(version_zip64)
        .u16(utf8_names)
        .u16(stored)
        .u16(dos_time)
        .u16(dos_date);
    entry.u32(member.checksum).u32(field(member.size)).u32(field(member.size));
    entry.u16(path.size())
        .u16(length > 0 ? length + 4 : 0)
        .u16(0)
        .u16(0)
        .u16(0)
        .u32(0)
        .u32(field(member.offset));
    entry.text(path);
    if (length > 0) entry.u16(1).u16(length).text(extra.bytes());
    write(entry.bytes().data(), entry.bytes().size());
  }
  const std::uint64_t size = written_ - directory, count = members_.size();
  Record end;
  if (directory >= in_zip64 || size >= in_zip64 || count >= 0xFFFF) {
    end.u32(0x06064B50)
        .u64(44)
        .u16(version_zip64)
        .u16(version_zip64)
        .u32(0)
        .u32(0)
        .u64(count)
        .u64(count)
        .u64(size)
        .u64(directory);
    end.u32(0x07064B50).u32(0).u64(written_).u32(1);
  }
  const std::uint64_t short_count = count < 0xFFFF ? count : 0xFFFF;
  end.u32(0x06054B50)
      .u16(0)
      .u16(0)
      .u16(short_count)
      .u16(short_count)
      .u32(field(size))
      .u32(field(directory))
      .u16(0);
  write(end.bytes().data(), end.bytes().size());
  errno = 0;
  stream_.close();
  check();
}

void write_npz(const std::filesystem::path& file, std::span<const NamedTensor> tensors) {
  std::filesystem::path partial = file;
  partial += ".partial-" + std::to_string(getpid());
  try {
    NpzWriter writer(partial);
    for (const NamedTensor& each : tensors) writer.add(each.name, each.tensor);
    writer.finish();
    std::error_code failed;
    std::filesystem::rename(partial, file, failed);
    if (failed)
      throw Error(Fault::io, "cannot write " + shown(file.string()) +
                                 ": the finished file cannot take its name (" + failed.message() +
                                 ")");
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    throw;
  }
}

}  // namespace parity
