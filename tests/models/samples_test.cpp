#include "model/samples/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compare/run.hpp"
#include "cpu/backend.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/error.hpp"
#include "model/generator.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"

namespace parity {
namespace {

Graph sample(const std::string& name, const Execution& execution = {}) {
  cpu::CpuBackend settler;
  return sample_graph(name, settler, execution);
}

std::vector<std::string> stage_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Stage& stage : cut(graph)) names.push_back(stage.name);
  return names;
}

std::string message(const std::string& name) {
  try {
    sample_named(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_request);
    return error.what();
  }
  return "no error";
}

TEST(Samples, AFamilyAloneMeansItsCaseA) { EXPECT_EQ(sample_named("second").name, "second/A"); }

TEST(Samples, AnUnknownNameIsAnsweredWithTheListAndTheNearest) {
  const std::string text = message("secnd/B");
  EXPECT_NE(text.find("'secnd/B' does not exist"), std::string::npos) << text;
  EXPECT_NE(text.find("second/A, second/B"), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean 'second/B'?"), std::string::npos) << text;
}

TEST(Samples, EveryBenchCaseIsThereInEveryFamily) {
  for (const std::string family : {"second", "second_fpn", "centerpoint"})
    for (const std::string net : {"A", "B", "C", "D", "E", "F", "G", "narrow"})
      EXPECT_EQ(sample_named(family + "/" + net).inputs.front().second, "pillars:7");
}

TEST(Samples, StagesAreNamedAsTheExporterNamesThem) {
  const std::vector<std::string> expected{
      "blocks.0.0", "blocks.0.3", "blocks.0.6",  "blocks.0.9",  "blocks.1.0", "blocks.1.3",
      "blocks.1.6", "blocks.1.9", "blocks.1.12", "blocks.1.15", "blocks.2.0", "blocks.2.3",
      "blocks.2.6", "blocks.2.9", "blocks.2.12", "blocks.2.15"};
  EXPECT_EQ(stage_names(sample("second/narrow")), expected);
}

TEST(Samples, NeckAndHeadsFollowTheBackbone) {
  const std::vector<std::string> names = stage_names(sample("centerpoint/narrow"));
  const std::vector<std::string> expected{
      "neck.deblocks.0.0", "neck.deblocks.1.0", "neck.deblocks.2.0", "neck",
      "shared.0",          "heads.0.reg.0",     "heads.0.reg.3",     "heads.0.height.0",
      "heads.0.height.3"};
  ASSERT_GE(names.size(), 16 + expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), names.begin() + 16));
  EXPECT_EQ(names.back(), "heads.1.heatmap.3");
}

TEST(Samples, BitsDependOnNothingThatRunsThem) {
  const std::string best = sample("centerpoint/narrow").digest;
  for (const int threads : {2, 7}) {
    const Execution execution{.threads = threads};
    EXPECT_EQ(sample("centerpoint/narrow", execution).digest, best) << threads << " threads";
  }
  const Execution scalar{.instruction_set = InstructionSet::scalar};
  EXPECT_EQ(sample("centerpoint/narrow", scalar).digest, best);
}

TEST(Samples, WeightsAndStatisticsAreTheSameOnEveryMachine) {
  // Recorded once; a change of seed, generator, structure, `chain` or statistics changes them, and
  // must say so.
  EXPECT_EQ(sample("second/narrow").digest, "586c6afe9282731c3d2e776fa65a3b46");
  EXPECT_EQ(sample("second/A").digest, "a544c722e8da55f6b6fb56e60bb5dbd6");
}

/// The RMS that a settled BatchNorm can give its stage's output, ReLU behind it.
///
/// On the image that settled it, z has mean m and variance v per channel, so y = BN(z) has mean
/// beta and variance gamma^2 v/(v+eps), and mean(y^2) = beta^2 + gamma^2 v/(v+eps). ReLU only
/// shrinks: that is the upper bound. From below, mean(relu(y)^2) >= mean(relu(y))^2 >= max(beta,
/// 0)^2 (Jensen twice). Roundings move y by at most u(|sz| + |t| + |y|) + u|s m| (s, t, the fma,
/// the stored mean) plus 2u|sz| (the stored variance), and RMS is a norm.
struct RmsBounds {
  double low = 0, high = 0;
};
RmsBounds rms_bounds(const Step& norm) {
  const auto& op = std::get<BatchNorm>(static_cast<const Op::variant&>(*norm.op));
  const auto value = [&](int p, std::size_t c) {
    return static_cast<double>(norm.parameters[static_cast<std::size_t>(p)]->values<float>()[c]);
  };
  const std::size_t C = norm.parameters[0]->values<float>().size();
  double low = 0, high = 0;
  for (std::size_t c = 0; c < C; ++c) {
    const double gamma = value(0, c), beta = value(1, c), mean = value(2, c),
                 variance = value(3, c);
    const double s = gamma / std::sqrt(variance + double{op.epsilon});
    const double y = std::sqrt(beta * beta + s * s * variance);
    const double sz = std::abs(s) * std::sqrt(mean * mean + variance), sm = std::abs(s * mean);
    const double slack = unit_roundoff * (3 * sz + std::abs(beta) + 2 * sm + y);
    high += (y + slack) * (y + slack);
    const double least = std::max(0.0, std::max(beta, 0.0) - slack);
    low += least * least;
  }
  const auto channels = static_cast<double>(C);
  return {std::sqrt(low / channels), std::sqrt(high / channels)};
}

TEST(Samples, ActivationsStayInTheRangeThatTheirBatchNormPromises) {
  const Graph graph = sample("centerpoint/narrow");
  cpu::CpuBackend backend;
  const std::vector<Stage> stages = cut(graph);
  const Plan plan = make_plan(stages, Numerics{}, backend, "cpu:fp32");
  // `narrow` is settled at its own extent, so on this image the statistics are those of the stages
  // themselves.
  const std::vector<Tensor> inputs{
      generate({Generator::Kind::pillars, 1}, graph.tensor(graph.inputs.front()).type, "settling")};
  int checked = 0;
  const auto tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
    const std::vector<Step>& steps = planned.stage.steps;
    const auto norm = std::find_if(steps.begin(), steps.end(), [](const Step& step) {
      return std::holds_alternative<BatchNorm>(static_cast<const Op::variant&>(*step.op));
    });
    if (norm == steps.end()) return;
    const Tensor y = backend.download(outputs.front(), {});
    double squares = 0;
    for (const float value : y.values<float>()) squares += double{value} * value;
    const double rms = std::sqrt(squares / static_cast<double>(y.size()));
    const RmsBounds bounds = rms_bounds(*norm);
    EXPECT_GE(rms, bounds.low) << planned.stage.name;
    EXPECT_LE(rms, bounds.high) << planned.stage.name;
    ++checked;
  };
  run({.graph = graph,
       .plan = plan,
       .backend = backend,
       .execution = {},
       .inputs = inputs,
       .tap = tap});
  EXPECT_EQ(checked, 16 + 3 + 1 + 12);
}

TEST(Samples, CaseAHasTheMultiplyAddsOfItsLayerTable) {
  // 75.16 GFLOP of convolution in SECOND and SECFPN, two per multiply-add: the sum over the layers
  // of case A.
  std::int64_t macs = 0;
  for (const Stage& stage : cut(sample("second_fpn/A"))) macs += stage.macs;
  const auto conv = [](std::int64_t pixels, std::int64_t OC, std::int64_t K) {
    return pixels * OC * K;
  };
  const std::int64_t first = 4 * conv(65536, 64, 576);
  const std::int64_t second = conv(16384, 128, 576) + 5 * conv(16384, 128, 1152);
  const std::int64_t third = conv(4096, 256, 1152) + 5 * conv(4096, 256, 2304);
  const std::int64_t neck = conv(16384, 128, 256) + conv(16384, 128, 128) + conv(4096, 512, 256);
  EXPECT_EQ(macs, first + second + third + neck);
}

}  // namespace
}  // namespace parity
