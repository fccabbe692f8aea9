#include "compare/run.hpp"

#include <gtest/gtest.h>

#include "model/error.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

TEST(Run, ATapSeesEveryStageAndChangesNoBit) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  RunRequest request{.graph = bench.graph,
                     .plan = plan,
                     .backend = bench.cpu,
                     .execution = bench.execution,
                     .inputs = bench.inputs};
  const RunResult plain = run(request);
  std::vector<std::string> seen;
  request.tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
    seen.push_back(planned.stage.name);
    EXPECT_EQ(outputs.size(), planned.stage.outputs.size());
  };
  const RunResult tapped = run(request);
  ASSERT_EQ(seen.size(), bench.stages.size());
  ASSERT_EQ(plain.outputs.size(), 2U);
  for (std::size_t i = 0; i < plain.outputs.size(); ++i)
    EXPECT_TRUE(same_bits(bench.cpu.download(plain.outputs[i], bench.execution),
                          bench.cpu.download(tapped.outputs[i], bench.execution)));
}

TEST(Run, AValueIsDroppedAfterItsLastReader) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  std::vector<std::weak_ptr<const Storage>> made;
  std::size_t most = 0;
  const RunResult result = run({.graph = bench.graph,
                                .plan = plan,
                                .backend = bench.cpu,
                                .execution = bench.execution,
                                .inputs = bench.inputs,
                                .tap = [&](const PlannedStage&, std::span<const Value> outputs) {
                                  made.push_back(outputs[0].storage());
                                  std::size_t alive = 0;
                                  for (const auto& value : made) alive += !value.expired();
                                  most = std::max(most, alive);
                                }});
  // Only the residual keeps a second value beside the newest one's input and output.
  EXPECT_LE(most, 3U);
  std::size_t left = 0;
  for (const auto& value : made) left += !value.expired();
  EXPECT_EQ(left, bench.graph.outputs.size());
}

TEST(Run, RefusesInputsThatDoNotFit) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  const auto refusal = [&](std::vector<Tensor> inputs) -> std::string {
    try {
      run({.graph = bench.graph,
           .plan = plan,
           .backend = bench.cpu,
           .execution = {},
           .inputs = inputs});
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_input);
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(refusal({}).find("has 1 input"), std::string::npos);
  EXPECT_NE(refusal({filled({Type::float32, {1, 8, 11, 12}}, Fill::real, 1)}).find("'x'"),
            std::string::npos);
}

TEST(Memory, PredictionIsAPureFunctionThatGrowsWithWhatIsHeld) {
  Bench bench(small_net());
  const Plan a = make_plan(bench.stages, fp32(), bench.cpu, "a");
  const Plan b = make_plan(bench.stages, tf32(Arch::sm_90), bench.cpu, "b");
  const Plan wide = make_plan(bench.stages, fp64(), bench.cpu, "wide");
  const PredictedMemory single = predicted_peak_bytes(bench.graph, a, 1);
  EXPECT_EQ(single.total(), predicted_peak_bytes(bench.graph, a, 1).total());
  EXPECT_EQ(single.total(), single.process + single.weights + single.packed + single.values);
  const PredictedMemory pair = predicted_peak_bytes(bench.graph, a, b, 1);
  EXPECT_GT(pair.values, single.values);
  EXPECT_EQ(pair.weights, single.weights);
  EXPECT_GT(predicted_peak_bytes(bench.graph, wide, 1).values, single.values);
  EXPECT_GT(predicted_peak_bytes(bench.graph, wide, b, 1).values, pair.values);
  // Equal contracts hold one value where others hold two.
  EXPECT_LT(predicted_peak_bytes(bench.graph, a, a, 1).values, pair.values);
  EXPECT_GE(single.stage, 0);
}

}  // namespace
}  // namespace parity
