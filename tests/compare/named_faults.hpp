#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compare/misread.hpp"
#include "tests/compare/recorded.hpp"

namespace parity {

/// What the labels of a stage's diagnoses are, the first one first.
inline std::string labels_of(const RunRecord& record, int stage) {
  std::string text;
  for (const Diagnosis& each : record.stages[static_cast<std::size_t>(stage)].diagnoses)
    text += each.label + " ";
  return text;
}

/// What faults are seated against, and which are left out.
struct Seating {
  std::vector<const char*> against = {"fp32", "fp64", "recorded"};
  std::function<bool(Bug bug, double amount)> leaves_out = [](Bug, double) { return false; };
};

/// Seats each of the bugs in every stage and with every amount, in FP32 against the same, against double
/// and in a recording; expects it at its stage, by its name and with a proof. Returns how many faults
/// there were.
inline int expect_named(Bench& bench, std::span<const Bug> bugs, const Seating& seating = {}) {
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
  int faults = 0;
  for (const PlannedStage& planned : plan.stages)
    for (const Bug bug : bugs) {
      if (!applies({planned.stage.id, bug}, planned)) continue;
      for (const double amount : amounts(bug, planned)) {
        if (seating.leaves_out(bug, amount)) continue;
        const Injection fault{planned.stage.id, bug, amount, 7};
        for (const char* spec : seating.against) {
          SCOPED_TRACE(std::string(name(bug)) + " " + std::to_string(amount) + " in " +
                       planned.stage.name + " against " + spec);
          const RunRecord record = spec == std::string("recorded")
                                       ? recorded_and_judged(bench, fp32(), fault)
                                       : bench.run(named(spec), fp32(), fault);
          EXPECT_EQ(Bench::named(record), std::vector<int>{fault.stage});
          const std::vector<Diagnosis>& found =
              record.stages[static_cast<std::size_t>(fault.stage)].diagnoses;
          EXPECT_FALSE(found.empty());
          if (found.empty()) continue;
          EXPECT_EQ(found.front().label, name(bug)) << labels_of(record, fault.stage);
          EXPECT_NE(found.front().proof, Proof::pattern);
        }
        ++faults;
      }
    }
  return faults;
}

/// What is said of a fault that is proved to the bit.
inline std::string evidence_of(Bench& bench, const Injection& fault) {
  const RunRecord record = bench.run(fp32(), fp32(), fault);
  const auto& found = record.stages[static_cast<std::size_t>(fault.stage)].diagnoses;
  return found.empty() ? std::string() : found.front().evidence;
}

}  // namespace parity
