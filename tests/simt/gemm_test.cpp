#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "compare/inject.hpp"
#include "compare/probe.hpp"
#include "cuda/mac/plan.hpp"
#include "tests/simt/simulated_gpu.hpp"
#include "tests/simt/twin_diff.hpp"

// What surrounds a product of the GPU's library: its promise, its refusals, and that everything it may
// look at comes with the call.

namespace parity {
namespace {

using simt::Gpu;
using test::TwinDiff;

Numerics library(Math math = Math::fp32, Rounding rounding = Rounding::rna) {
  Numerics numerics = numerics_of(math, math == Math::tf32 ? Arch::sm_90 : Arch::none);
  numerics.rounding = rounding;
  numerics.algorithm = Algorithm::gemm_cublas;
  numerics.promise = Determinism::run_to_run;
  return numerics;
}

std::string refusal(const std::vector<Stage>& stages, const Numerics& numerics, Gpu& gpu) {
  try {
    (void)make_plan(stages, numerics, gpu.backend, "cuda:SPEC");
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_request);
    return error.what();
  }
}

TEST(SimtGemm, ItPromisesRunToRunAndNoMore) {
  Gpu gpu;
  TwinDiff twin;
  const Plan plan = make_plan(twin.stages, library(), gpu.backend, "cuda:SPEC");
  EXPECT_EQ(plan.stages[0].promise(), Determinism::run_to_run);
  EXPECT_NE(plan.stages[0].contract_text().find("gemm:cublas"), std::string::npos);
  for (const Determinism more : {Determinism::gpu_to_gpu, Determinism::host_to_gpu}) {
    Numerics asked = library();
    asked.promise = more;
    const std::string why = refusal(twin.stages, asked, gpu);
    EXPECT_NE(why.find("gemm:cublas"), std::string::npos) << why;
    EXPECT_NE(why.find("add promise=run_to_run"), std::string::npos) << why;
  }
}

TEST(SimtGemm, WithoutALibraryItIsRefusedAndAllElseRuns) {
  Gpu gpu;
  gpu.api->library.present = false;
  TwinDiff twin;
  const std::string why = refusal(twin.stages, library(), gpu);
  EXPECT_NE(why.find("has no library of products"), std::string::npos) << why;
  EXPECT_EQ(exit_code_of(twin.run(gpu.backend, fp32(), fp32())), 0);
}

TEST(SimtGemm, ItIsOpenedWhenItIsAskedForAndNotBefore) {
  Gpu gpu;
  TwinDiff twin;
  (void)twin.run(gpu.backend, fp32(), fp32());
  EXPECT_EQ(gpu.api->open_libraries(), 0U);
  const auto version_told = [&] {
    for (const auto& [fact, value] : gpu.backend.info({}).facts)
      if (fact == "cuBLAS") return true;
    return false;
  };
  EXPECT_FALSE(version_told());
  (void)make_plan(twin.stages, library(), gpu.backend, "cuda:SPEC");
  EXPECT_EQ(gpu.api->open_libraries(), 1U);
  EXPECT_TRUE(version_told());
}

TEST(SimtGemm, ADiffAgainstTheProcessorIsExplainedByItsBound) {
  for (const Math math : {Math::fp32, Math::tf32}) {
    Gpu gpu;
    TwinDiff twin;
    const RunRecord record = twin.run(gpu.backend, fp32(), library(math), attribute_all);
    EXPECT_EQ(exit_code_of(record), 0);
    int bounded = 0, attributed = 0;
    for (const StageResult& stage : record.stages) {
      bounded += stage.verdict == Verdict::within_bound;
      if (stage.macs == 0) continue;
      EXPECT_FALSE(stage.twin_b) << "a library's order was held to a twin's bits";
      ASSERT_TRUE(stage.attribution) << stage.name;
      // In FP32 nothing but the order differs, which no emulation has; in TF32 that is what is left.
      const CauseShare& most = *std::max_element(
          stage.attribution->causes.begin(), stage.attribution->causes.end(),
          [](const CauseShare& x, const CauseShare& y) { return x.share < y.share; });
      ++attributed;
      if (math == Math::tf32)
        EXPECT_EQ(most.cause, Cause::operand_rounding) << most.what;
      else
        EXPECT_NE(most.what.find("not identified (within bound)"), std::string::npos) << most.what;
    }
    EXPECT_GT(bounded, 0);
    EXPECT_GT(attributed, 0);
  }
}

TEST(SimtGemm, AFaultUnderItIsFoundAndNamed) {
  Gpu gpu;
  TwinDiff twin;
  const Plan a = make_plan(twin.stages, fp32(), twin.cpu, "a"),
             b = make_plan(twin.stages, library(), gpu.backend, "b");
  const std::unique_ptr<Backend> faulty =
      inject(gpu.backend, Injection{0, Bug::wrong_epsilon, 1e-1});
  const RunRecord record = diff({.graph = twin.graph,
                                 .stages = twin.stages,
                                 .a = {twin.cpu, a, twin.execution},
                                 .b = {*faulty, b, twin.execution, &twin.cpu},
                                 .referee = {twin.cpu, twin.cpu, twin.execution},
                                 .inputs = twin.inputs});
  EXPECT_EQ(record.stages[0].verdict, Verdict::diverged);
  EXPECT_FALSE(record.stages[0].diagnoses.empty());
  for (std::size_t i = 1; i < record.stages.size(); ++i)
    EXPECT_NE(record.stages[i].verdict, Verdict::diverged) << i;
}

TEST(SimtGemm, ExactProbesFindNothingWrongWithIt) {
  for (const Math math : {Math::fp32, Math::tf32}) {
    Gpu gpu;
    TwinDiff twin;
    const Plan a = make_plan(twin.stages, fp32(), twin.cpu, "a"),
               b = make_plan(twin.stages, library(math), gpu.backend, "b");
    const RunRecord record = probe_exact({.graph = twin.graph,
                                          .stages = twin.stages,
                                          .a = {twin.cpu, a, twin.execution},
                                          .b = {gpu.backend, b, twin.execution, &twin.cpu},
                                          .referee = {twin.cpu, twin.cpu, twin.execution},
                                          .inputs = twin.inputs},
                                         7);
    int probed = 0;
    for (const StageResult& stage : record.stages) {
      EXPECT_NE(stage.verdict, Verdict::diverged) << stage.name << ": " << stage.reason;
      probed += stage.verdict == Verdict::same_bits && stage.macs > 0;
    }
    EXPECT_GT(probed, 0);
  }
}

TEST(SimtGemm, EveryCallCarriesItsMathWorkspaceAndStream) {
  constexpr std::int64_t workspaces[] = {0, 16 << 10, 4 << 20};
  for (const Math math : {Math::fp32, Math::tf32})
    for (const std::int64_t bytes : workspaces) {
      Gpu gpu;
      TwinDiff twin;
      twin.execution.workspace_bytes = bytes;
      twin.execution.streams = 2;
      (void)twin.run(gpu.backend, fp32(), library(math));
      std::set<cuda::Stream> streams;
      const std::size_t probed = 1;  // by the plan, with the workspace of its own
      ASSERT_GT(gpu.api->products().size(), probed);
      for (std::size_t i = probed; i < gpu.api->products().size(); ++i) {
        const auto& [product, stream] = gpu.api->products()[i];
        EXPECT_EQ(product.math,
                  math == Math::tf32 ? cuda::Gemm::Math::tf32 : cuda::Gemm::Math::fp32);
        EXPECT_EQ(product.workspace_bytes, static_cast<std::size_t>(bytes));
        EXPECT_EQ(product.workspace != nullptr, bytes > 0);
        streams.insert(stream);
      }
      EXPECT_EQ(streams.count(nullptr), 0U);
      EXPECT_EQ(streams.size(), 2U) << "stages were to take turns on two streams";
    }
}

TEST(SimtGemm, GatheredTapsTheWorkspaceAndTheLibraryCountInThePeak) {
  GraphBuilder builder("one convolution");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 8, 32, 32}});
  builder.add_output(add_conv(builder, x, 8, "/a/Conv", "y", 1));
  const Graph graph = builder.finish();
  const auto peak = [&](const Numerics& numerics, std::int64_t workspace) {
    Gpu gpu;
    TwinDiff twin(graph);
    Execution execution;
    execution.workspace_bytes = workspace;
    const Plan plan = make_plan(twin.stages, numerics, gpu.backend, "cuda:SPEC");
    const Value value = gpu.backend.upload(twin.inputs[0], execution);
    const std::vector<Value> y =
        gpu.backend.run(plan.stages[0], {&value, 1}, Reading::values, execution);
    (void)gpu.backend.download(y[0], execution);
    EXPECT_LE(gpu.backend.session().peak_bytes(), gpu.api->peak_bytes());
    return gpu.backend.session().peak_bytes();
  };
  constexpr std::int64_t workspace = 64 << 20;  // more than the probe's
  constexpr std::size_t taps = 32 * 32 * 9 * 8 * sizeof(float);
  const std::size_t own = peak(fp32(), 0), by_library = peak(library(), workspace);
  EXPECT_GE(by_library, own + workspace);
  EXPECT_GE(by_library,
            workspace + taps + 2 * 32 * 32 * 8 * sizeof(float) + simt::SimulatedApi::library_bytes);
}

TEST(SimtGemm, MoreTapsThanTheirBufferHoldsAreMultipliedInParts) {
  constexpr std::int64_t side = 176, channels = 64;
  constexpr std::size_t taps = side * side * 9 * channels * sizeof(float), buffer = 64 << 20;
  static_assert(taps > buffer);
  GraphBuilder builder("one convolution");
  const TensorId x = builder.add_input("x", {Type::float32, {1, channels, side, side}});
  Conv2d op;
  op.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  builder.add_output(
      builder
          .add_step(op, {x},
                    {filled({Type::float32, {2, channels, 3, 3}}, Fill::exact, 1), std::nullopt},
                    "/a/Conv", {"y"}, "Conv")
          .front());
  Gpu gpu;
  TwinDiff twin(builder.finish());
  const Tensor input = filled(twin.inputs[0].type(), Fill::exact, 2);
  const auto made = [&](Backend& on, const Numerics& numerics) {
    const Plan plan = make_plan(twin.stages, numerics, on, "SPEC");
    const Value value = on.upload(input, twin.execution);
    return on.download(on.run(plan.stages[0], {&value, 1}, Reading::values, twin.execution).front(),
                       twin.execution);
  };
  const Tensor by_library = made(gpu.backend, library()), by_chain = made(twin.cpu, fp32());
  const auto got = by_library.values<float>(), wanted = by_chain.values<float>();
  EXPECT_TRUE(std::equal(got.begin(), got.end(), wanted.begin(), wanted.end()));
  EXPECT_EQ(gpu.api->products().size(), 1U + 2U) << "the probe's, and two parts";
  EXPECT_LT(gpu.backend.session().peak_bytes(),
            taps + (32 << 20) + 2 * input.size_bytes() + simt::SimulatedApi::library_bytes);
}

TEST(SimtGemm, AnInputOfOneChannelIsAProductOfDepthOne) {
  GraphBuilder builder("one channel");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 1, 5, 5}});
  builder.add_output(
      builder
          .add_step(Conv2d{}, {x},
                    {filled({Type::float32, {6, 1, 1, 1}}, Fill::real, 1), std::nullopt}, "/a/Conv",
                    {"y"}, "Conv")
          .front());
  Gpu gpu;
  TwinDiff twin(builder.finish());
  const RunRecord record = twin.run(gpu.backend, fp32(), library());
  EXPECT_EQ(record.stages[0].verdict, Verdict::same_bits) << record.stages[0].reason;
}

TEST(SimtGemm, ALibraryThatComputesOtherwiseThanItIsToldIsRefused) {
  TwinDiff twin;
  Gpu rounds;
  rounds.api->library.always_tf32 = true;  // a variable does that
  const std::string fp32_refused = refusal(twin.stages, library(), rounds);
  EXPECT_NE(fp32_refused.find("a probe on"), std::string::npos) << fp32_refused;
  EXPECT_NE(fp32_refused.find("TF32 (rna)"), std::string::npos) << fp32_refused;
  Gpu truncates;
  truncates.api->library.rounding = Rounding::truncate;
  const std::string rna_refused = refusal(twin.stages, library(Math::tf32), truncates);
  EXPECT_NE(rna_refused.find("ask for round=truncate"), std::string::npos) << rna_refused;
  EXPECT_EQ(refusal(twin.stages, library(Math::tf32, Rounding::truncate), truncates), "");
}

TEST(SimtGemm, ItIsListedWithItsPromise) {
  Gpu gpu;
  bool listed = false;
  for (const AlgorithmInfo& info : gpu.backend.algorithms())
    if (info.algorithm == Algorithm::gemm_cublas) {
      listed = true;
      EXPECT_NE(info.note.find("not yet run on hardware"), std::string::npos) << info.note;
    }
  EXPECT_TRUE(listed);
}

TEST(SimtGemm, WindowsThatTilesDoNotTakeHaveTheirClasses) {
  Window window;  // a stride of 11 and a kernel of 23 taps
  window.IC = window.OC = 4;
  window.IW = 5;
  window.KW = 23;
  window.sw = 11;
  window.OW = (window.IW - 1) * window.sw + window.KW;
  window.direction = Window::Direction::transposed;
  EXPECT_FALSE(cuda::tiled(window));
  const auto classes = cuda::classes_of(window);
  ASSERT_TRUE(classes);
  ASSERT_EQ(classes->columns.size(), 11U);
  std::int64_t taps = 0, outputs = 0;
  for (const cuda::MacAxis& axis : classes->columns) {
    taps += axis.taps;
    outputs += axis.count;
  }
  EXPECT_EQ(taps, window.KW);
  EXPECT_EQ(outputs, window.OW);
}

}  // namespace
}  // namespace parity
