#include <gtest/gtest.h>

#include "tests/simt/any_gpu.hpp"
#include "tests/simt/twin_diff.hpp"

// A whole network on a GPU against the processor, stage by stage.

namespace parity {
namespace {

using test::TwinDiff;

Arch arch_of(int capability) { return capability < 90 ? Arch::sm_80 : Arch::sm_90; }

TEST(GpuTwins, ANetworkHasTheProcessorsBitsInEveryStage) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  for (int schedule = 0; schedule < test::schedule_count(); ++schedule) {
    test::AnyGpu gpu = test::any_gpu();
    gpu.schedule(schedule);
    for (const Numerics& numerics : {fp32(), folded()}) {
      TwinDiff twin;
      const RunRecord record = twin.run(*gpu.backend, numerics, numerics);
      ASSERT_FALSE(record.stages.empty());
      for (const StageResult& stage : record.stages)
        EXPECT_EQ(stage.verdict, Verdict::same_bits) << stage.name << ", schedule " << schedule;
    }
  }
}

TEST(GpuTwins, TensorCoresHaveTheBitsThatTheProcessorPredicts) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  for (const int capability : test::capabilities())
    for (const Rounding rounding : {Rounding::rna, Rounding::truncate}) {
      test::AnyGpu gpu = test::any_gpu(capability);
      TwinDiff twin;
      const Numerics numerics = tf32(arch_of(capability), rounding);
      const RunRecord record = twin.run(*gpu.backend, numerics, numerics);
      ASSERT_FALSE(record.stages.empty());
      for (const StageResult& stage : record.stages)
        EXPECT_EQ(stage.verdict, Verdict::same_bits) << stage.name << ", sm_" << capability;
    }
}

TEST(GpuTwins, Tf32AgainstFp32IsExplainedByItsBound) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  for (const int capability : test::capabilities()) {
    test::AnyGpu gpu = test::any_gpu(capability);
    TwinDiff twin;
    const RunRecord record = twin.run(*gpu.backend, fp32(), tf32(arch_of(capability)));
    EXPECT_EQ(exit_code_of(record), 0);
    int bounded = 0;
    for (const StageResult& stage : record.stages)
      bounded += stage.verdict == Verdict::within_bound;
    EXPECT_GT(bounded, 0);
  }
}

}  // namespace
}  // namespace parity
