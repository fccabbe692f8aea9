#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compare/diagnosis.hpp"
#include "model/arithmetic/bounds.hpp"
#include "tests/compare/small_net.hpp"

// Recurrent layers, normalizations and softmax in the differ.

namespace parity {
namespace {

std::vector<Bug> bugs_of_sequences() {
  return {Bug::reset_misplaced,     Bug::gates_misordered,  Bug::initial_state_ignored,
          Bug::initial_state_stale, Bug::sequence_reversed, Bug::row_epsilon,
          Bug::softmax_axis};
}

std::string evidence(const RunRecord& record, int stage) {
  std::string text;
  for (const Diagnosis& each : record.stages[static_cast<std::size_t>(stage)].diagnoses)
    text += each.label + " ";
  return text;
}

TEST(Sequences, EveryFaultOfTheirsIsFoundAtItsStageAndNamed) {
  Bench bench(sequence_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
  int faults = 0;
  for (const PlannedStage& planned : plan.stages)
    for (const Bug bug : bugs_of_sequences()) {
      if (!applies({planned.stage.id, bug}, planned)) continue;
      for (const double amount : amounts(bug, planned)) {
        // An eps that moves no bit is no fault.
        if (bug == Bug::row_epsilon && amount < 1e-4) continue;
        const Injection fault{planned.stage.id, bug, amount, 7};
        for (const char* spec : {"fp32", "fp64"}) {
          SCOPED_TRACE(std::string(name(bug)) + " in " + planned.stage.name + " against " + spec);
          const RunRecord record = bench.run(named(spec), fp32(), fault);
          EXPECT_EQ(Bench::named(record), std::vector<int>{fault.stage});
          ASSERT_FALSE(record.stages[static_cast<std::size_t>(fault.stage)].diagnoses.empty());
          EXPECT_EQ(record.stages[static_cast<std::size_t>(fault.stage)].diagnoses.front().label,
                    name(bug))
              << evidence(record, fault.stage);
        }
        ++faults;
      }
    }
  EXPECT_GE(faults, 10);
}

/// A GRU of T steps over two items.
Graph gru(std::int64_t T, Recurrent::Direction direction) {
  GraphBuilder builder("gru");
  const TensorId x = builder.add_input("x", {Type::float32, {T, 2, 5}});
  Recurrent layer;
  layer.direction = direction;
  layer.reset = Recurrent::Reset::after_the_product;
  layer.state = Recurrent::Initial::parameter;
  std::vector<std::optional<Tensor>> parameters(recurrent_parameter::count);
  parameters[recurrent_parameter::weights] = filled({Type::float32, {1, 21, 5}}, Fill::real, 2);
  parameters[recurrent_parameter::recurrence] = filled({Type::float32, {1, 21, 7}}, Fill::real, 3);
  parameters[recurrent_parameter::bias] = filled({Type::float32, {1, 42}}, Fill::real, 4);
  parameters[recurrent_parameter::state] = Tensor::of({1, 2, 7}, std::vector<float>(14, 0.0F));
  builder.add_output(builder.add_step(layer, {x}, parameters, "gru", {"y"}).front());
  return builder.finish();
}

TEST(Sequences, AStateThatNobodyGaveIsProvedByTheStepsBehindIt) {
  for (const Recurrent::Direction direction :
       {Recurrent::Direction::forward, Recurrent::Direction::reverse}) {
    Bench bench(gru(9, direction));
    const PlannedStage planned = make_plan(bench.stages, fp32(), bench.cpu, "b").stages.front();
    const Value x = bench.cpu.upload(bench.inputs.front(), bench.execution);
    const auto made = [&](const PlannedStage& stage) {
      return bench.cpu.download(
          bench.cpu.run(stage, {&x, 1}, Reading::values, bench.execution).front(), bench.execution);
    };
    const auto labels = [&](const PlannedStage& computed) {
      const Tensor reference = made(planned), suspect = made(computed);
      std::vector<std::string> all;
      for (const Diagnosis& each : diagnose({.who = "b",
                                   .planned = planned,
                                   .runner = bench.cpu,
                                   .oracle = bench.cpu,
                                   .execution = bench.execution,
                                   .inputs = {&x, 1},
                                   .reference = reference,
                                   .suspect = suspect}))
        all.push_back(each.label + (each.proof == Proof::bits ? " bits" : ""));
      return all;
    };
    PlannedStage elsewhere = planned;
    elsewhere.stage.steps.front().parameters[recurrent_parameter::state] =
        std::make_shared<const Tensor>(filled({Type::float32, {1, 2, 7}}, Fill::real, 11));
    EXPECT_EQ(labels(elsewhere), std::vector<std::string>{"other_initial_state bits"});
    // Other weights are no other state.
    PlannedStage other = planned;
    other.stage.steps.front().parameters[recurrent_parameter::weights] =
        std::make_shared<const Tensor>(filled({Type::float32, {1, 21, 5}}, Fill::real, 12));
    for (const std::string& label : labels(other))
      EXPECT_FALSE(label.starts_with("other_initial_state"));
  }
}

TEST(Sequences, CleanContractsAreExplainedByTheirBounds) {
  Bench bench(sequence_net());
  for (const char* spec : {"fp64", "sm_80", "sm_90", "sm_90/truncate", "chunk256"}) {
    SCOPED_TRACE(spec);
    const RunRecord record = bench.run(fp32(), named(spec), std::nullopt);
    EXPECT_TRUE(Bench::named(record).empty());
  }
}

}  // namespace
}  // namespace parity
