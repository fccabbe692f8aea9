#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "compare/run.hpp"

namespace parity::cli {

/// One line on standard error that says how far a walk is and how long it will take, redrawn in
/// place. Silent unless standard error is a terminal; erased when the walk is over.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const Progress& progress);
  /// How many nodes of a model are read.
  void show_import(std::size_t done, std::size_t of);

 private:
  void draw(const std::function<std::string()>& text);
  void erase();

  bool terminal_ = false;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point begin_, last_;
};

/// "stage 5 of 16 blocks.1.0  31 %  12 s left"; no estimate before a tenth of a second.
std::string progress_text(const Progress& progress, double seconds);

}  // namespace parity::cli
