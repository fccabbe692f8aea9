#include <gtest/gtest.h>

#include "compare/capture.hpp"
#include "model/arithmetic/half.hpp"
#include "tests/models/exported.hpp"

namespace parity {
namespace {

/// A committed recording of onnxruntime, judged against the export it was made from.
struct Recording {
  Exported exported;
  std::string suffix;      ///< of the file: "onnxruntime", "onnxruntime-eps"
  std::string edited;      ///< the stage whose constant the recorded model had changed; empty: none
  std::string looks = {};  ///< what the diagnosis calls it

  std::string name() const { return exported.name() + "." + suffix; }
};
void PrintTo(const Recording& recording, std::ostream* out) { *out << recording.name(); }

/// In float16 a recording is rounded as one that was saved so.
enum class Saved { as_computed, in_half };

RunRecord judge(const Recording& recording, Saved saved = Saved::as_computed,
                std::size_t attribute = attribute_none) {
  const Loaded model = load(recording.exported);
  cpu::CpuBackend backend;
  const Plan plan = model.plan("cpu:fp32", backend);
  const std::string file = recording.name() + ".npz";
  Capture capture{file, {}};
  for (const auto& [name, tensor] : npz_by_name(file))
    capture.tensors.emplace_back(name, saved == Saved::in_half ? rounded_to_half(tensor) : tensor);
  return diff_capture({.graph = model.graph,
                       .stages = model.stages,
                       .a = {backend, plan, {}},
                       .referee = {backend, backend, {}},
                       .inputs = model.inputs,
                       .capture = capture,
                       .spec = "capture:" + file,
                       .numerics = {},
                       .tolerance = {},
                       .attribute = attribute});
}

class OnnxruntimeCapture : public testing::TestWithParam<Recording> {};

TEST_P(OnnxruntimeCapture, NamesTheEditedStageAndNoOther) {
  const RunRecord record = judge(GetParam());
  ASSERT_FALSE(record.stages.empty());
  double worst = 0;
  for (const StageResult& stage : record.stages) {
    if (stage.name == GetParam().edited) {
      EXPECT_EQ(stage.verdict, Verdict::diverged) << stage.name << ": " << stage.reason;
      EXPECT_EQ(record.answers.first_diverging, stage.id);
      ASSERT_FALSE(stage.diagnoses.empty());
      EXPECT_EQ(stage.diagnoses.front().label, GetParam().looks)
          << stage.diagnoses.front().evidence;
    } else {
      EXPECT_TRUE(stage.verdict == Verdict::within_bound || stage.verdict == Verdict::same_bits)
          << stage.name << " is " << name(stage.verdict) << ": " << stage.reason;
      if (stage.exact_b) worst = std::max(worst, stage.exact_b->worst_share);
    }
  }
  EXPECT_EQ(record.exit_code, GetParam().edited.empty() ? 0 : 1);
  std::printf("worst share of the bound among the unedited stages: %.3g\n", worst);
}

TEST(OnnxruntimeCaptureInHalf, RaisesNoAlarm) {
  for (const char* const network :
       {"second.kept", "centerpoint.kept", "resnet18.kept", "planner.kept", "efficientnet_b0.kept",
        "yolo.kept", "convnext.kept", "codenet.kept", "heimdall.dynamo"}) {
    const std::string name = network;
    const std::size_t dot = name.find('.');
    const RunRecord record =
        judge({{name.substr(0, dot), name.substr(dot + 1)}, "onnxruntime", ""}, Saved::in_half);
    EXPECT_EQ(record.answers.first_diverging, -1) << network;
    EXPECT_GT(record.answers.counts[static_cast<std::size_t>(Verdict::within_bound)], 0);
  }
}

TEST(OnnxruntimeCaptureOfConvolutions, IsExplainedBitForBitAtEveryStage) {
  for (const char* const network : {"second", "centerpoint"}) {
    const RunRecord record =
        judge({{network, "kept"}, "onnxruntime", ""}, Saved::as_computed, attribute_all);
    for (const StageResult& stage : record.stages) {
      if (stage.verdict == Verdict::same_bits) continue;
      ASSERT_TRUE(stage.attribution) << stage.name;
      EXPECT_FALSE(stage.attribution->certificate.empty()) << stage.name << " of " << network;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Recordings, OnnxruntimeCapture,
    testing::Values(
        Recording{{"second", "kept"}, "onnxruntime", ""},
        Recording{{"second", "folded"}, "onnxruntime", ""},
        Recording{{"second", "kept"}, "onnxruntime-optimised", ""},
        Recording{{"centerpoint", "kept"}, "onnxruntime", ""},
        Recording{{"resnet18", "kept"}, "onnxruntime", ""},
        Recording{{"planner", "kept"}, "onnxruntime", ""},
        Recording{{"centerpoint_points", "folded"}, "onnxruntime", ""},
        Recording{{"resnet50", "kept"}, "onnxruntime", ""},
        Recording{{"mobilenet_v2", "folded"}, "onnxruntime", ""},
        Recording{{"efficientnet_b0", "kept"}, "onnxruntime", ""},
        Recording{{"yolo", "kept"}, "onnxruntime", ""},
        Recording{{"convnext", "kept"}, "onnxruntime", ""},
        Recording{{"codenet", "kept"}, "onnxruntime", ""},
        Recording{{"codenet_state", "folded"}, "onnxruntime", ""},
        Recording{{"heimdall", "dynamo"}, "onnxruntime", ""},
        Recording{{"heimdall_pro", "dynamo"}, "onnxruntime", ""},
        Recording{{"second", "kept"}, "onnxruntime-eps", "blocks.1.3", "wrong_epsilon"},
        Recording{
            {"second", "kept"}, "onnxruntime-transposed", "blocks.2.6", "kernel_axes_swapped"},
        Recording{{"centerpoint", "kept"},
                  "onnxruntime-transposed",
                  "neck.deblocks.2.0",
                  "kernel_axes_swapped"},
        Recording{{"resnet18", "kept"},
                  "onnxruntime-transposed",
                  "layer3.0.conv2",
                  "kernel_axes_swapped"},
        Recording{{"planner", "kept"}, "onnxruntime-scaled", "decoder.2", "scaled"},
        Recording{{"planner", "kept"}, "onnxruntime-doubled", "decoder.2", "bias_misscaled"},
        Recording{{"planner", "kept"}, "onnxruntime-int8", "decoder.0", "weights_narrowed"},
        Recording{{"codenet", "kept"}, "onnxruntime-reset", "gru2", "reset_misplaced"},
        Recording{{"codenet", "kept"}, "onnxruntime-carried", "gru1", "initial_state_stale"},
        Recording{
            {"codenet_state", "folded"}, "onnxruntime-begun", "gru2", "initial_state_ignored"},
        Recording{{"codenet_state", "folded"}, "onnxruntime-bias", "gru1", "bias_dropped"},
        Recording{{"codenet_state", "folded"}, "onnxruntime-gates", "gru2", "gates_misordered"},
        Recording{
            {"codenet_state", "folded"}, "onnxruntime-recurrence", "gru2", "recurrence_transposed"},
        Recording{{"heimdall", "dynamo"}, "onnxruntime-alpha", "geometry.1", "constants_misread"}),
    [](const testing::TestParamInfo<Recording>& info) {
      std::string text = info.param.name();
      for (char& c : text)
        if (c == '-' || c == '.') c = '_';
      return text;
    });

}  // namespace
}  // namespace parity
