#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/reports/sample_record.hpp"

namespace parity::samples {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << "cannot open " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The committed rendering must be what the code writes now. After a wanted change, from the build
/// folder: tests/reports/report_samples golden ../../tests/data/reports
inline void expect_golden(const std::string& name, const std::string& text) {
  EXPECT_EQ(read_file(std::string(PARITYLAB_SOURCE) + "/tests/data/reports/" + name), text)
      << name << " is not what the code writes. If the change is wanted, run in the build folder: "
      << "tests/reports/report_samples golden ../../tests/data/reports";
}

inline std::vector<std::pair<std::string, RunRecord>> all() {
  return {{"clean_tf32", clean_tf32()}, {"identical", identical()}, {"diverged", diverged()},
          {"untrusted", untrusted()},   {"single", single()},       {"large", large()},
          {"empty", RunRecord{}}};
}

}  // namespace parity::samples
