#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "compare/differ.hpp"
#include "compare/inject.hpp"
#include "model/arithmetic/fill.hpp"
#include "tests/models/exported.hpp"

// CodeNet at the lengths of its windows: its recurrent layers see from 1 to 113 steps.

namespace parity {
namespace {

struct Window {
  Exported exported;
  std::int64_t length;
};
void PrintTo(const Window& window, std::ostream* out) {
  *out << window.exported.name() << " at " << window.length;
}

class CodeNet : public testing::TestWithParam<Window> {
 protected:
  CodeNet() {
    ImportOptions options;
    for (const auto& [name, tensor] : npz_by_name(GetParam().exported.network + ".inputs.npz")) {
      TensorType type = tensor.type();
      if (name == "imu") type.shape[1] = GetParam().length;
      options.bindings.emplace(name, filled(type, Fill::real, 7));
    }
    graph_ = import_onnx(models_file(GetParam().exported.name() + ".onnx"), options);
    stages_ = cut(graph_);
    for (const TensorId id : graph_.inputs)
      inputs_.push_back(options.bindings.at(graph_.tensor(id).name));
  }

  RunRecord diffed(const std::string& on_a, const std::string& on_b,
                   const std::optional<Injection>& fault) {
    const std::unique_ptr<Backend> faulty = fault ? inject(cpu_, *fault) : nullptr;
    Backend& b = faulty ? *faulty : static_cast<Backend&>(cpu_);
    const Plan plan_a = make_plan(stages_, parse_spec(on_a).numerics, cpu_, on_a),
               plan_b = make_plan(stages_, parse_spec(on_b).numerics, b, on_b);
    return diff({.graph = graph_,
                 .stages = stages_,
                 .a = {cpu_, plan_a, {}},
                 .b = {b, plan_b, {}},
                 .referee = {cpu_, cpu_, {}},
                 .inputs = inputs_});
  }

  std::vector<int> layers() const {
    std::vector<int> ids;
    for (const Stage& stage : stages_)
      if (stage.steps.front().op_type == "GRU") ids.push_back(stage.id);
    return ids;
  }

  static std::vector<int> diverged(const RunRecord& record) {
    std::vector<int> ids;
    for (const StageResult& stage : record.stages)
      if (stage.verdict == Verdict::diverged) ids.push_back(stage.id);
    return ids;
  }

  cpu::CpuBackend cpu_;
  Graph graph_;
  std::vector<Stage> stages_;
  std::vector<Tensor> inputs_;
};

TEST_P(CodeNet, HoldsItsBoundsInEveryArithmetic) {
  for (const char* spec : {"cpu:fp64", "cpu:tf32@sm_80", "cpu:tf32@sm_90"})
    EXPECT_EQ(diverged(diffed("cpu:fp32", spec, {})), std::vector<int>{}) << spec;
}

TEST_P(CodeNet, ItsRecurrentFaultsAreFoundAtTheirLayerAndNamed) {
  ASSERT_EQ(layers().size(), 2U);
  const bool given = graph_.inputs.size() > 1;
  for (const int layer : layers())
    for (const Bug bug :
         {Bug::reset_misplaced, given ? Bug::initial_state_ignored : Bug::initial_state_stale}) {
      SCOPED_TRACE(std::string(name(bug)) + " in stage " + std::to_string(layer));
      const RunRecord record = diffed("cpu:fp32", "cpu:fp32", Injection{layer, bug, 1, 7});
      EXPECT_EQ(diverged(record), std::vector<int>{layer});
      const std::vector<Diagnosis>& named =
          record.stages[static_cast<std::size_t>(layer)].diagnoses;
      ASSERT_FALSE(named.empty());
      EXPECT_EQ(named.front().label, name(bug)) << named.front().evidence;
    }
}

INSTANTIATE_TEST_SUITE_P(Windows, CodeNet, testing::ValuesIn([] {
                           std::vector<Window> all;
                           for (const char* network : {"codenet", "codenet_state"})
                             for (const std::int64_t length : {1, 10, 500, 1000, 1009})
                               all.push_back({{network, "folded"}, length});
                           return all;
                         }()),
                         [](const testing::TestParamInfo<Window>& info) {
                           return info.param.exported.network + "_" +
                                  std::to_string(info.param.length);
                         });

}  // namespace
}  // namespace parity
