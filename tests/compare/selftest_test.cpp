#include "compare/selftest.hpp"

#include <gtest/gtest.h>

#include <set>

#include "cpu/backend.hpp"
#include "model/plan.hpp"
#include "model/samples/topologies.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

Workbench processor() {
  auto cpu = std::make_shared<cpu::CpuBackend>();
  return {cpu, cpu};
}

SelftestRequest small_test(std::uint64_t seed) {
  SelftestRequest request;
  request.workbench = processor;
  request.faults = 300;
  request.clean = 300;
  request.threshold_samples = 0;
  request.seed = seed;
  return request;
}

std::string told(const SelftestResult& result) {
  std::string text;
  for (const Confusion& each : result.confusions)
    text += std::to_string(each.count) + " " + each.expected + " called " + each.given + " in " +
            each.example + "\n";
  for (const std::string& each : result.missed) text += "missed " + each + "\n";
  for (const std::string& each : result.false_alarms) text += "false alarm " + each + "\n";
  return text;
}

TEST(Selftest, MeetsItsDemands) {
  const SelftestResult result = selftest(small_test(11));
  EXPECT_TRUE(result.passed()) << "paritylab selftest --faults 300 --clean 300 --seed 11\n"
                               << told(result);
  EXPECT_EQ(result.total.visible, 300);
  EXPECT_EQ(result.clean_runs, 300);
  EXPECT_GT(result.total.invisible, 0);
}

TEST(Selftest, FollowsFromItsSeedWhateverTheThreads) {
  SelftestRequest request = small_test(5);
  request.faults = request.clean = 40;
  const SelftestResult one = selftest(request);
  request.threads = 3;
  const SelftestResult three = selftest(request);
  EXPECT_EQ(one.total.seated, three.total.seated);
  EXPECT_EQ(one.total.label_right, three.total.label_right);
  EXPECT_EQ(one.clean_stages, three.clean_stages);
  EXPECT_EQ(told(one), told(three));
}

TEST(Selftest, HasASeatForEveryBugThatItKnows) {
  cpu::CpuBackend cpu;
  std::set<Bug> seated;
  for (const Topology topology : all_topologies())
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Graph graph = small_network(topology, seed, Dressing::normalised);
      const Plan plan = make_plan(cut(graph), Numerics{}, cpu, "cpu:fp32");
      for (const PlannedStage& planned : plan.stages)
        for (const Bug bug : all_bugs())
          if (applies({planned.stage.id, bug}, planned) && !amounts(bug, planned).empty())
            seated.insert(bug);
    }
  for (const Bug bug : all_bugs()) EXPECT_TRUE(seated.contains(bug)) << name(bug);
}

TEST(Selftest, AMissedStageOrAFalseAlarmFailsIt) {
  SelftestResult result;
  result.total.visible = result.total.stage_right = result.total.label_right = 1000;
  EXPECT_TRUE(result.passed());
  result.total.stage_right = 994;
  EXPECT_FALSE(result.passed());
  result.total.stage_right = 1000;
  result.total.label_right = 949;
  EXPECT_FALSE(result.passed());
  result.total.label_right = 1000;
  result.false_alarms = {"stage 1"};
  EXPECT_FALSE(result.passed());
}

}  // namespace
}  // namespace parity
