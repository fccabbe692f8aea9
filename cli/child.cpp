#include "cli/child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>

#include "cli/file_bytes.hpp"
#include "model/error.hpp"

extern char** environ;

namespace parity::cli {
namespace {

constexpr const char* this_program = "/proc/self/exe";

struct DestroyActions {
  void operator()(posix_spawn_file_actions_t* actions) const noexcept {
    ::posix_spawn_file_actions_destroy(actions);
  }
};

/// The last lines of what a child said, so that its reason is not lost.
std::string last_words(const std::string& said) {
  constexpr std::size_t most = 600;
  std::string words = said.size() > most ? said.substr(said.size() - most) : said;
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words.empty() ? "it said nothing" : "it said: " + words;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::error_code failed;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(failed);
  std::string pattern = (parent / "paritylab-XXXXXX").string();
  if (failed || ::mkdtemp(pattern.data()) == nullptr)
    throw Error(Fault::io, "a temporary folder cannot be made: " +
                               std::string(failed ? failed.message() : std::strerror(errno)) +
                               ". Point TMPDIR at a folder with space.");
  folder_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void run_program(const std::vector<std::string>& arguments, const ScratchFolder& scratch) {
  const std::string said = scratch.path("said").string();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const std::unique_ptr<posix_spawn_file_actions_t, DestroyActions> owner(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, said.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<std::string> words = {"paritylab"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, this_program, &actions, nullptr, pointers.data(), environ);
  if (failed != 0)
    throw Error(Fault::device, "a fresh process of this program cannot be started: " +
                                   std::string(std::strerror(failed)) +
                                   ". Leave restarts out with --restarts 0.");
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  throw Error(Fault::device,
              "a fresh process of this program did not finish its run (" +
                  (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                       : "exit code " + std::to_string(WEXITSTATUS(status))) +
                  "); " + last_words(read_text_file(said)));
}

}  // namespace parity::cli
