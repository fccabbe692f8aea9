#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace parity::cli {

ProgressLine::ProgressLine() : begin_(std::chrono::steady_clock::now()), last_(begin_) {
  const char* term = std::getenv("TERM");
  const std::string_view name = term == nullptr ? "" : term;
  terminal_ = ::isatty(STDERR_FILENO) != 0 && name != "dumb" && !name.empty();
}

ProgressLine::~ProgressLine() { erase(); }

void ProgressLine::erase() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void ProgressLine::draw(const std::function<std::string()>& text) {
  const auto now = std::chrono::steady_clock::now();
  constexpr std::chrono::milliseconds redraw{100};
  if (drawn_ && now - last_ < redraw) return;
  last_ = now;
  drawn_ = true;
  fmt::print(stderr, "\r\033[K{}", text());
  std::fflush(stderr);
}

void ProgressLine::show(const Progress& progress) {
  if (!terminal_) return;
  if (progress.stage.empty()) return erase();
  draw([&] {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
    return progress_text(progress, seconds.count());
  });
}

void ProgressLine::show_import(std::size_t done, std::size_t of) {
  if (!terminal_) return;
  if (done == of) return erase();
  draw([&] { return fmt::format("reading the model  node {} of {}", done, of); });
}

std::string progress_text(const Progress& progress, double seconds) {
  const double done =
      progress.macs > 0
          ? static_cast<double>(progress.macs_done) / static_cast<double>(progress.macs)
          : static_cast<double>(progress.stages_done) / std::max(progress.stages, 1);
  std::string text = fmt::format("stage {} of {}  {}  {:.0f} %",
                                 std::min(progress.stages_done + 1, progress.stages),
                                 progress.stages, progress.stage, 100 * done);
  constexpr double too_early = 0.1;
  if (done > 0 && seconds > too_early)
    text += fmt::format("  {:.0f} s left", std::ceil(seconds * (1 - done) / done));
  return text;
}

}  // namespace parity::cli
