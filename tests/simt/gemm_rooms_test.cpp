#include <gtest/gtest.h>

#include <algorithm>

#include "cpu/backend.hpp"
#include "model/arithmetic/bounds.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/cpu/judged.hpp"
#include "tests/simt/any_gpu.hpp"

// Conv, ConvTranspose, MatMul, Gemm and recurrent layers by the library of the GPU (gemm:cublas): every
// case within its bound of the oracle, and where every arithmetic gives the same numbers, those.

namespace parity {
namespace {

Numerics by_library(Math math, int capability, Rounding rounding) {
  Numerics numerics = numerics_of(math);
  if (math == Math::tf32) numerics.arch = capability < 90 ? Arch::sm_80 : Arch::sm_90;
  numerics.rounding = rounding;
  numerics.algorithm = Algorithm::gemm_cublas;
  numerics.promise = Determinism::run_to_run;
  return numerics;
}

/// The arithmetics that this GPU's library has: FP32, and TF32 by its own rounding, which nobody promises.
std::vector<Numerics> arithmetics(const Stage& stage, const Backend& gpu, int capability) {
  std::vector<Numerics> all{by_library(Math::fp32, capability, Rounding::rna)};
  for (const Rounding rounding : {Rounding::rna, Rounding::truncate, Rounding::rn}) {
    if (capability < 80 || (capability < 90 && rounding == Rounding::rn)) continue;
    const Numerics tf32 = by_library(Math::tf32, capability, rounding);
    try {
      (void)make_plan({stage}, tf32, gpu, "test");
      all.push_back(tf32);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_request) << error.what();
    }
  }
  EXPECT_EQ(all.size() > 1, capability >= 80) << "no rounding to TF32 was accepted";
  return all;
}

std::vector<Tensor> downloaded(Backend& backend, const std::vector<Value>& values) {
  std::vector<Tensor> all;
  for (const Value& value : values) all.push_back(backend.download(value, {}));
  return all;
}

template <class T>
class GpuGemmRoom : public testing::Test {};
using Macs = testing::Types<Conv2d, ConvTranspose2d, MatMul, Recurrent>;
TYPED_TEST_SUITE(GpuGemmRoom, Macs, NameOfOp);

TYPED_TEST(GpuGemmRoom, LiesWithinItsBoundOfTheOracle) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  cpu::CpuBackend cpu;
  const Execution execution{1};
  for (const int capability : test::capabilities()) {
    test::AnyGpu gpu = test::any_gpu(capability);
    Judged all;
    int equal = 0, arithmetic = 0;
    for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
      const Graph graph = instance.graph();
      std::vector<Value> in_cpu, in_gpu;
      for (const Tensor& input : instance.inputs) {
        in_cpu.push_back(cpu.upload(input, execution));
        in_gpu.push_back(gpu.backend->upload(input, execution));
      }
      const PlannedStage chain = planned(graph, Numerics{}, cpu);
      const std::vector<Tensor> exactly =
          downloaded(cpu, cpu.run(planned(graph, numerics_of(Math::fp64), cpu), in_cpu,
                                  Reading::values, execution));
      const std::vector<Tensor> by_chain =
          downloaded(cpu, cpu.run(chain, in_cpu, Reading::values, execution));
      const std::vector<Tensor> M =
          downloaded(cpu, cpu.run(chain, in_cpu, Reading::magnitudes, execution));
      const bool same_numbers =
          instance.text.find("exact operands") != std::string::npos &&
          !std::is_same_v<TypeParam, Recurrent>;  // which rounds whatever it is given
      for (const Numerics& numerics : arithmetics(chain.stage, *gpu.backend, capability)) {
        ++arithmetic;
        const PlannedStage stage = planned(graph, numerics, *gpu.backend);
        const std::vector<Tensor> got =
            downloaded(*gpu.backend, gpu.backend->run(stage, in_gpu, Reading::values, execution));
        const double oracle = static_cast<double>(stage_terms(stage) + 8) * unit_roundoff_double;
        for (std::size_t k = 0; k < got.size(); ++k) {
          const std::vector<double> numbers = numbers_of<double>(got[k]),
                                    exact = numbers_of<double>(exactly[k]);
          const Judged judged = judge(numbers, exact, M[k], stage_allowance(stage), oracle,
                                      instance.text + ", " + stage.contract_text());
          all.elements += judged.elements;
          all.informative += judged.informative;
          if (!same_numbers) continue;
          EXPECT_EQ(numbers, numbers_of<double>(by_chain[k]))
              << instance.text << ", " << stage.contract_text();
          ++equal;
        }
        gpu.backend->forget(stage);
        if (this->HasFailure()) return;
      }
      cpu.forget(chain);
    }
    EXPECT_GT(all.informative * 2, all.elements) << "most elements must judge something";
    EXPECT_GT(arithmetic, 0);
    EXPECT_EQ(equal > 0, !(std::is_same_v<TypeParam, Recurrent>));
  }
}

}  // namespace
}  // namespace parity
