#include <gtest/gtest.h>

#include "cpu/backend.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/simt/any_gpu.hpp"

// Every op of the variant on a GPU against its CPU twin, bit for bit: a new op gets this test by
// having cases.

namespace parity {
namespace {

template <class T>
class GpuRoom : public testing::Test {};
using EveryOp = TypesOf<Op::variant>::type;
TYPED_TEST_SUITE(GpuRoom, EveryOp, NameOfOp);

TYPED_TEST(GpuRoom, HasTheBitsOfItsCpuTwinInEverySchedule) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  cpu::CpuBackend cpu;
  test::AnyGpu gpu = test::any_gpu();
  const Execution execution{1};
  int compared = 0;
  for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
    const Graph graph = instance.graph();
    const PlannedStage on_cpu = planned(graph, Numerics{}, cpu),
                       on_gpu = planned(graph, Numerics{}, *gpu.backend);
    for (const Reading reading : {Reading::values, Reading::magnitudes}) {
      std::vector<Value> in_cpu;
      for (const Tensor& input : instance.inputs) in_cpu.push_back(cpu.upload(input, execution));
      const std::vector<Value> expected = cpu.run(on_cpu, in_cpu, reading, execution);
      for (int schedule = 0; schedule < test::schedule_count(); ++schedule) {
        gpu.schedule(schedule);
        std::vector<Value> in_gpu;
        for (const Tensor& input : instance.inputs) {
          Value value = gpu.backend->upload(input, execution);
          // Both layouts, each under half of the schedules.
          if (schedule % 2 == 1 || schedule + 1 == test::schedule_count())
            value = cuda::with_layout(value, Layout::channels_last, gpu.session());
          in_gpu.push_back(std::move(value));
        }
        const std::vector<Value> made = gpu.backend->run(on_gpu, in_gpu, reading, execution);
        ASSERT_EQ(made.size(), expected.size());
        for (std::size_t k = 0; k < made.size(); ++k, ++compared) {
          const Tensor wanted = cpu.download(expected[k], execution),
                       got = gpu.backend->download(made[k], execution);
          ASSERT_TRUE(same_bits(wanted, got))
              << instance.text << ", output " << k << ", schedule " << schedule << ", "
              << (reading == Reading::values ? "values" : "magnitudes") << "\n"
              << first_difference<float>(wanted, got);
        }
      }
    }
    cpu.forget(on_cpu);
    gpu.backend->forget(on_gpu);
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace parity
