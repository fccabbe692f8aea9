#include "compare/determinism.hpp"

#include <gtest/gtest.h>

#include "tests/simt/simulated_gpu.hpp"
#include "tests/simt/twin_diff.hpp"

// The axes that a GPU has and the processor has not: streams, and workspaces of a library.

namespace parity {
namespace {

using simt::Gpu;
using test::TwinDiff;

Numerics by_library() {
  Numerics numerics;
  numerics.algorithm = Algorithm::gemm_cublas;
  numerics.promise = Determinism::run_to_run;
  return numerics;
}

struct Repeated {
  DeterminismRecord run(const Numerics& numerics) {
    const Plan plan = make_plan(net.stages, numerics, gpu.backend, "cuda:SPEC");
    std::vector<Variation> all = stream_variations(gpu.backend, execution);
    for (Variation& each : workspace_variations(plan, gpu.backend, execution))
      all.push_back(std::move(each));
    return determinism({.graph = net.graph,
                        .plan = plan,
                        .backend = gpu.backend,
                        .execution = execution,
                        .inputs = net.inputs,
                        .variations = std::move(all)});
  }

  Gpu gpu;
  TwinDiff net;
  Execution execution{1};
};

TEST(SimtDeterminism, StagesTakeTurnsOnStreamsAndNoBitChanges) {
  Repeated bench;
  const DeterminismRecord record = bench.run(fp32());
  ASSERT_EQ(record.axes.size(), 2U);
  EXPECT_EQ(record.axes[0].axis, "streams");
  EXPECT_EQ(record.axes[0].settings, (std::vector<std::string>{"2", "3", "5"}));
  EXPECT_EQ(record.axes[0].runs, 3);
  EXPECT_EQ(record.axes[0].same, 3);
  EXPECT_EQ(record.axes[0].digests, 1);
  EXPECT_EQ(bench.gpu.api->streams_used().size(), std::min<std::size_t>(5, record.stages.size()));
  // Our own kernels are lent nothing.
  EXPECT_EQ(record.axes[1].runs, 0);
  ASSERT_EQ(record.axes[1].not_tried.size(), 1U);
  EXPECT_NE(record.axes[1].not_tried[0].find("algorithm=gemm:cublas"), std::string::npos);
  const std::vector<std::string> demanded{"workspace"};
  EXPECT_EQ(exit_code_of(record, {}), 0);
  EXPECT_EQ(exit_code_of(record, demanded), 4);
}

TEST(SimtDeterminism, ALibraryThatDoesNotLookAtItsWorkspaceKeepsItsBits) {
  Repeated bench;
  const DeterminismRecord record = bench.run(by_library());
  EXPECT_EQ(record.axes[1].axis, "workspace");
  EXPECT_GE(record.axes[1].runs, 4);
  EXPECT_EQ(record.axes[1].same, record.axes[1].runs);
  EXPECT_EQ(exit_code_of(record, {}), 0);
}

TEST(SimtDeterminism, AnOrderThatAWorkspaceDecidesIsFoundWithItsStageAndElement) {
  Repeated bench;
  bench.gpu.api->library.splits_from_bytes = 4 << 20;
  const DeterminismRecord record = bench.run(by_library());
  EXPECT_EQ(record.axes[0].same, record.axes[0].runs) << "streams decide nothing";
  const AxisResult& workspace = record.axes[1];
  EXPECT_LT(workspace.same, workspace.runs);
  EXPECT_EQ(workspace.digests, 2);
  ASSERT_TRUE(workspace.first);
  EXPECT_EQ(workspace.first->stage, 0);
  EXPECT_EQ(workspace.first->setting, "16 KiB");
  EXPECT_TRUE(workspace.first->element);
  EXPECT_EQ(exit_code_of(record, {}), 1);
}

// Why a missing wait is found by the streams axis: without the event between two streams, work overtakes what it needs.
TEST(SimtDeterminism, AStreamThatDoesNotWaitReadsWhatIsNotThereYet) {
  simt::SimulatedApi api;
  cuda::Stream streams[2] = {};
  cuda::Event event = nullptr;
  for (cuda::Stream& stream : streams) ASSERT_EQ(api.create_stream(&stream), cuda::success);
  ASSERT_EQ(api.create_event(&event), cuda::success);
  void* buffer = nullptr;
  ASSERT_EQ(api.allocate(&buffer, sizeof(float)), cuda::success);
  for (const bool waits : {false, true}) {
    const float five = 5;
    float read = 0;
    ASSERT_EQ(api.fill(buffer, 0, sizeof(float), streams[1]), cuda::success);
    ASSERT_EQ(api.synchronise(streams[1]), cuda::success);
    ASSERT_EQ(api.copy_in(buffer, &five, sizeof five, streams[0]), cuda::success);
    if (waits) {
      ASSERT_EQ(api.record(event, streams[0]), cuda::success);
      ASSERT_EQ(api.wait(streams[1], event), cuda::success);
    }
    ASSERT_EQ(api.copy_out(&read, buffer, sizeof read, streams[1]), cuda::success);
    ASSERT_EQ(api.synchronise(streams[1]), cuda::success);
    EXPECT_EQ(read, waits ? five : 0.0F);
    ASSERT_EQ(api.synchronise(streams[0]), cuda::success);
  }
  EXPECT_EQ(api.release(buffer), cuda::success);
  EXPECT_EQ(api.destroy_event(event), cuda::success);
  for (const cuda::Stream stream : streams) EXPECT_EQ(api.destroy_stream(stream), cuda::success);
}

}  // namespace
}  // namespace parity
