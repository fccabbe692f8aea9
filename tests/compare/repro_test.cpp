#include "compare/repro.hpp"

#include "model/arithmetic/digest.hpp"
#include "model/error.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

struct Bundling : Bench {
  Bundling() : Bench(small_net()) {}

  Repro make(const Numerics& a, const Numerics& b, int stage,
             const std::optional<Injection>& fault = {}) {
    const std::unique_ptr<Backend> faulty = fault ? inject(cpu, *fault) : nullptr;
    Backend& on_b = faulty ? *faulty : static_cast<Backend&>(cpu);
    const Plan plan_a = make_plan(stages, a, cpu, "a"), plan_b = make_plan(stages, b, on_b, "b");
    Repro repro = make_repro({.graph = graph,
                              .stages = stages,
                              .a = {cpu, plan_a, execution},
                              .b = {on_b, plan_b, execution},
                              .inputs = inputs,
                              .stage = static_cast<std::size_t>(stage)});
    repro.algorithms = every_algorithm(repro.graph, repro.inputs, cpu, execution);
    return repro;
  }
  ReplayRecord replayed(const Repro& repro) { return replay(repro, cpu, execution); }
  /// Contracts of the rows that give a side's bits.
  static std::vector<std::string> reproducing(const ReplayRecord& record, bool ReplayRow::*same) {
    std::vector<std::string> contracts;
    for (const ReplayRow& row : record.rows)
      if (row.*same) contracts.push_back(row.here.contract);
    return contracts;
  }
};

TEST(Repro, EverySideIsReproducedByItsOwnContractAtEveryStage) {
  Bundling bench;
  for (std::size_t i = 0; i < bench.stages.size(); ++i) {
    const Repro repro = bench.make(fp32(), tf32(Arch::sm_80), static_cast<int>(i));
    EXPECT_EQ(cut(repro.graph).size(), 1U);
    const ReplayRecord record = bench.replayed(repro);
    EXPECT_TRUE(record.own_a && record.own_b) << bench.stages[i].name;
    for (const ReplayRow& row : record.rows) EXPECT_TRUE(row.as_made) << row.here.contract;
    EXPECT_EQ(exit_code_of(record, repro), 0);
    if (bench.stages[i].macs == 0) continue;
    const std::string rest = repro.a.contract.substr(std::string("chain").size());
    // No sum of this net has more than 256 terms, and one chunk is a chain.
    EXPECT_EQ(Bundling::reproducing(record, &ReplayRow::same_a),
              (std::vector<std::string>{repro.a.contract, "chunk256" + rest}));
    EXPECT_EQ(Bundling::reproducing(record, &ReplayRow::same_b),
              std::vector<std::string>{"tensor:k4f24/rna" + rest});
  }
}

TEST(Repro, AFaultIsReproducedByNothing) {
  Bundling bench;
  const Injection fault{1, Bug::ulp_bumped, 1};
  const Repro repro = bench.make(fp32(), fp32(), 1, fault);
  const ReplayRecord record = bench.replayed(repro);
  EXPECT_TRUE(record.own_a);
  EXPECT_TRUE(record.tried_b);
  EXPECT_FALSE(record.own_b);
  EXPECT_TRUE(Bundling::reproducing(record, &ReplayRow::same_b).empty());
  for (const ReplayRow& row : record.rows) {
    if (!row.same_a) continue;
    EXPECT_EQ(row.to_b.differing, 1);
  }
  EXPECT_EQ(exit_code_of(record, repro), 1);
}

TEST(Repro, ADoubleSideIsFedWhatTheOtherCanRead) {
  Bundling bench;
  const Repro repro = bench.make(fp64(), fp32(), 2);
  for (const NamedTensor& input : repro.inputs)
    EXPECT_EQ(input.tensor.type().type, Type::float32) << input.name;
  const ReplayRecord record = bench.replayed(repro);
  EXPECT_TRUE(record.own_a && record.own_b);
}

TEST(Repro, ABundleFromAMachineWithOtherBitsIsToldFromThisOne) {
  Bundling bench;
  Repro repro = bench.make(fp32(), fp32(), 1);
  repro.algorithms.front().digests.front().lane[0] ^= 1;
  const ReplayRecord record = bench.replayed(repro);
  EXPECT_FALSE(record.rows.front().as_made);
  EXPECT_EQ(exit_code_of(record, repro), 1);
}

TEST(Repro, AContractThatCannotBeRunIsIncomplete) {
  Bundling bench;
  Repro repro = bench.make(fp32(), fp32(), 1);
  repro.b.contract = "chain9000";
  EXPECT_EQ(exit_code_of(bench.replayed(repro), repro), 4);
  repro.b.recording = true;
  EXPECT_EQ(exit_code_of(bench.replayed(repro), repro), 0) << "a recording is held to no contract";
  repro.algorithms.clear();
  EXPECT_EQ(exit_code_of(bench.replayed(repro), repro), 4);
}

TEST(Repro, WhatDoesNotFitTogetherIsRefused) {
  Bundling bench;
  const Repro good = bench.make(fp32(), fp32(), 1);
  const auto refused = [&](Repro repro) {
    try {
      bench.replayed(repro);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_input) << error.what();
    }
  };
  Repro repro = good;
  repro.graph = bench.graph;
  refused(repro);
  repro = good;
  repro.inputs.clear();
  refused(repro);
  repro = good;
  repro.inputs.front().tensor = Tensor::of<float>({1}, {1});
  refused(repro);
  repro = good;
  repro.b.outputs.clear();
  refused(repro);
  repro = good;
  repro.a.outputs.front().tensor = Tensor::of<float>({1}, {1});
  refused(repro);
}

TEST(Repro, TheStageThatIsWorthABundleDivergesOrWeighsMost) {
  Bundling bench;
  EXPECT_EQ(stage_worth_a_repro(bench.run(fp32(), fp32())), -1);
  const Injection fault{2, Bug::channel_scaled, 0.5};
  EXPECT_EQ(stage_worth_a_repro(bench.run(fp32(), tf32(Arch::sm_90), fault)), 2);
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90));
  EXPECT_EQ(stage_worth_a_repro(record), record.answers.by_share.front());
}

}  // namespace
}  // namespace parity
