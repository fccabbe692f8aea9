#include "cuda/elementwise.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "cpu/epilogue.hpp"
#include "model/arithmetic/fill.hpp"
#include "tests/simt/launches.hpp"

namespace parity {
namespace {

TEST(SimtElementwise, EveryStepHasTheBitsOfItsCpuTwinInEverySchedule) {
  constexpr std::int64_t channels = 37, pixels = 19;
  int compared = 0;
  for (const Fill fill : {Fill::exact, Fill::real, Fill::hostile}) {
    const Tensor x = filled({Type::float32, {pixels, channels}}, fill, 1);
    const Tensor a = filled({Type::float32, {channels}}, fill, 2);
    const Tensor b = filled({Type::float32, {channels}}, fill, 3);
    const std::vector<float> a_values = simt::to_vector(a), b_values = simt::to_vector(b);
    for (int number = 0; number < epilogue_kinds; ++number) {
      const auto kind = static_cast<EpilogueKind>(number);
      for (const std::int64_t constants : {std::int64_t{1}, channels}) {
        const auto some = [&](const std::vector<float>& v) {
          return std::vector<float>(v.begin(), v.begin() + constants);
        };
        const EpilogueStep<float> step{kind, some(a_values), some(b_values)};
        std::vector<float> expected = simt::to_vector(x);
        for (std::int64_t p = 0; p < pixels; ++p)
          cpu::apply<float>({step}, expected.data() + p * channels, channels, 0,
                            InstructionSet::scalar);

        simt::for_each_schedule([&](simt::Launches& on) {
          float* const y = on.room(x.size());
          cuda::ElementwiseArgument argument{
              on.upload(simt::to_vector(x)), y, x.size(), 1, channels, {}};
          argument.epilogue.count = 1;
          argument.epilogue.steps[0] = {kind, constants > 1 ? 1 : 0, on.upload(a_values),
                                        on.upload(b_values)};
          on.check(cuda::launch_elementwise(on.queue(), argument));
          EXPECT_EQ(simt::first_difference(expected, on.download(y, x.size())), "")
              << "step " << number << " with " << constants << " constants";
          ++compared;
        });
      }
    }
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace parity
