#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cpu/backend.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/simt/launches.hpp"
#include "tests/simt/simulated_gpu.hpp"

// Every barrier of every kernel is needed: without it some case, under some schedule, no longer has the bits of
// the processor.

namespace parity {
namespace {

/// A stage with inputs for the GPU and the processor's answer.
struct Exercise {
  std::string text;
  int capability = 90;
  PlannedStage stage;
  std::vector<Tensor> inputs;
  Tensor expected;
};

Numerics with_algorithm(Algorithm algorithm) {
  Numerics numerics;
  numerics.algorithm = algorithm;
  return numerics;
}
Numerics tf32_on(Arch arch) {
  Numerics numerics = numerics_of(Math::tf32, arch);
  return numerics;
}

template <class T>
void add_exercises(std::vector<Exercise>& to) {
  cpu::CpuBackend cpu;
  const bool mac =
      T::family == Family::conv || T::family == Family::matmul || T::family == Family::rnn;
  std::vector<std::pair<int, Numerics>> ways{{90, Numerics{}}};
  if (mac) {
    ways.emplace_back(90, with_algorithm(Algorithm::chunk256));
    ways.emplace_back(80, tf32_on(Arch::sm_80));
    ways.emplace_back(90, tf32_on(Arch::sm_90));
  }
  for (Case<T>& the_case : T::cases()) {
    const Instance<T> instance(std::move(the_case), Fill::real);
    for (const auto& [capability, numerics] : ways) {
      Exercise exercise{
          instance.text, capability, planned(instance.graph(), numerics, cpu), instance.inputs, {}};
      std::vector<Value> in;
      for (const Tensor& input : instance.inputs) in.push_back(cpu.upload(input, {}));
      exercise.expected =
          cpu.download(cpu.run(exercise.stage, in, Reading::values, {}).front(), {});
      cpu.forget(exercise.stage);
      to.push_back(std::move(exercise));
    }
  }
}

template <class... Ts>
std::vector<Exercise> exercises_of(const std::variant<Ts...>*) {
  std::vector<Exercise> all;
  (add_exercises<Ts>(all), ...);
  return all;
}

/// Whether the GPU gives the processor's bits; the barriers it met.
bool right(const Exercise& exercise, int schedule, const std::optional<simt::Site>& silenced,
           std::vector<simt::Site>* met = nullptr) {
  simt::Gpu gpu(exercise.capability);
  gpu.api->settings.schedule = static_cast<std::uint64_t>(schedule);
  gpu.api->settings.silenced = silenced;
  bool same = false;
  try {
    std::vector<Value> in;
    for (const Tensor& input : exercise.inputs)
      in.push_back(cuda::with_layout(gpu.backend.upload(input, {}), Layout::channels_last,
                                     const_cast<cuda::Session&>(gpu.backend.session())));
    const Tensor got =
        gpu.backend.download(gpu.backend.run(exercise.stage, in, Reading::values, {}).front(), {});
    same = same_bits(exercise.expected, got);
  } catch (const Error&) {
    // The shim has seen it.
  }
  if (met != nullptr) *met = gpu.api->barriers();
  return same;
}

TEST(SimtBarriers, WithoutAnyOneOfThemSomeScheduleGivesOtherBits) {
  const std::vector<Exercise> exercises = exercises_of(static_cast<const Op::variant*>(nullptr));
  std::map<simt::Site, std::vector<const Exercise*>> users;
  for (const Exercise& exercise : exercises) {
    std::vector<simt::Site> met;
    ASSERT_TRUE(right(exercise, 0, std::nullopt, &met)) << exercise.text;
    for (const simt::Site& site : met) users[site].push_back(&exercise);
  }
  EXPECT_GE(users.size(), 1U);
  for (const auto& [site, all] : users) {
    bool noticed = false;
    for (const Exercise* const exercise : all)
      for (int schedule = 0; schedule < simt::schedules && !noticed; ++schedule)
        noticed = !right(*exercise, schedule, site);
    EXPECT_TRUE(noticed) << "nothing notices that the barrier at " << site.file << ":" << site.line
                         << " is gone (" << all.size() << " cases meet it)";
  }
}

}  // namespace
}  // namespace parity
