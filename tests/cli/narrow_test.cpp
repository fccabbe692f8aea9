// `narrow` as a user meets it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

TEST(NarrowCommand, NamesTheStagesAndWhatReplacingEachDoes) {
  const Workshop workshop;
  const std::string narrow = "narrow sample:second/narrow --b cpu:tf32@sm_90 --until blocks.1.3";
  const Ended text = paritylab(workshop, narrow);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("replaced by a"), std::string::npos) << text.out;
  const Ended ended = paritylab(workshop, narrow + " --json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  const double all = document.at("all_by_b").at("relative"),
               rest = document.at("culprits_by_a").at("relative");
  EXPECT_LE(rest, all * document.at("goal").get<double>());
  ASSERT_FALSE(document.at("culprits").empty());
  for (const auto& culprit : document.at("culprits"))
    EXPECT_GT(culprit.at("other_culprits_by_a").at("relative"), rest) << culprit;
}

TEST(NarrowCommand, OneContractHasNothingToNarrow) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "narrow sample:second/narrow --b cpu:fp32");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("the same bits on both sides"), std::string::npos) << ended.out;
}

TEST(NarrowCommand, RefusesARecordingAndAGoalThatIsNoShare) {
  const Workshop workshop;
  EXPECT_EQ(paritylab(workshop, "narrow sample:second/narrow").code, 2);
  EXPECT_EQ(paritylab(workshop, "narrow sample:second/narrow --b capture:x.npz").code, 2);
  EXPECT_EQ(paritylab(workshop, "narrow sample:second/narrow --b cpu:fp64 --goal 1").code, 2);
}

}  // namespace
}  // namespace parity::test
