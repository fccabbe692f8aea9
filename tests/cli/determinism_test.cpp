// `determinism`, `plan`, `algorithms --on` and the digests of `run`, as a user meets them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cuda/cuda.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

TEST(DeterminismCommand, CountsEveryWayOfRepeatingARun) {
  const Workshop workshop;
  const Ended ended =
      paritylab(workshop, "determinism sample:second/narrow --on cpu:tf32@sm_90 --runs 2 --json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  std::vector<std::string> axes;
  for (const auto& axis : document.at("axes")) {
    axes.push_back(axis.at("axis"));
    EXPECT_EQ(axis.at("same"), axis.at("runs")) << axis;
    if (axis.at("axis") == "isa") continue;  // a processor may have only one
    if (axis.at("axis") == "streams" || axis.at("axis") == "workspace") {
      EXPECT_EQ(axis.at("runs"), 0);
      EXPECT_EQ(axis.at("not_tried").size(), 1U) << axis;
      continue;
    }
    EXPECT_GT(axis.at("runs"), 0) << axis;
  }
  EXPECT_EQ(axes, (std::vector<std::string>{"runs", "restarts", "threads", "isa", "streams",
                                            "workspace", "batch", "plan"}));
  EXPECT_EQ(document.at("exit_code"), 0);
  EXPECT_TRUE(workshop.files().empty()) << "nothing is left behind";
}

TEST(DeterminismCommand, SpeaksInCounts) {
  const Workshop workshop;
  const Ended ended =
      paritylab(workshop, "determinism sample:second/narrow --on cpu:fp32 --vary runs --runs 3");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("3 of 3 runs, one digest"), std::string::npos) << ended.out;
  EXPECT_EQ(ended.out.find("deterministic"), std::string::npos) << ended.out;
}

TEST(DeterminismCommand, AnUnknownWayToVaryIsAUsageErrorWithTheNearest) {
  const Workshop workshop;
  const Ended unknown =
      paritylab(workshop, "determinism sample:second/narrow --on cpu:fp32 --vary thread");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("threads"), std::string::npos) << unknown.err;
}

TEST(DeterminismCommand, WhatTheBackendDoesNotHaveIsRefusedInASentence) {
  const Workshop workshop;
  const Ended streams =
      paritylab(workshop, "determinism sample:second/narrow --on cpu:fp32 --vary streams");
  EXPECT_EQ(streams.code, 4);
  EXPECT_NE(streams.out.find("not tried: cpu has no streams"), std::string::npos) << streams.out;
  const Ended workspace =
      paritylab(workshop, "determinism sample:second/narrow --on cpu:fp32 --vary workspace");
  EXPECT_EQ(workspace.code, 4);
  EXPECT_NE(workspace.out.find("not tried: cpu lends no workspace"), std::string::npos)
      << workspace.out;
}

TEST(PlanCommand, SaysWhichStagesDifferAndReplaysOnlyItsOwnModel) {
  const Workshop workshop;
  for (const char* arch : {"sm_80", "sm_90"})
    ASSERT_EQ(paritylab(workshop, std::string("run sample:second/narrow --on cpu:tf32@") + arch +
                                      " --save-plan " + arch + ".json")
                  .code,
              0);
  EXPECT_EQ(paritylab(workshop, "plan diff sm_80.json sm_80.json").code, 0);
  const Ended differ = paritylab(workshop, "plan diff sm_80.json sm_90.json");
  EXPECT_EQ(differ.code, 1);
  EXPECT_NE(differ.out.find("stage blocks.2.15"), std::string::npos) << differ.out;
  EXPECT_NE(differ.out.find("tensor:k8f25/rna"), std::string::npos) << differ.out;
  const Ended replayed =
      paritylab(workshop, "run sample:second/narrow --plan sm_80.json --digests d.json");
  EXPECT_EQ(replayed.code, 0) << replayed.err;
  EXPECT_NE(workshop.read("d.json").find("tensor:k4f24/rna"), std::string::npos);
  const Ended other = paritylab(workshop, "run sample:second_fpn/narrow --plan sm_80.json");
  EXPECT_EQ(other.code, 3);
  EXPECT_NE(other.err.find("sample:second/narrow"), std::string::npos) << other.err;
  EXPECT_EQ(
      paritylab(workshop, "run sample:second/narrow --on cpu:tf32@sm_90 --plan sm_80.json").code,
      2);
  workshop.write("broken.json", "{\"paritylab_plan\": 2}");
  EXPECT_EQ(paritylab(workshop, "plan diff sm_80.json broken.json").code, 3);
  EXPECT_EQ(paritylab(workshop, "plan diff sm_80.json missing.json").code, 3);
}

TEST(AlgorithmsCommand, NamesPromiseAndRefusalForOneDevice) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "algorithms --on cpu:tf32@sm_80 --json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  std::vector<std::string> refused;
  for (const auto& row : document.at("algorithms")) {
    EXPECT_FALSE(row.at("promise").get<std::string>().empty());
    if (!row.contains("refusal")) continue;
    refused.push_back(row.at("algorithm"));
  }
  // Another arch's tensor core, and a library of the GPU.
  EXPECT_EQ(refused, (std::vector<std::string>{"tensor:k8f25", "gemm:cublas"}));
  EXPECT_EQ(paritylab(workshop, "algorithms --on nowhere").code, 2);
}

TEST(AlgorithmsCommand, ListsWhatAGpuWouldOfferWhereThereIsNone) {
  if (!cuda::availability().devices.empty()) GTEST_SKIP() << "this machine has a GPU";
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "algorithms --on cuda --json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  std::size_t offered = 0;
  for (const auto& row : document.at("algorithms")) {
    EXPECT_EQ(row.at("backend"), "cuda");
    EXPECT_EQ(row.at("refusal"), "no GPU here");
    if (row.at("ops") != "-") ++offered;
  }
  EXPECT_EQ(offered, cuda::algorithms().size());
  const std::string why = document.at("refused").at("cuda");
  EXPECT_NE(why.find("cpu:tf32@sm_90"), std::string::npos) << why;
  EXPECT_EQ(paritylab(workshop, "algorithms --on cuda:fp32,device=1").code, 5);
}

}  // namespace
}  // namespace parity::test
