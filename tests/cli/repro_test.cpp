// Bundles of one stage: written by `diff --repro`, replayed by `repro`, hostile ones refused.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/files/npz.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

const std::string make = "diff sample:second/narrow --until blocks.0.3 --b cpu:tf32@sm_90 --repro ";

TEST(ReproCommand, ABundleIsReplayedWithoutTheModel) {
  const Workshop workshop;
  const Ended made = paritylab(workshop, make + "bundle");
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(workshop.files(),
            (std::vector<std::string>{"bundle", "bundle/expected.npz", "bundle/inputs.npz",
                                      "bundle/manifest.json", "bundle/model.onnx"}));
  const Ended ended = paritylab(workshop, "repro bundle --json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document.at("a").at("reproduced"), true);
  EXPECT_EQ(document.at("b").at("reproduced"), true);
  EXPECT_GT(document.at("algorithms").size(), 8U);
  const Ended text = paritylab(workshop, "repro bundle");
  EXPECT_NE(text.out.find("reproduced bit for bit by chain"), std::string::npos) << text.out;
  // The stage is a model like any other.
  EXPECT_EQ(
      paritylab(workshop, "diff bundle/model.onnx --input bundle/inputs.npz --b cpu:fp32").code, 0);
}

TEST(ReproCommand, EqualRunsWriteEqualBundles) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop, make + "one").code, 0);
  ASSERT_EQ(paritylab(workshop, make + "two").code, 0);
  for (const char* file : {"/expected.npz", "/inputs.npz", "/model.onnx"})
    EXPECT_EQ(workshop.read(std::string("one") + file), workshop.read(std::string("two") + file));
}

TEST(ReproCommand, AnArchiveIsTheSameBundleInOneFile) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop, make + "one.zip").code, 0);
  EXPECT_EQ(workshop.files(), std::vector<std::string>{"one.zip"});
  EXPECT_EQ(paritylab(workshop, "repro one.zip").code, 0);
  EXPECT_EQ(paritylab(workshop, make + "one.zip").code, 2) << "it is not written over";
  const std::string whole = workshop.read("one.zip");
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{3}, whole.size() / 2}) {
    workshop.write("one.zip", whole.substr(0, bytes));
    const Ended ended = paritylab(workshop, "repro one.zip");
    EXPECT_EQ(ended.code, 3) << ended.err;
    EXPECT_EQ(ended.err.rfind("paritylab: ", 0), 0U) << ended.err;
  }
  // An archive of something else: a recording.
  ASSERT_EQ(paritylab(workshop, "run sample:second/narrow --on cpu:fp32 --output o.npz").code, 0);
  EXPECT_EQ(paritylab(workshop, "repro o.npz").code, 3);
}

TEST(ReproCommand, ARecordingsStageIsBundledToo) {
  const Workshop workshop;
  ASSERT_EQ(
      paritylab(workshop, "run sample:second/narrow --on cpu:tf32@sm_90 --capture all.npz").code,
      0);
  const Ended made = paritylab(
      workshop, "diff sample:second/narrow --b capture:all.npz --repro b --repro-stage blocks.1.3");
  EXPECT_EQ(made.code, 1) << made.err;
  const Ended ended = paritylab(workshop, "repro b");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("recording"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("reproduced bit for bit by tensor:k8f25/rna"), std::string::npos)
      << "which arithmetic the recording really ran\n"
      << ended.out;
}

TEST(ReproCommand, AReplayRepeatsWhatTheDiffSaidOfTheStage) {
  const Workshop workshop;
  ASSERT_EQ(
      paritylab(workshop, "run sample:second/narrow --on cpu:tf32@sm_90 --capture all.npz").code,
      0);
  const Ended made =
      paritylab(workshop, "diff sample:second/narrow --b capture:all.npz --repro b.zip");
  ASSERT_EQ(made.code, 1) << made.err;
  const Ended ended = paritylab(workshop, "repro b.zip");
  for (const std::string& said :
       {std::string("diverged: the capture leaves the bound of any order of its arithmetic"),
        std::string("tf32 unnoticed (proved bit for bit): computed so that the operands were "
                    "rounded to TF32"),
        std::string("tf32 operand rounding (rna) 100.0 %, accumulator (tensor:k8f25/rna) <0.1 %"),
        std::string("explained bit for bit by tensor:k8f25/rna")}) {
    EXPECT_NE(made.out.find(said), std::string::npos) << made.out;
    EXPECT_NE(ended.out.find(said), std::string::npos) << said << "\n" << ended.out;
  }
  const auto document = nlohmann::json::parse(paritylab(workshop, "repro b.zip --json").out);
  EXPECT_EQ(document.at("there").at("verdict"), "diverged");
  EXPECT_EQ(document.at("there").at("looks_like").get<std::string>().rfind("tf32 unnoticed", 0),
            0U);
}

TEST(ReproCommand, AStageThatIsNamedHasItsCauseWhateverItsShare) {
  const Workshop workshop;
  // The three largest shares are attributed anyhow; of sixteen stages one at least is none of them.
  for (const char* const stage : {"blocks.0.0", "blocks.1.3", "blocks.2.6", "blocks.2.15"}) {
    const std::string bundle = std::string("b.") + stage;
    ASSERT_EQ(paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --repro " + bundle +
                                      " --repro-stage " + stage)
                  .code,
              0);
    const Ended ended = paritylab(workshop, "repro " + bundle);
    EXPECT_NE(ended.out.find("tf32 operand rounding"), std::string::npos) << ended.out;
  }
}

TEST(ReproCommand, WhatIsNoBundleIsToldWhatABundleIs) {
  const Workshop workshop;
  workshop.write("empty/file", "");
  workshop.write("text.zip", "text");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nosuch.zip", "there is no such file or folder"},
      {"empty", "the folder lacks manifest.json"},
      {"text.zip", "no consistent ZIP archive"}};
  for (const auto& [bundle, why] : cases) {
    const Ended ended = paritylab(workshop, "repro " + bundle);
    EXPECT_EQ(ended.code, 3) << ended.err;
    EXPECT_EQ(ended.err.rfind("paritylab: the bundle " + bundle + " cannot be replayed: ", 0), 0U)
        << ended.err;
    EXPECT_NE(ended.err.find(why), std::string::npos) << ended.err;
    EXPECT_NE(ended.err.find("A bundle is a folder or a .zip about one stage"), std::string::npos)
        << ended.err;
  }
}

TEST(ReproCommand, ARecordingThatNothingMakesIsIncomplete) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop,
                      "run sample:second/narrow --on cpu:tf32@sm_90 --until blocks.0.3 --capture "
                      "all.npz")
                .code,
            0);
  std::vector<NamedTensor> tensors = read_npz(workshop.path("all.npz"));
  for (NamedTensor& each : tensors) {
    if (each.name != "blocks.0.3") continue;
    std::vector<float> y(each.tensor.values<float>().begin(), each.tensor.values<float>().end());
    for (float& value : y) value *= 1.25F;
    each.tensor = Tensor::of(each.tensor.shape(), std::move(y));
  }
  write_npz(workshop.path("changed.npz"), tensors);
  ASSERT_EQ(paritylab(workshop,
                      "diff sample:second/narrow --until blocks.0.3 --b "
                      "capture:changed.npz,math=tf32 --repro b --repro-stage blocks.0.3")
                .code,
            1);
  const Ended ended = paritylab(workshop, "repro b");
  EXPECT_EQ(ended.code, 4) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("whose bits no arithmetic of this machine makes"), std::string::npos)
      << ended.out;
}

TEST(ReproCommand, NothingIsWrittenOverAndNothingWithoutADifference) {
  const Workshop workshop;
  workshop.write("there/file", "mine");
  EXPECT_EQ(paritylab(workshop, make + "there").code, 2);
  EXPECT_EQ(workshop.read("there/file"), "mine");
  EXPECT_EQ(paritylab(workshop, make + "b --repro-stage blocks.9").code, 2);
  EXPECT_EQ(paritylab(workshop, make + "no/folder/b").code, 5);
  const Ended same =
      paritylab(workshop, "diff sample:second/narrow --until blocks.0.3 --b cpu:fp32 --repro same");
  EXPECT_EQ(same.code, 0);
  EXPECT_NE(same.err.find("no bundle is written"), std::string::npos) << same.err;
  EXPECT_EQ(workshop.files(), (std::vector<std::string>{"there", "there/file"}));
}

TEST(ReproCommand, AHostileBundleIsRefusedWithASentence) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop, make + "good").code, 0);
  const std::string manifest = workshop.read("good/manifest.json");
  const std::string model = workshop.read("good/model.onnx");
  const auto refused = [&](const std::string& what) {
    const Ended ended = paritylab(workshop, "repro good");
    EXPECT_EQ(ended.code, 3) << what << ": " << ended.out << ended.err;
    EXPECT_EQ(ended.err.rfind("paritylab: ", 0), 0U) << what << ": " << ended.err;
    EXPECT_EQ(ended.err.find("defect"), std::string::npos) << what << ": " << ended.err;
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = manifest;
    const std::size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    workshop.write("good/manifest.json", changed.replace(at, from.size(), to));
    refused(to);
  };
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("\0\0", 2),
        manifest.substr(0, manifest.size() / 2)}) {
    workshop.write("good/manifest.json", text);
    refused("manifest");
  }
  with("\"paritylab_repro\": 1", "\"paritylab_repro\": 2");
  with("\"spec\": \"cpu:exact\"", "\"spec\": \"capture:/etc/passwd\"");
  with("\"spec\": \"cpu:exact\"", "\"spec\": \"cpu:fp32,plan=/etc/passwd\"");
  with("\"spec\": \"cpu:exact\"", "\"spec\": 7");
  with("\"promise\": \"run_to_run\"", "\"promise\": \"always\"");
  with("\"digest\": \"", "\"digest\": \"0");
  workshop.write("good/manifest.json", manifest);
  for (const std::string& bytes : {std::string(), std::string("onnx"), model.substr(0, 200)}) {
    workshop.write("good/model.onnx", bytes);
    refused("model");
  }
  workshop.write("good/model.onnx", model);
  workshop.write("good/expected.npz", "PK");
  refused("expected");
  std::filesystem::remove(workshop.path("good/expected.npz"));
  refused("no expected");
  EXPECT_EQ(paritylab(workshop, "repro nowhere").code, 3);
  EXPECT_EQ(paritylab(workshop, "repro good/model.onnx").code, 3);
}

}  // namespace
}  // namespace parity::test
