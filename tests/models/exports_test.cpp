#include <gtest/gtest.h>

#include <cmath>

#include "compare/differ.hpp"
#include "compare/run.hpp"
#include "tests/models/exported.hpp"

namespace parity {
namespace {

const std::vector<Exported> exports{{"second", "folded"},
                                    {"second", "kept"},
                                    {"second", "dynamo"},
                                    {"centerpoint", "folded"},
                                    {"centerpoint", "kept"},
                                    {"resnet18", "folded"},
                                    {"resnet18", "kept"},
                                    {"planner", "folded"},
                                    {"planner", "kept"},
                                    {"planner", "dynamo"},
                                    {"centerpoint_points", "folded"},
                                    {"centerpoint_points", "dynamo"},
                                    {"resnet50", "kept"},
                                    {"mobilenet_v2", "folded"},
                                    {"mobilenet_v2", "dynamo"},
                                    {"efficientnet_b0", "folded"},
                                    {"efficientnet_b0", "kept"},
                                    {"efficientnet_b0", "dynamo"},
                                    {"yolo", "folded"},
                                    {"yolo", "kept"},
                                    {"yolo", "dynamo"}};

class ExportedModel : public testing::TestWithParam<Exported> {};

std::string test_name(const testing::TestParamInfo<Exported>& info) {
  return info.param.network + "_" + info.param.variant;
}

/// ||y - r||2 / ||r||2 in double.
double relative_difference(const Tensor& y, const Tensor& r) {
  double difference = 0, norm = 0;
  const auto ys = y.values<double>(), rs = r.values<double>();
  for (std::size_t i = 0; i < rs.size(); ++i) {
    difference += (ys[i] - rs[i]) * (ys[i] - rs[i]);
    norm += rs[i] * rs[i];
  }
  return std::sqrt(difference / norm);
}

/// The agreement in double that the project demands of every exported model (an entry figure of its
/// goals, not a bound: both sides compute in double).
constexpr double demanded_agreement = 1e-12;

TEST_P(ExportedModel, InDoubleEqualsPyTorchOnTheFilesOwnConstants) {
  const Loaded model = load(GetParam());
  cpu::CpuBackend backend;
  const Plan plan = model.plan("cpu:fp64", backend);
  const RunResult result = run({.graph = model.graph,
                                .plan = plan,
                                .backend = backend,
                                .execution = {},
                                .inputs = model.inputs});
  const std::map<std::string, Tensor> expected = npz_by_name(GetParam().name() + ".expected.npz");
  ASSERT_EQ(result.outputs.size(), expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    const std::string& name = model.graph.tensor(model.graph.outputs[i]).name;
    const Tensor y = backend.download(result.outputs[i], {});
    ASSERT_EQ(to_string(y.type()), to_string(expected.at(name).type())) << name;
    const double difference = relative_difference(y, expected.at(name));
    EXPECT_LE(difference, demanded_agreement) << name;
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_relative_difference", std::to_string(worst));
  std::printf("%s: %.2e worst of %zu outputs\n", GetParam().name().c_str(), worst,
              result.outputs.size());
}

/// Judges every stage of `spec` against the oracle in double.
RunRecord against_double(const Loaded& model, const std::string& spec) {
  cpu::CpuBackend backend;
  const Plan a = model.plan("cpu:fp64", backend), b = model.plan(spec, backend);
  return diff({.graph = model.graph,
               .stages = model.stages,
               .a = {backend, a, {}},
               .b = {backend, b, {}},
               .referee = {backend, backend, {}},
               .inputs = model.inputs,
               .tolerance = {}});
}

class StageBounds : public testing::TestWithParam<std::tuple<Exported, std::string>> {};

TEST_P(StageBounds, HoldAtEveryStage) {
  const auto& [exported, spec] = GetParam();
  const RunRecord record = against_double(load(exported), spec);
  ASSERT_FALSE(record.stages.empty());
  for (const StageResult& stage : record.stages)
    EXPECT_TRUE(stage.verdict == Verdict::within_bound || stage.verdict == Verdict::same_bits)
        << stage.name << " is " << name(stage.verdict) << ": " << stage.reason;
  EXPECT_EQ(record.exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, ExportedModel, testing::ValuesIn(exports), test_name);
INSTANTIATE_TEST_SUITE_P(Models, StageBounds,
                         testing::Combine(testing::ValuesIn(exports),
                                          testing::Values("cpu:fp32", "cpu:tf32@sm_80",
                                                          "cpu:tf32@sm_90")),
                         [](const auto& info) {
                           std::string text = std::get<0>(info.param).network + "_" +
                                              std::get<0>(info.param).variant + "_" +
                                              std::get<1>(info.param);
                           for (char& c : text)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return text;
                         });

std::vector<std::string> stage_names(const Exported& exported) {
  std::vector<std::string> names;
  for (const Stage& stage : load(exported).stages) names.push_back(stage.name);
  return names;
}

class Variants : public testing::TestWithParam<std::string> {};

TEST_P(Variants, FoldedAndKeptExportsAreCutAlike) {
  EXPECT_EQ(stage_names({GetParam(), "folded"}), stage_names({GetParam(), "kept"}));
}

INSTANTIATE_TEST_SUITE_P(Models, Variants,
                         testing::Values("second", "centerpoint", "resnet18", "planner",
                                         "efficientnet_b0", "yolo"));

TEST(StageNames, AreTheModulesOfTheNetwork) {
  const std::vector<std::string> second{"blocks.0.0",  "blocks.0.3",  "blocks.0.6",  "blocks.0.9",
                                        "blocks.1.0",  "blocks.1.3",  "blocks.1.6",  "blocks.1.9",
                                        "blocks.1.12", "blocks.1.15", "blocks.2.0",  "blocks.2.3",
                                        "blocks.2.6",  "blocks.2.9",  "blocks.2.12", "blocks.2.15"};
  EXPECT_EQ(stage_names({"second", "kept"}), second);
  const std::vector<std::string> resnet = stage_names({"resnet18", "kept"});
  const std::vector<std::string> start{"conv1", "maxpool", "layer1.0.conv1", "layer1.0.conv2",
                                       "layer1.0"};
  ASSERT_GE(resnet.size(), start.size());
  EXPECT_TRUE(std::equal(start.begin(), start.end(), resnet.begin()));
}

}  // namespace
}  // namespace parity
