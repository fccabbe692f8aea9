#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace parity::test {

/// A folder of one test's own, gone when the test is over.
class Workshop {
 public:
  Workshop() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "paritylab-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~Workshop() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ostringstream bytes;
    bytes << std::ifstream(path(name), std::ios::binary).rdbuf();
    return bytes.str();
  }
  /// Names of everything in the folder, sorted.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      names.push_back(std::filesystem::relative(entry.path(), folder_).string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path folder_;
};

struct Ended {
  int code = -1;  ///< 124: it hung; 128 + N: signal N
  std::string out, err;
};

/// Runs the built program in the workshop's folder, as a shell would, with a limit on its time.
inline Ended paritylab(const Workshop& workshop, const std::string& arguments,
                       const std::string& environment = {}) {
  Workshop streams;
  const std::string command = "cd '" + workshop.path("").string() + "' && " + environment +
                              " timeout 120 '" PARITYLAB_PROGRAM "' > '" +
                              streams.path("out").string() + "' 2> '" +
                              streams.path("err").string() + "' < /dev/null " + arguments;
  const int status = std::system(command.c_str());
  Ended ended;
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended.out = streams.read("out");
  ended.err = streams.read("err");
  return ended;
}

}  // namespace parity::test
