#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "compare/capture.hpp"
#include "compare/forwarding.hpp"
#include "model/arithmetic/bounds.hpp"
#include "tests/compare/small_net.hpp"

// A stage that makes several values: every one of them is compared, handed on and reported.

namespace parity {
namespace {

/// A convolution, its channels split in unequal pieces, a convolution on each piece.
Graph split_net() {
  GraphBuilder graph("split");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 9, 11}});
  const TensorId z = add_conv(graph, x, 16, "/stem/Conv", "stem.z", 1);
  const std::vector<TensorId> pieces =
      graph.add_step(Pieces{1, 2, {6, 10}}, {z}, {}, "/cut/Split", {"left", "right"}, "Split");
  graph.add_output(add_conv(graph, pieces[0], 4, "/left/Conv", "left.y", 11));
  graph.add_output(add_conv(graph, pieces[1], 5, "/right/Conv", "right.y", 21));
  return graph.finish();
}
constexpr int split_stage = 1, right_stage = 3;

TEST(Pieces, AreOneStageWhoseOutputsStayApart) {
  const std::vector<Stage> stages = cut(split_net());
  ASSERT_EQ(stages.size(), 4U);
  EXPECT_EQ(stages[split_stage].output_names, (std::vector<std::string>{"left", "right"}));
  EXPECT_EQ(stages[right_stage].input_names, std::vector<std::string>{"right"});
}

TEST(Pieces, AcrossContractsNobodyIsNamedAndTheSharesOfBothOutputsSumToOne) {
  Bench bench(split_net());
  for (const char* spec : {"sm_90", "fp64", "eigen"}) {
    const RunRecord record = bench.run(fp32(), named(spec));
    EXPECT_TRUE(Bench::named(record).empty()) << spec;
    EXPECT_EQ(record.exit_code, 0) << spec;
    ASSERT_EQ(record.outputs.size(), 2U);
    for (const OutputResult& output : record.outputs) {
      ASSERT_TRUE(output.accumulated) << output.name;
      EXPECT_GT(output.accumulated->differing, 0) << output.name;
    }
    const double shares = std::accumulate(
        record.stages.begin(), record.stages.end(), 0.0,
        [](double sum, const StageResult& stage) { return sum + stage.share_of_final; });
    // Each stage hands its shares on once, a product and a sum per output and stage.
    EXPECT_LE(std::abs(shares - 1), gamma(4 * 2 * 2 * 4, unit_roundoff_double)) << spec;
  }
}

/// A backend that gets one element of the second piece wrong.
class WrongPiece final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override {
    std::vector<Value> outputs = inner_.run(stage, inputs, reading, execution);
    if (stage.stage.id != split_stage || reading == Reading::magnitudes) return outputs;
    const Tensor right = inner_.download(outputs[1], execution);
    std::vector<float> values(right.values<float>().begin(), right.values<float>().end());
    values[17] += 1;
    outputs[1] = inner_.upload(Tensor::of(right.shape(), std::move(values)), execution);
    return outputs;
  }
};

TEST(Pieces, AFaultInTheSecondOutputIsNamedAndNoOther) {
  Bench bench(split_net());
  WrongPiece wrong(bench.cpu);
  const Plan a = make_plan(bench.stages, fp32(), bench.cpu, "a"),
             b = make_plan(bench.stages, fp32(), wrong, "b");
  const RunRecord record = diff({.graph = bench.graph,
                                 .stages = bench.stages,
                                 .a = {bench.cpu, a, bench.execution},
                                 .b = {wrong, b, bench.execution, &bench.cpu},
                                 .referee = {bench.cpu, bench.cpu, bench.execution},
                                 .inputs = bench.inputs});
  EXPECT_EQ(Bench::named(record), std::vector<int>{split_stage});
  EXPECT_EQ(record.exit_code, 1);
  ASSERT_TRUE(record.stages[split_stage].twin_b);
  EXPECT_EQ(record.stages[split_stage].twin_b->differing, 1);
  // Only what reads the second piece has an error.
  EXPECT_EQ(record.outputs[0].accumulated->differing, 0);
  EXPECT_GT(record.outputs[1].accumulated->differing, 0);
  EXPECT_EQ(record.stages[right_stage].verdict, Verdict::same_bits);
}

TEST(Pieces, ARecordingIsHeldToEveryOutputItHas) {
  Bench bench(split_net());
  WrongPiece wrong(bench.cpu);
  for (const bool right : {true, false}) {
    Backend& recorder = right ? static_cast<Backend&>(bench.cpu) : wrong;
    const Plan plan = make_plan(bench.stages, fp32(), recorder, "recorded");
    Capture capture{"other.npz", {}};
    run({.graph = bench.graph,
         .plan = plan,
         .backend = recorder,
         .execution = bench.execution,
         .inputs = bench.inputs,
         .tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
           for (std::size_t j = 0; j < outputs.size(); ++j)
             capture.tensors.emplace_back(planned.stage.output_names[j],
                                          bench.cpu.download(outputs[j], bench.execution));
         }});
    const Plan own = make_plan(bench.stages, fp32(), bench.cpu, "a");
    const RunRecord record = diff_capture({.graph = bench.graph,
                                           .stages = bench.stages,
                                           .a = {bench.cpu, own, bench.execution},
                                           .referee = {bench.cpu, bench.cpu, bench.execution},
                                           .inputs = bench.inputs,
                                           .capture = capture,
                                           .spec = "capture:other.npz",
                                           .numerics = {}});
    EXPECT_EQ(Bench::named(record), right ? std::vector<int>{} : std::vector<int>{split_stage});
    EXPECT_EQ(record.stages[split_stage].tensor, right ? "left" : "right");
    ASSERT_EQ(record.outputs.size(), 2U);
    EXPECT_EQ(record.outputs[1].accumulated->differing > 0, !right);
  }
}

}  // namespace
}  // namespace parity
