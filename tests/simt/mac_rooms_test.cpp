#include <gtest/gtest.h>

#include "cpu/backend.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/simt/any_gpu.hpp"

// Conv, ConvTranspose, MatMul and Gemm on a GPU by every algorithm but `chain` (rooms_test.cpp has
// that one) against the CPU twin, bit for bit.

namespace parity {
namespace {

struct Way {
  std::string text;
  int capability;
  Numerics numerics;
};

std::vector<Way> ways() {
  std::vector<Way> all;
  Numerics chunks;
  chunks.algorithm = Algorithm::chunk256;
  for (const int capability : test::capabilities()) {
    if (all.empty()) all.push_back({"chunk256", capability, chunks});
    if (capability < 80) continue;
    const Arch arch = capability < 90 ? Arch::sm_80 : Arch::sm_90;
    for (const Rounding rounding : {Rounding::rna, Rounding::truncate, Rounding::rn}) {
      if (rounding == Rounding::rn && arch < Arch::sm_90) continue;
      Numerics tf32 = numerics_of(Math::tf32, arch);
      tf32.rounding = rounding;
      all.push_back(
          {std::string(name(arch)) + "/" + std::string(name(rounding)), capability, tf32});
    }
  }
  return all;
}

enum class Extent {
  some,  ///< each case by chunk256 and by one way of TF32, under one schedule, other ones for each case
  all  ///< each case in every way under every schedule
};
template <class T>
void has_the_bits_of_its_cpu_twin(Extent extent) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  cpu::CpuBackend cpu;
  const Execution execution{1};
  int compared = 0;
  const std::vector<Way> all = ways();
  for (std::size_t w = 0; w < all.size(); ++w) {
    const Way& way = all[w];
    test::AnyGpu gpu = test::any_gpu(way.capability);
    std::size_t number = 0;
    for (const Instance<T>& instance : instances<T>()) {
      const bool turn = w == 0 || number % (all.size() - 1) == w - 1;
      ++number;
      if (extent == Extent::some && !turn) continue;
      const PlannedStage stage = planned(instance.graph(), way.numerics, *gpu.backend);
      std::vector<Value> in_cpu, in_gpu;
      for (const Tensor& input : instance.inputs) {
        in_cpu.push_back(cpu.upload(input, execution));
        in_gpu.push_back(gpu.backend->upload(input, execution));
      }
      const Tensor expected =
          cpu.download(cpu.run(stage, in_cpu, Reading::values, execution).front(), execution);
      const int first = compared % test::schedule_count();
      const int last = extent == Extent::all ? first + test::schedule_count() - 1 : first;
      for (int schedule = first; schedule <= last; ++schedule) {
        gpu.schedule(schedule % test::schedule_count());
        const Tensor got = gpu.backend->download(
            gpu.backend->run(stage, in_gpu, Reading::values, execution).front(), execution);
        ASSERT_TRUE(same_bits(expected, got))
            << instance.text << ", " << way.text << ", schedule " << schedule << "\n"
            << first_difference<float>(expected, got);
        ++compared;
      }
      cpu.forget(stage);
      gpu.backend->forget(stage);
    }
  }
  EXPECT_GT(compared, 0);
}

template <class T>
class GpuMacRoom : public testing::Test {};
template <class T>
class SlowGpuMacRoom : public testing::Test {};
using Macs = testing::Types<Conv2d, ConvTranspose2d, MatMul>;
TYPED_TEST_SUITE(GpuMacRoom, Macs, NameOfOp);
TYPED_TEST_SUITE(SlowGpuMacRoom, Macs, NameOfOp);

TYPED_TEST(GpuMacRoom, HasTheBitsOfItsCpuTwinByEveryAlgorithm) {
  has_the_bits_of_its_cpu_twin<TypeParam>(Extent::some);
}
TYPED_TEST(SlowGpuMacRoom, HasTheBitsOfItsCpuTwinByEveryAlgorithmInEverySchedule) {
  has_the_bits_of_its_cpu_twin<TypeParam>(Extent::all);
}

}  // namespace
}  // namespace parity
