#include <gtest/gtest.h>

#include <string>
#include <vector>

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
