#pragma once

#include <span>
#include <string>
#include <string_view>

namespace parity::cli {

/// A file that the program was asked to write. Opened before the work starts, so that a long run
/// never ends at an unwritable path; written beside its place and moved there whole, so that an
/// abandoned run leaves nothing. "-" is standard output.
class OutputFile {
 public:
  /// Throws Fault::io when the path cannot be written: the folder is missing or closed, or it is a
  /// folder.
  explicit OutputFile(std::string path);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Where a writer that wants a path should write; commit() moves it.
  const std::string& partial_path() const { return partial_; }
  bool is_standard_output() const { return path_ == "-"; }

  /// Writes the bytes and commits. Throws Fault::io, with the system's reason.
  void write(std::string_view bytes);
  /// Moves what a writer left at partial_path() to its place.
  void commit();

 private:
  std::string path_;
  std::string partial_;  // empty once committed, and for standard output
};

/// Throws Fault::bad_request when two of the files to write are one, or one is the model or another
/// file that is read; an empty path stands for none.
void require_distinct(const std::string& model, std::span<const std::string> outputs,
                      std::span<const std::string> read = {});

}  // namespace parity::cli
