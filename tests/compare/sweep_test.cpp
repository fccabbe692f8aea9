#include "compare/sweep.hpp"

#include <gtest/gtest.h>

#include "compare/record.hpp"
#include "reports/sweep.hpp"

namespace parity {
namespace {

SweepPoint point(std::vector<std::size_t> at, double relative, std::string first_different = "") {
  SweepPoint p;
  p.at = std::move(at);
  p.relative = p.max_abs = relative;
  p.same_bits = relative == 0;
  p.first_different = std::move(first_different);
  return p;
}

std::vector<std::string> texts(const SweepRecord& record) {
  std::vector<std::string> all;
  for (const SweepFinding& finding : record.findings) all.push_back(finding.text);
  return all;
}

bool holds(const SweepRecord& record, const std::string& text, bool warning) {
  for (const SweepFinding& finding : record.findings)
    if (finding.text.find(text) != std::string::npos && finding.warning == warning) return true;
  return false;
}

TEST(Sweep, CombinesAxesTheLastFastest) {
  const std::vector<SweepAxis> axes{{"seq", {"1", "10"}}, {"b", {"x", "y", "z"}}};
  const auto all = combinations(axes);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[1], (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(setting_text(axes, all[5]), "seq=10 b=z");
  EXPECT_EQ(setting_text(axes, all[5], 0), "b=z");
}

TEST(Sweep, TellsFromWhichSizeOnAndWhichStage) {
  SweepRecord record;
  record.axes = {{"seq", {"1", "10", "500", "1000"}}};
  record.points = {point({0}, 0), point({1}, 0), point({2}, 1e-4, "gru1"),
                   point({3}, 1e-3, "gru1")};
  record.points[3].first_diverging = "gru2";
  record.points[3].exit_code = 1;
  conclude(record);
  EXPECT_EQ(record.exit_code, 1);
  EXPECT_TRUE(holds(record, "the outputs differ from 500 on, not at 1, 10", false))
      << testing::PrintToString(texts(record));
  EXPECT_TRUE(holds(record, "first stage to give other bits is gru1", false));
  EXPECT_TRUE(holds(record, "a stage diverges from 1000 on, not at 1, 10, 500: gru2", false));
}

TEST(Sweep, WhatIsNoSizeOrComesAndGoesIsListed) {
  SweepRecord record;
  record.axes = {{"batch", {"1", "2", "4"}}};
  record.points = {point({0}, 0), point({1}, 1e-4, "x"), point({2}, 0)};
  conclude(record);
  EXPECT_TRUE(holds(record, "the outputs differ at 2, not at 1, 4", false))
      << testing::PrintToString(texts(record));
  record.axes = {{"input", {"normal:7", "zeros", "ones"}}};
  record.points = {point({0}, 0), point({1}, 1e-4, "x"), point({2}, 1e-4, "y")};
  conclude(record);
  EXPECT_TRUE(holds(record, "differ at zeros, ones, not at normal:7", false))
      << testing::PrintToString(texts(record));
  EXPECT_TRUE(holds(record, "x (at zeros), y (at ones)", false));
}

TEST(Sweep, OneSentenceForEverySettingThatGivesIt) {
  SweepRecord record;
  record.axes = {{"seq", {"1", "2"}}, {"b", {"p", "q", "r"}}};
  for (const auto& at : combinations(record.axes))
    record.points.push_back(point(at, at[1] == 2 ? 1e-3 : 0, at[1] == 2 ? "x" : ""));
  conclude(record);
  EXPECT_TRUE(holds(
      record, "seq: the outputs have the same bits at every value tried (with b=p, b=q)", false))
      << testing::PrintToString(texts(record));
  EXPECT_TRUE(holds(record, "seq: the outputs differ at every value tried", false));
  EXPECT_TRUE(holds(record, "b: the outputs differ at r, not at p, q; ", false));
}

TEST(Sweep, WarnsOfWhatDoesNotDependOnItsInput) {
  SweepRecord record;
  record.axes = {{"input", {"normal:7", "normal:8"}}};
  record.points = {point({0}, 0), point({1}, 0)};
  record.points[0].inputs = {{"x", {1, 2}}};
  record.points[1].inputs = {{"x", {3, 4}}};
  record.points[0].outputs = {{"y", {5, 6}}, {"z", {7, 8}}};
  record.points[1].outputs = {{"y", {5, 6}}, {"z", {9, 9}}};
  record.points[1].unmoved = {"output 'z' equals the input 'x'"};
  conclude(record);
  EXPECT_TRUE(holds(record, "output 'y' keeps every bit", true))
      << testing::PrintToString(texts(record));
  EXPECT_FALSE(holds(record, "output 'z' keeps every bit", true));
  EXPECT_TRUE(holds(record, "output 'z' equals the input 'x' bit for bit at input=normal:8", true));
}

TEST(Sweep, OtherShapesMayAgreeInAnOutput) {
  SweepRecord record;
  record.axes = {{"seq", {"8", "9"}}};
  record.points = {point({0}, 0), point({1}, 0)};
  for (std::size_t i = 0; i < 2; ++i) {
    record.points[i].inputs = {{"x", {i, 2}}};
    record.points[i].input_shapes = i == 0 ? "1x8" : "1x9";
    record.points[i].outputs = {{"y", {5, 6}}};
  }
  conclude(record);
  EXPECT_FALSE(holds(record, "keeps every bit", true)) << testing::PrintToString(texts(record));
}

TEST(Sweep, WhatIsBeyondTheToleranceIsTold) {
  SweepRecord record;
  record.axes = {{"seq", {"1", "2"}}};
  record.points = {point({0}, 0), point({1}, 1e-3, "x")};
  record.points[1].beyond_tolerance = "y";
  record.points[1].exit_code = 1;
  conclude(record);
  EXPECT_TRUE(holds(record, "output 'y' is beyond the tolerance at seq=2", false))
      << testing::PrintToString(texts(record));
}

TEST(Sweep, WhatCouldNotBeJudgedIsCountedAndSaysWhy) {
  SweepRecord record;
  record.model = "m.onnx";
  record.axes = {{"seq", {"1", "20", "500"}}};
  record.points = {point({0}, 0), point({1}, 1e-6, "lstm"), point({2}, 1e-2, "head")};
  const auto silent = [](SweepPoint& p, std::int64_t diverged, std::int64_t untrusted) {
    p.counts[static_cast<int>(Verdict::same_bits)] = 4 - diverged - untrusted;
    p.counts[static_cast<int>(Verdict::diverged)] = diverged;
    p.counts[static_cast<int>(Verdict::untrusted)] = untrusted;
    p.exit_code = diverged > 0 ? 1 : 4;
    p.first_unjudged = "lstm";
    p.unjudged_reason = "7 of 9 elements' bound is wider than the layer's values";
  };
  record.points[0].counts[0] = 4;
  silent(record.points[1], 0, 1);
  silent(record.points[2], 1, 2);
  record.points[2].first_diverging = "head";
  conclude(record);
  EXPECT_TRUE(holds(record,
                    "stage lstm could not be judged at seq=20, seq=500, nor up to 1 more there "
                    "(seq=20: 7 of 9 elements' bound",
                    true))
      << testing::PrintToString(texts(record));
  for (const std::string& report : {write_sweep_text(record), write_sweep_html(record)}) {
    EXPECT_NE(report.find("untrusted (1 of 4 stages)"), std::string::npos) << report;
    EXPECT_NE(report.find("diverged, 2 of 4 not judged"), std::string::npos) << report;
    EXPECT_NE(report.find("not wholly judged at 1 of 3 points"), std::string::npos) << report;
  }
  const SweepRecord again = read_sweep_json(write_sweep_json(record));
  EXPECT_EQ(again.points[1].unjudged_reason, record.points[1].unjudged_reason);
}

TEST(Sweep, ARefusedPointIsToldAndCountsAsItsFault) {
  SweepRecord record;
  record.axes = {{"seq", {"1", "2"}}};
  record.points = {point({0}, 0), point({1}, 0)};
  record.points[0].refused = "the kernel is larger than the sequence";
  record.points[0].exit_code = 3;
  record.points[1].exit_code = 1;
  conclude(record);
  EXPECT_EQ(record.exit_code, 3);
  EXPECT_TRUE(holds(record, "nothing ran at seq=1: the kernel is larger", true));
}

}  // namespace
}  // namespace parity
