#include "compare/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "model/arithmetic/tf32.hpp"
#include "model/samples/samples.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

/// How the weights of a net are drawn; each makes partial sums of another kind.
enum class Weighting { signed_normal, positive, few_bits };

/// Two convolutions with BatchNorm and ReLU, wide enough (96 channels) for the test to judge.
Graph wide_net(Weighting weighting, std::uint64_t seed) {
  GraphBuilder graph("wide");
  TensorId x = graph.add_input("x", {Type::float32, {1, 40, 9, 10}});
  for (int layer = 0; layer < 2; ++layer) {
    const std::string name = "layer." + std::to_string(layer);
    const std::int64_t in = graph.type(x).shape[1];
    Tensor w = filled({Type::float32, {96, in, 3, 3}}, Fill::real,
                      seed + static_cast<std::uint64_t>(layer) * 10);
    std::vector<float> values(w.values<float>().begin(), w.values<float>().end());
    for (float& value : values) {
      if (weighting == Weighting::positive) value = std::abs(value);
      if (weighting == Weighting::few_bits)
        value = float_of(bits_of(value) & 0xffff0000U);  // as a bfloat16 checkpoint has them
    }
    w = Tensor::of<float>(w.shape(), std::move(values));
    Conv2d op;
    op.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
    const TensorId z =
        graph.add_step(op, {x}, {w, std::nullopt}, "/" + name + "/Conv", {name + ".z"}, "Conv")
            .front();
    const TensorId n =
        add_norm(graph, z, "/" + name + "/BatchNormalization", name + ".n", seed + 1);
    x = add_relu(graph, n, "/" + name + "/Relu", name + ".y");
  }
  graph.add_output(x);
  return graph.finish();
}

/// Every way in which an input may be poor in information.
std::vector<Tensor> inputs_of(const TensorType& type, std::uint64_t seed) {
  const Tensor normal = filled(type, Fill::real, seed);
  const auto made = [&](auto f) {
    std::vector<float> values(normal.values<float>().begin(), normal.values<float>().end());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(values[i], i);
    return Tensor::of<float>(type.shape, std::move(values));
  };
  return {normal,
          made([](float x, std::size_t) { return x > 1 ? x : 0.0F; }),    // sparse
          made([](float x, std::size_t) { return std::abs(x); }),         // one sign
          made([](float, std::size_t) { return 0.1F; }),                  // constant
          made([](float x, std::size_t) { return std::round(64 * x); }),  // integers
          made([](float x, std::size_t i) { return std::ldexp(x, static_cast<int>(i % 40) - 20); }),
          made([](float x, std::size_t) { return std::ldexp(x, -120); })};  // near underflow
}

/// Diffs clean nets of every weighting on every input, and counts the sides that judged.
int judged_clean_sides(std::uint64_t first_seed, std::uint64_t last_seed) {
  int judged = 0;
  for (const Weighting weighting :
       {Weighting::signed_normal, Weighting::positive, Weighting::few_bits})
    for (std::uint64_t seed = first_seed; seed <= last_seed; ++seed) {
      Bench bench(wide_net(weighting, seed * 100));
      for (const Tensor& input : inputs_of(bench.inputs[0].type(), seed))
        for (const auto& [a, b] :
             {std::pair{"fp32", "eigen"}, std::pair{"sm_80", "folded"},
              std::pair{"sm_90/truncate", "exact"}, std::pair{"fp32", "sm_90"}}) {
          bench.inputs = {input};
          const RunRecord record = bench.run(named(a), named(b));
          for (const StageResult& stage : record.stages) {
            EXPECT_NE(stage.verdict, Verdict::diverged)
                << a << " and " << b << ", weighting " << static_cast<int>(weighting) << ", seed "
                << seed << ", " << stage.name << ": " << stage.reason;
            if (!stage.statistics) continue;
            for (const auto& side : {stage.statistics->a, stage.statistics->b})
              judged += side && side->judges;
          }
        }
    }
  return judged;
}

TEST(Statistics, NeverAlarmOnCleanStages) { EXPECT_GE(judged_clean_sides(1, 1), 75); }
TEST(SlowStatistics, NeverAlarmOnManyCleanStages) { EXPECT_GE(judged_clean_sides(2, 7), 450); }

TEST(Statistics, PredictTheNoiseOfAHealthyStage) {
  Bench bench(wide_net(Weighting::signed_normal, 100));
  const RunRecord record = bench.run(named("fp32"), named("sm_90"));
  for (const StageResult& stage : record.stages)
    for (const auto& side : {stage.statistics->a, stage.statistics->b}) {
      ASSERT_TRUE(side && side->judges);
      // The square of the rms is a mean of N_eff squares of variance 2 each: six deviations.
      const double spread = 6 * std::sqrt(2 / static_cast<double>(side->effective));
      if (side->noise == "chain") {
        EXPECT_GT(side->z_rms * side->z_rms, 1 - spread) << stage.name << " " << side->noise;
      }
      EXPECT_LT(side->z_rms * side->z_rms, 1 + spread) << stage.name << " " << side->noise;
    }
}

TEST(Statistics, SeeFaultsThatTheBoundCannot) {
  Bench bench(wide_net(Weighting::signed_normal, 100));
  // Each of them stays inside the rigorous bound of the stage it sits in.
  for (const Injection& fault :
       {Injection{1, Bug::operand_truncated, 15}, Injection{1, Bug::wrong_epsilon, 1e-3},
        Injection{0, Bug::wrong_epsilon, 1e-3}})
    for (const char* a : {"eigen", "sm_90", "fp64"}) {
      const RunRecord record = bench.run(named(a), named("fp32"), fault);
      SCOPED_TRACE(std::string(name(fault.bug)) + " against " + a);
      ASSERT_EQ(Bench::named(record), std::vector<int>{fault.stage});
      const StageResult& stage = record.stages[static_cast<std::size_t>(fault.stage)];
      EXPECT_EQ(stage.exact_b->beyond, 0);
      EXPECT_EQ(stage.introduced->beyond, 0);
      EXPECT_EQ(stage.blame, Blame::b);
      EXPECT_TRUE(stage.statistics->b->fails());
      EXPECT_NE(stage.reason.find("statistical test"), std::string::npos) << stage.reason;
    }
}

TEST(Statistics, FewIndependentElementsInformAndDoNotJudge) {
  Bench bench(small_net());  // 16 channels
  const RunRecord record =
      bench.run(named("eigen"), named("fp32"), Injection{1, Bug::wrong_epsilon, 1e-4});
  EXPECT_TRUE(Bench::named(record).empty());
  const SideStatistics& side = *record.stages[1].statistics->b;
  EXPECT_LE(side.effective, 16);
  EXPECT_FALSE(side.judges);
  EXPECT_GT(side.z_rms, 1);
}

TEST(Statistics, IdenticalWindowsCountOnce) {
  Bench bench(wide_net(Weighting::signed_normal, 100));
  const TensorType type = bench.inputs[0].type();
  bench.inputs = {Tensor::of<float>(
      type.shape, std::vector<float>(static_cast<std::size_t>(element_count(type.shape)), 0.1F))};
  const SideStatistics side = *bench.run(named("eigen"), named("fp32")).stages[0].statistics->b;
  EXPECT_LE(side.effective, 9);  // inside, four edges, four corners
  EXPECT_LE(side.elements, 9 * 96);
  EXPECT_FALSE(side.judges);
}

TEST(Forecast, IsOfTheSizeOfTheMeasuredDrift) {
  Bench bench(wide_net(Weighting::signed_normal, 100));
  for (const char* b : {"sm_90", "sm_80", "eigen", "exact"}) {
    const RunRecord record = bench.run(named("fp32"), named(b));
    for (const StageResult& stage : record.stages) {
      ASSERT_TRUE(stage.predicted_rms) << stage.name;
      // Off by a factor of two, it would be no forecast.
      EXPECT_LT(stage.accumulated->rms, 2 * *stage.predicted_rms) << b << " " << stage.name;
      EXPECT_GT(2 * stage.accumulated->rms, *stage.predicted_rms) << b << " " << stage.name;
    }
  }
}

TEST(Forecast, FollowsWhatTruncationLosesThroughSixteenNormalisedStages) {
  cpu::CpuBackend cpu;
  Bench bench(sample_graph("second/narrow", cpu, {}));
  const RunRecord record = bench.run(named("fp32"), named("sm_90/truncate"));
  ASSERT_EQ(record.stages.size(), 16U);
  for (const StageResult& stage : record.stages) {
    ASSERT_TRUE(stage.predicted_rms) << stage.name;
    EXPECT_LT(stage.accumulated->rms, 2 * *stage.predicted_rms) << stage.name;
    EXPECT_GT(2 * stage.accumulated->rms, *stage.predicted_rms) << stage.name;
  }
}

TEST(Inherited, IsWhatExactArithmeticMakesOfBothInputs) {
  Bench bench(wide_net(Weighting::signed_normal, 100));
  const RunRecord record = bench.run(named("fp64"), named("sm_90"));
  EXPECT_FALSE(record.stages[0].statistics->inherited) << "nothing is inherited from the input";
  const InheritedTest& test = *record.stages[1].statistics->inherited;
  EXPECT_GT(test.measured, 0);
  EXPECT_GT(test.exact, 0);
  // What is left are b's roundings on the two inputs: each within the noise that it introduces.
  EXPECT_LT(test.unexplained, 2 * record.stages[1].introduced->rms);
}

}  // namespace
}  // namespace parity
