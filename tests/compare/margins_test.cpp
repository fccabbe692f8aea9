#include "compare/margins.hpp"

#include <limits>

#include "model/error.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

Tensor row(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of<float>({1, count}, std::move(values));
}

DecisionResult judged(const std::string& rule, const Tensor& a, const Tensor& b,
                      const Tensor* m = nullptr, const Allowance& allowance = {}) {
  return judge_decision(parse_decision("y=" + rule), a, b, m, allowance);
}

TEST(Margins, ADecisionThatFlipsIsNamedWithBothElements) {
  const DecisionResult result = judged("argmax", row({1, 3, 2.5F}), row({1, 2, 2.5F}));
  EXPECT_EQ(result.decisions, 1);
  EXPECT_EQ(result.flipped, 1);
  EXPECT_EQ(result.could_flip, 0);
  ASSERT_EQ(result.points.size(), 1U);
  EXPECT_TRUE(result.points[0].flipped);
  EXPECT_EQ(result.points[0].index, 1);
  EXPECT_EQ(result.points[0].other, 2);
  EXPECT_EQ(result.points[0].margin, 0.5);
  EXPECT_EQ(result.largest_error, 1);
}

TEST(Margins, NoFlipIsPossibleBeyondTwiceTheLargestError) {
  // e = 0.25 on both elements: exact in binary, so the border is exact too.
  EXPECT_EQ(judged("argmax", row({4, 3.25F, 0}), row({4, 3.25F, 0.25F})).could_flip, 0);
  EXPECT_EQ(judged("argmax", row({4, 3.5F, 0}), row({4, 3.5F, 0.25F})).could_flip, 1)
      << "touching intervals";
  EXPECT_EQ(judged("argmax", row({4, 3.75F, 0}), row({4, 3.75F, 0.25F})).could_flip, 1);
  // Without any error even a tie stays what it is.
  const DecisionResult tie = judged("argmax", row({4, 4}), row({4, 4}));
  EXPECT_EQ(tie.could_flip + tie.flipped, 0);
  EXPECT_EQ(tie.smallest_margin, 0);
}

TEST(Margins, TheStagesBoundWidensEachElementByItsOwnMagnitude) {
  const Tensor a = row({4, 3, 0});
  const Tensor m = row({1, 1, 100});
  const Allowance allowance{0.25, 0};
  EXPECT_EQ(judged("argmax", a, a, &m, allowance).could_flip, 1) << "0.25 against 25 on 0";
  const Tensor even = row({1, 1, 1});
  EXPECT_EQ(judged("argmax", a, a, &even, allowance).could_flip, 0);
  const DecisionResult result = judged("argmax", a, a, &m, allowance);
  EXPECT_EQ(result.points.at(0).other, 2);
  EXPECT_EQ(result.points.at(0).bound, 25.25);
  EXPECT_EQ(result.largest_bound, 25);
}

TEST(Margins, TopKIsASetAndItsBorderDecides) {
  const Tensor a = row({5, 4, 3, 2});
  EXPECT_EQ(judged("topk:2", a, row({4, 5, 3, 2})).flipped, 0) << "the same set in another order";
  const DecisionResult result = judged("topk:2", a, row({5, 2.5F, 3, 2}));
  EXPECT_EQ(result.flipped, 1);
  EXPECT_EQ(result.points.at(0).index, 1);
  EXPECT_EQ(result.points.at(0).other, 2);
  EXPECT_EQ(judged("topk:4", a, row({2, 3, 4, 5})).flipped, 0) << "all of them";
  EXPECT_EQ(judged("topk:4", a, row({2, 3, 4, 5})).could_flip, 0);
}

TEST(Margins, AxesDecideSeparately) {
  // [n, c, w] = 1x2x3: argmax over c at three places, over w at two
  const Tensor a = Tensor::of<float>({1, 2, 3}, {1, 5, 1, 2, 4, 0});
  const Tensor b = Tensor::of<float>({1, 2, 3}, {1, 3.5F, 1, 2, 4, 0});
  const DecisionResult by_channel = judged("argmax", a, b);
  EXPECT_EQ(by_channel.decisions, 3);
  EXPECT_EQ(by_channel.flipped, 1);
  EXPECT_EQ(by_channel.points.at(0).index, 1);
  EXPECT_EQ(by_channel.points.at(0).other, 4);
  EXPECT_EQ(by_channel.axis, 1) << "the axis that nobody named";
  EXPECT_EQ(judged("argmax:-1", a, b).axis, 2);
  EXPECT_EQ(judged("topk:2", row({1, 2, 3}), row({1, 2, 3})).axis, 1);
  EXPECT_EQ(judged("threshold:0", a, b).axis, std::nullopt);
  EXPECT_EQ(judged("argmax:-1", a, b).decisions, 2);
  EXPECT_EQ(judged("argmax:-1", a, b).flipped, 0);
}

TEST(Margins, ThresholdsOfLogitsAreThoseOfTheirProbabilities) {
  const Tensor a = row({-0.25F, 0.25F, 2}), b = row({0.25F, 0.25F, 2});
  const DecisionResult logits = judged("threshold:0", a, b);
  EXPECT_EQ(logits.flipped, 1);
  EXPECT_EQ(logits.could_flip, 1) << "0.25 with an error of 0.5";
  const DecisionResult probabilities = judged("sigmoid:0.5", a, b);
  EXPECT_EQ(probabilities.flipped, logits.flipped);
  EXPECT_EQ(probabilities.could_flip, logits.could_flip);
  EXPECT_EQ(judged("sigmoid:0.9", row({2.25F}), row({2.125F})).flipped, 1) << "log 9 = 2.197";
}

TEST(Margins, ANanOnOneSideLeavesNothingCertain) {
  const DecisionResult one = judged("argmax", row({4, 1, nan}), row({4, 1, 0}));
  EXPECT_EQ(one.flipped, 1) << "a NaN is the greatest";
  const DecisionResult both = judged("argmax", row({4, 1, nan}), row({4, 2, nan}));
  EXPECT_EQ(both.flipped + both.could_flip, 0);
  EXPECT_EQ(judged("threshold:3", row({4, nan}), row({4, 0})).could_flip, 2);
}

TEST(Margins, PlacesAreFlippedOnesFirstThenTheNearestAndAtMostEight) {
  std::vector<float> a(40), b(40);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i + 1) * 0x1p-8F;
    b[i] = i == 30 ? -a[i] : a[i];
  }
  const DecisionResult result = judged("threshold:0", row(a), row(b));
  EXPECT_EQ(result.flipped, 1);
  EXPECT_EQ(result.could_flip, 39);
  ASSERT_EQ(result.points.size(), 8U);
  EXPECT_EQ(result.points[0].index, 30);
  for (std::size_t i = 1; i < result.points.size(); ++i)
    EXPECT_EQ(result.points[i].index, static_cast<std::int64_t>(i) - 1);
}

TEST(Margins, WhatIsNoRuleIsRefusedWithTheRules) {
  for (const char* text : {"y", "=argmax", "y=argmin", "y=topk", "y=topk:0", "y=topk:x",
                           "y=threshold", "y=threshold:inf", "y=sigmoid:1", "y=argmax:1:2"})
    try {
      (void)parse_decision(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_request);
      EXPECT_NE(std::string(error.what()).find("topk:K"), std::string::npos) << error.what();
    }
  EXPECT_EQ(parse_decision("head=a=argmax:2").output, "head=a");
  const Graph graph = small_net();
  for (const char* text : {"z=argmax", "y=argmax:4", "y=topk:5"}) {
    const std::vector<Decision> decisions = {parse_decision(text)};
    EXPECT_THROW(check_decisions(decisions, graph), Error) << text;
  }
  const std::vector<Decision> good = {parse_decision("y=topk:4"), parse_decision("y=argmax:-1")};
  EXPECT_NO_THROW(check_decisions(good, graph));
}

/// A diff of the small network with one decision by its sigmoid head.
RunRecord decided(const Numerics& b, const std::string& rule,
                  const std::optional<Injection>& fault = {}) {
  Bench bench(small_net());
  const std::unique_ptr<Backend> faulty = fault ? inject(bench.cpu, *fault) : nullptr;
  Backend& on_b = faulty ? *faulty : static_cast<Backend&>(bench.cpu);
  const Plan plan_a = make_plan(bench.stages, fp32(), bench.cpu, "a"),
             plan_b = make_plan(bench.stages, b, on_b, "b");
  const std::vector<Decision> decisions = {parse_decision("y=" + rule)};
  return diff({.graph = bench.graph,
               .stages = bench.stages,
               .a = {bench.cpu, plan_a, bench.execution},
               .b = {on_b, plan_b, bench.execution},
               .referee = {bench.cpu, bench.cpu, bench.execution},
               .inputs = bench.inputs,
               .decisions = decisions});
}

TEST(Margins, OneContractLeavesNoFlipPossible) {
  const RunRecord record = decided(fp32(), "argmax");
  ASSERT_EQ(record.decisions.size(), 1U);
  const DecisionResult& result = record.decisions[0];
  EXPECT_EQ(result.not_judged, "");
  EXPECT_EQ(result.decisions, 11 * 13);
  EXPECT_EQ(result.flipped + result.could_flip, 0);
  EXPECT_EQ(result.largest_bound, 0);
  EXPECT_EQ(record.exit_code, 0);
}

TEST(Margins, AnotherArithmeticWidensTheMarginThatIsNeeded) {
  const RunRecord record = decided(tf32(Arch::sm_90), "argmax");
  const DecisionResult& result = record.decisions.at(0);
  EXPECT_GT(result.largest_error, 0);
  EXPECT_GT(result.largest_bound, 0);
  EXPECT_EQ(record.exit_code, result.flipped > 0 ? 1 : 0);
}

TEST(Margins, AFlippedDecisionMakesTheExitCodeOne) {
  Bench bench(small_net());
  const int last = bench.stages.back().id;
  const RunRecord record = decided(fp32(), "threshold:0.5", Injection{last, Bug::output_zeroed, 1});
  EXPECT_GT(record.decisions.at(0).flipped, 0);
  EXPECT_EQ(record.exit_code, 1);
}

}  // namespace
}  // namespace parity
