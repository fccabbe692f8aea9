#include "cuda/backend.hpp"

#include <gtest/gtest.h>

#include "tests/simt/launches.hpp"
#include "tests/simt/simulated_gpu.hpp"
#include "tests/simt/twin_diff.hpp"

namespace parity {
namespace {

using simt::Gpu;
using test::TwinDiff;

TEST(SimtBackend, APlanThatTheDeviceCannotKeepIsRefusedInASentence) {
  Gpu older(80);
  TwinDiff twin;
  try {
    (void)make_plan(twin.stages, tf32(Arch::sm_90), older.backend, "cuda:tf32@sm_90");
    FAIL() << "a plan for sm_90 was accepted by sm_80";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cpu:tf32@sm_90"), std::string::npos) << error.what();
  }
  EXPECT_THROW((void)make_plan(twin.stages, fp64(), older.backend, "cuda:fp64"), Error);
}

TEST(SimtBackend, ADeviceWhoseProductsAreNotWhatTheirNameSaysIsRefused) {
  static constexpr TensorCore blunt{8, 12, -133};  // keeps half of the bits it should
  Gpu gpu;
  gpu.api->settings.core = &blunt;
  TwinDiff twin;
  try {
    (void)make_plan(twin.stages, tf32(Arch::sm_90), gpu.backend, "cuda:tf32");
    FAIL() << "a tensor core that drops bits went unnoticed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a probe on"), std::string::npos) << error.what();
  }
  (void)make_plan(twin.stages, fp32(), gpu.backend, "cuda:fp32");
  bool told = false;
  for (const auto& [fact, value] : gpu.backend.info({}).facts)
    told = told || (fact == "products of chain" && value == "FP32, by a probe");
  EXPECT_TRUE(told);
}

TEST(SimtBackend, OutOfMemorySaysWhatIsRequiredAndAvailable) {
  Gpu gpu(90, 1 << 20);
  try {
    (void)gpu.backend.upload(filled({Type::float32, {1, 3, 1000, 1000}}, Fill::real, 1), {});
    FAIL() << "12 MB went into 1 MB";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::out_of_memory);
    EXPECT_NE(std::string(error.what()).find("needs 12000000 bytes"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("of 1048576 are available"), std::string::npos)
        << error.what();
  }
}

TEST(SimtBackend, EverythingIsGivenBack) {
  std::shared_ptr<simt::SimulatedApi> api;
  {
    Gpu gpu;
    api = gpu.api;
    TwinDiff twin;
    (void)twin.run(gpu.backend, fp32(), fp32());
    EXPECT_GT(api->live(), 0U);
    EXPECT_GT(api->peak_bytes(), 0U);
  }
  EXPECT_EQ(api->live(), 0U);
}

TEST(SimtBackend, AnErrorOfAKernelNamesTheStageAndEndsTheRun) {
  Gpu gpu;
  gpu.api->settings.most_shared_bytes = 0;  // kernels with shared memory fail while they run
  TwinDiff twin;
  try {
    (void)twin.run(gpu.backend, fp32(), fp32());
    FAIL() << "a diff ended although kernels failed";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::device);
    EXPECT_NE(std::string(error.what()).find("shared memory"), std::string::npos) << error.what();
  }
}

/// Few elements and few stages, every kind of call.
Graph tiny_net() {
  GraphBuilder graph("tiny");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 4, 3, 3}});
  const TensorId z = add_conv(graph, x, 4, "/a/Conv", "z", 1);
  const TensorId n = add_norm(graph, z, "/a/BatchNormalization", "n", 2);
  const TensorId sum =
      graph.add_step(Binary{Binary::Function::add}, {x, n}, {}, "/b/Add", {"sum"}, "Add").front();
  graph.add_output(add_relu(graph, sum, "/b/Relu", "y"));
  return graph.finish();
}

/// The library of products, on streams that take turns: more kinds of calls than our own kernels need.
Numerics by_library() {
  Numerics numerics = numerics_of(Math::fp32);
  numerics.algorithm = Algorithm::gemm_cublas;
  numerics.promise = Determinism::run_to_run;
  return numerics;
}

// Every call of a whole diff fails once, in three ways: the diff ends with an Error, or the call had nobody
// to tell (memory given back at the very end). Nothing leaks, nothing hangs, and no verdict is made of it.
void any_failing_call_ends_the_diff(const Numerics& on_gpu, int streams) {
  constexpr cuda::Status illegal_address = 700, unknown = 999;
  std::int64_t calls = 0;
  const auto twin_diff = [&] {
    TwinDiff twin(tiny_net());
    twin.execution.streams = streams;
    return twin;
  };
  {
    Gpu gpu;
    TwinDiff twin = twin_diff();
    const std::int64_t before = gpu.api->calls();
    (void)twin.run(gpu.backend, fp32(), on_gpu);
    calls = gpu.api->calls() - before;
    EXPECT_EQ(gpu.api->products().empty(), on_gpu.algorithm != Algorithm::gemm_cublas);
    EXPECT_EQ(gpu.api->streams_used().size(), static_cast<std::size_t>(streams));
  }
  ASSERT_GT(calls, 50);
  for (const cuda::Status status : {illegal_address, unknown, cuda::out_of_memory})
    for (std::int64_t n = 1; n <= calls; ++n) {
      std::shared_ptr<simt::SimulatedApi> api;
      {
        Gpu gpu;
        api = gpu.api;
        TwinDiff twin = twin_diff();
        api->fail_call(n, status);
        bool failed = false;
        try {
          const RunRecord record = twin.run(gpu.backend, fp32(), on_gpu);
          // One failing allocation is tried again after kept memory was given back.
          EXPECT_EQ(status, cuda::out_of_memory) << "call " << n << " failed unseen";
          EXPECT_EQ(exit_code_of(record), 0);
        } catch (const Error& error) {
          failed = true;
          EXPECT_TRUE(error.fault() == Fault::device || error.fault() == Fault::out_of_memory)
              << error.what();
        }
        EXPECT_TRUE(failed || status == cuda::out_of_memory);
      }
      EXPECT_EQ(api->live(), 0U) << "call " << n << " with status " << status << " leaks";
    }
}
TEST(SimtBackend, AnyFailingCallEndsTheDiffAndNothingLeaks) {
  any_failing_call_ends_the_diff(fp32(), 1);
}
TEST(SimtBackend, AnyFailingCallOfALibraryOnTwoStreamsEndsTheDiffAndNothingLeaks) {
  any_failing_call_ends_the_diff(by_library(), 2);
}

TEST(SimtBackend, OpeningReportsEveryFailingCall) {
  for (std::int64_t n = 1; n <= 3; ++n) {
    auto api = std::make_shared<simt::SimulatedApi>();
    api->fail_call(n, 999);
    EXPECT_THROW(cuda::CudaBackend(api, 0), Error) << "call " << n;
    EXPECT_EQ(api->live(), 0U);
  }
}

}  // namespace
}  // namespace parity
