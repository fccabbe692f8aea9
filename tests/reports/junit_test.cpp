#include <gtest/gtest.h>

#include "reports/reports.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/markup.hpp"

namespace parity {
namespace {

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t result = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++result;
  return result;
}

TEST(JUnit, IsTheGoldenText) {
  for (const auto& [name, record] : samples::all())
    if (name != "large" && name != "empty")
      samples::expect_golden(name + ".xml", write_junit(record));
}

TEST(JUnit, IsWellFormedWhateverTheNames) {
  for (const auto& [name, record] : samples::all())
    EXPECT_EQ(samples::xml_complaint(write_junit(record)), "") << name;
}

TEST(JUnit, OneCasePerStageAndOneForTheTolerance) {
  for (const auto& [name, record] : samples::all())
    EXPECT_EQ(count(write_junit(record), "<testcase"),
              record.stages.size() + (record.tolerance ? 1 : 0))
        << name;
}

TEST(JUnit, DivergedFailsUntrustedErrsNotRunIsSkipped) {
  for (const auto& [name, record] : samples::all()) {
    const std::string text = write_junit(record);
    const bool missed = record.answers.first_beyond_tolerance >= 0;
    EXPECT_EQ(count(text, "<failure"),
              static_cast<std::size_t>(record.answers.counts[2]) + (missed ? 1 : 0))
        << name;
    EXPECT_EQ(count(text, "<error"), static_cast<std::size_t>(record.answers.counts[3])) << name;
    EXPECT_EQ(count(text, "<skipped message="), static_cast<std::size_t>(record.answers.counts[4]))
        << name;
  }
}

TEST(JUnit, SuiteIsTheModelAndThePlanPair) {
  EXPECT_NE(write_junit(samples::diverged())
                .find("<testsuite name=\"second.onnx: cpu:fp32 and cuda:fp32\""),
            std::string::npos);
}

}  // namespace
}  // namespace parity
