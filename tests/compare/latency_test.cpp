#include "compare/latency.hpp"

#include <gtest/gtest.h>

#include "model/error.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

TEST(Timing, HasTheNearestRanks) {
  std::vector<double> seconds;
  for (int i = 100; i >= 1; --i) seconds.push_back(i);
  const Timing timing = timing_of(seconds);
  EXPECT_EQ(timing.least, 1);
  EXPECT_EQ(timing.median, 50.5);
  EXPECT_EQ(timing.p95, 95);
  EXPECT_EQ(timing.most, 100);
  EXPECT_EQ(timing_of({3}).p95, 3);
  EXPECT_EQ(timing_of({3, 1}).p95, 3);
  EXPECT_THROW(timing_of({}), Error);
}

TEST(Latency, TimesEveryStageAndTheWholeAndCountsWhatIsOverBudget) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  LatencyRequest request{.graph = bench.graph,
                         .plan = plan,
                         .backend = bench.cpu,
                         .execution = bench.execution,
                         .inputs = bench.inputs,
                         .runs = 3,
                         .warm_up = 1,
                         .budget_seconds = 1e-12};
  int told = 0;
  request.observer = [&](const Progress& progress) {
    EXPECT_EQ(progress.stages, 7);
    ++told;
  };
  const LatencyRecord record = latency(request);
  EXPECT_EQ(told, 8);  // one warm-up, three whole, three by stage, the end
  ASSERT_EQ(record.stages.size(), bench.stages.size());
  for (std::size_t s = 0; s < record.stages.size(); ++s) {
    EXPECT_EQ(record.stages[s].name, bench.stages[s].name);
    EXPECT_GT(record.stages[s].timing.least, 0);
    EXPECT_LE(record.stages[s].timing.least, record.stages[s].timing.most);
  }
  EXPECT_EQ(record.seconds.size(), 3U);
  EXPECT_EQ(record.over, 3);
  request.budget_seconds = 3600;
  request.observer = {};
  EXPECT_EQ(latency(request).over, 0);
}

}  // namespace
}  // namespace parity
