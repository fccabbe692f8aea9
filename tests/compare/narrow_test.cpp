#include "compare/narrow.hpp"

#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

/// Two branches of three convolutions from one stem, joined and finished by a head.
Graph branched_net() {
  GraphBuilder graph("branched");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 9, 10}});
  const auto layer = [&](TensorId from, const std::string& name, std::uint64_t seed) {
    const TensorId z = add_conv(graph, from, 8, "/" + name + "/Conv", name + ".z", seed);
    const TensorId n =
        add_norm(graph, z, "/" + name + "/BatchNormalization", name + ".n", seed + 1);
    return add_relu(graph, n, "/" + name + "/Relu", name + ".y");
  };
  const TensorId stem = layer(x, "stem.0", 1);
  TensorId left = stem, right = stem;
  for (int i = 0; i < 3; ++i) {
    left = layer(left, "left." + std::to_string(i), 10 + 10 * static_cast<std::uint64_t>(i));
    right = layer(right, "right." + std::to_string(i), 50 + 10 * static_cast<std::uint64_t>(i));
  }
  const TensorId both =
      graph.add_step(Concat{1}, {left, right}, {}, "/join/Concat", {"both"}, "Concat").front();
  graph.add_output(layer(both, "head.0", 90));
  return graph.finish();
}

struct Narrowing : Bench {
  Narrowing() : Bench(branched_net()) {}

  NarrowRecord run(const Numerics& b, const std::vector<Injection>& faults,
                   std::optional<double> goal = {}, double most = 64) {
    std::vector<std::unique_ptr<Backend>> chain;
    Backend* backend = &cpu;
    for (const Injection& fault : faults) {
      chain.push_back(inject(*backend, fault));
      backend = chain.back().get();
    }
    const Plan plan_a = make_plan(stages, fp32(), cpu, "a"),
               plan_b = make_plan(stages, b, *backend, "b");
    return narrow({.graph = graph,
                   .stages = stages,
                   .a = {cpu, plan_a, execution},
                   .b = {*backend, plan_b, execution},
                   .referee = {cpu, cpu, execution},
                   .inputs = inputs,
                   .goal = goal,
                   .most_networks = most});
  }
  int stage_named(const std::string& name) const {
    for (std::size_t i = 0; i < stages.size(); ++i)
      if (stages[i].name == name) return static_cast<int>(i);
    throw std::runtime_error("no stage " + name);
  }
  static std::vector<std::string> names(const NarrowRecord& record) {
    std::vector<std::string> all;
    for (const Culprit& culprit : record.culprits) all.push_back(culprit.name);
    std::sort(all.begin(), all.end());  // branches have no order among themselves
    return all;
  }
};

TEST(Narrow, FaultsOnTwoBranchesAreBothNamedAndNoOtherStage) {
  Narrowing bench;
  for (const std::string left : {"left.0", "left.1", "left.2"})
    for (const std::string right : {"right.0", "right.2"}) {
      const NarrowRecord record =
          bench.run(fp32(), {{bench.stage_named(left), Bug::channel_scaled, 0x1p-6, 3},
                             {bench.stage_named(right), Bug::channel_scaled, 0x1p-6, 4}});
      EXPECT_EQ(Narrowing::names(record), (std::vector<std::string>{left, right}));
      EXPECT_FALSE(record.all.same_bits);
      EXPECT_TRUE(record.rest.same_bits) << "with both by a, nothing is left";
      EXPECT_TRUE(record.goal_reached);
      for (const Culprit& culprit : record.culprits) {
        EXPECT_EQ(culprit.verdict, Verdict::diverged);
        EXPECT_FALSE(culprit.replaced.same_bits) << "the other fault is still there";
        EXPECT_FALSE(culprit.alone.same_bits) << "it makes a difference of its own";
        EXPECT_FALSE(culprit.left.same_bits) << "it cannot be left out";
      }
      EXPECT_EQ(record.culprits[0].replaced.max_abs, record.culprits[1].alone.max_abs);
      EXPECT_EQ(exit_code_of(record), 1);
    }
}

TEST(Narrow, AFaultInAnotherArithmeticIsNamedAndTheRestIsArithmetic) {
  Narrowing bench;
  const NarrowRecord record =
      bench.run(tf32(Arch::sm_90), {{bench.stage_named("right.1"), Bug::channel_scaled, 1, 3}});
  EXPECT_EQ(Narrowing::names(record), std::vector<std::string>{"right.1"});
  EXPECT_LT(record.rest.relative, record.all.relative);
  EXPECT_FALSE(record.rest.same_bits);
  EXPECT_EQ(record.rest.max_abs, record.culprits[0].replaced.max_abs);
}

TEST(Narrow, ArithmeticIsNarrowedToASetWithoutWhichTheGoalIsMissed) {
  Narrowing bench;
  for (const double goal : {0.5, 0.1}) {
    const NarrowRecord record = bench.run(tf32(Arch::sm_90), {}, goal);
    ASSERT_FALSE(record.culprits.empty());
    EXPECT_TRUE(record.goal_reached);
    EXPECT_LE(record.rest.relative, goal * record.all.relative);
    for (const Culprit& culprit : record.culprits)
      EXPECT_GT(culprit.left.relative, goal * record.all.relative) << culprit.name;
    EXPECT_EQ(exit_code_of(record), 0);
  }
  EXPECT_LE(bench.run(tf32(Arch::sm_90), {}, 0.5).culprits.size(),
            bench.run(tf32(Arch::sm_90), {}, 0.1).culprits.size());
}

TEST(Narrow, TheSameBitsNeedNoSearch) {
  Narrowing bench;
  const NarrowRecord record = bench.run(fp32(), {});
  EXPECT_TRUE(record.culprits.empty());
  EXPECT_TRUE(record.all.same_bits);
  EXPECT_EQ(record.runs, 1);
  EXPECT_EQ(exit_code_of(record), 0);
}

TEST(Narrow, AllStagesByBIsWhatTheDiffFound) {
  Narrowing bench;
  const NarrowRecord record = bench.run(fp64(), {});
  ASSERT_TRUE(record.diff.outputs.at(0).accumulated);
  EXPECT_EQ(record.all.max_abs, record.diff.outputs[0].accumulated->max_abs);
}

TEST(Narrow, ASearchThatCostsTooMuchStopsAndSaysSo) {
  Narrowing bench;
  const NarrowRecord record = bench.run(tf32(Arch::sm_90), {}, 0.01, 1);
  EXPECT_NE(record.stopped, "");
  EXPECT_EQ(exit_code_of(record), 4);
}

}  // namespace
}  // namespace parity
