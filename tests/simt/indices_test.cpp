#include <gtest/gtest.h>

#include "cpu/backend.hpp"
#include "model/error.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/simt/any_gpu.hpp"

// Indices that a network computes can lie anywhere: every backend says so, in one sentence, before it
// reads what is nobody's.

namespace parity {
namespace {

/// The sentence with which the stage of a case refuses `index`.
template <class T>
std::string complaint(Backend& backend, const Case<T>& of, std::size_t index_input,
                      std::int64_t index) {
  Instance<T> instance(of, Fill::real);
  const Tensor& given = instance.inputs[index_input];
  std::vector<std::int64_t> indices(given.values<std::int64_t>().begin(),
                                    given.values<std::int64_t>().end());
  indices[indices.size() / 2] = index;
  instance.inputs[index_input] = Tensor::of(given.shape(), std::move(indices));
  const PlannedStage stage = planned(instance.graph(), Numerics{}, backend);
  std::vector<Value> in;
  for (const Tensor& input : instance.inputs) in.push_back(backend.upload(input, {}));
  try {
    backend.run(stage, in, Reading::values, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_input);
    return error.what();
  }
  return {};
}

template <class T>
void refuses_what_lies_outside() {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  cpu::CpuBackend cpu;
  test::AnyGpu gpu = test::any_gpu();
  int refused = 0;
  for (const Case<T>& each : T::cases())
    for (std::size_t i = 0; i < each.types.inputs.size(); ++i) {
      if (each.types.inputs[i].type != Type::int64) continue;
      for (const std::int64_t index : {std::int64_t{-1000}, std::int64_t{1000}}) {
        const std::string sentence = complaint(cpu, each, i, index);
        EXPECT_NE(sentence.find("reads index " + std::to_string(index)), std::string::npos)
            << each.name << ": " << sentence;
        EXPECT_EQ(complaint(*gpu.backend, each, i, index), sentence) << each.name;
        ++refused;
      }
    }
  EXPECT_GT(refused, 0);
}

TEST(GpuIndices, ThatLieOutsideAreRefusedByAGatherAsOnTheProcessor) {
  refuses_what_lies_outside<Gather>();
}
TEST(GpuIndices, ThatLieOutsideAreRefusedByAScatterAsOnTheProcessor) {
  refuses_what_lies_outside<Scatter>();
}

}  // namespace
}  // namespace parity
