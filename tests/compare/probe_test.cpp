#include "compare/probe.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "compare/inject.hpp"
#include "cpu/backend.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"
#include "model/samples/topologies.hpp"
#include "model/spec.hpp"

namespace parity {
namespace {

/// A small network on both sides of a probe, b perhaps with a fault.
struct Probed {
  Probed(Topology topology, std::uint64_t seed)
      : graph(small_network(topology, seed, Dressing::normalised)), stages(cut(graph)) {}

  RunRecord run(const std::string& a, const std::string& b,
                const std::optional<Injection>& fault = {}) {
    const std::unique_ptr<Backend> faulty = fault ? inject(cpu, *fault) : nullptr;
    Backend& on_b = faulty ? *faulty : static_cast<Backend&>(cpu);
    const Plan plan_a = make_plan(stages, parse_spec(a).numerics, cpu, a),
               plan_b = make_plan(stages, parse_spec(b).numerics, cpu, b);
    return probe_exact({.graph = graph,
                        .stages = stages,
                        .a = {cpu, plan_a, {}},
                        .b = {on_b, plan_b, {}},
                        .referee = {cpu, cpu, {}},
                        .inputs = {}},
                       seed);
  }

  cpu::CpuBackend cpu;
  Graph graph;
  std::vector<Stage> stages;
  std::uint64_t seed = 7;
};

const char* const specs[] = {"cpu:tf32@sm_80",
                             "cpu:tf32@sm_90,round=truncate",
                             "cpu:fp32,fold_bn=on",
                             "cpu:fp64",
                             "cpu:fp32",
                             "cpu:tf32@sm_90,fold_bn=on",
                             "cpu:fp32,algorithm=gemm:eigen,promise=run_to_run"};

TEST(Probe, EveryCorrectArithmeticGivesTheSameBits) {
  int probed = 0;
  for (const Topology topology : all_topologies())
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      Probed net(topology, seed);
      for (const char* spec : specs)
        for (const StageResult& stage : net.run("cpu:fp32", spec).stages) {
          EXPECT_TRUE(stage.verdict == Verdict::same_bits || stage.verdict == Verdict::not_run)
              << net.graph.name << " stage " << stage.id << " on " << spec << ": " << stage.reason;
          probed += stage.verdict == Verdict::same_bits;
        }
    }
  EXPECT_GT(probed, 1000);
}

TEST(Probe, FindsOneUlpAcrossContracts) {
  Probed net(Topology::residual, 3);
  for (const Stage& stage : net.stages) {
    const RunRecord record =
        net.run("cpu:fp32", "cpu:tf32@sm_90", Injection{stage.id, Bug::ulp_bumped, 1, 5});
    EXPECT_EQ(record.answers.first_diverging, stage.id);
    EXPECT_EQ(record.answers.counts[static_cast<int>(Verdict::diverged)], 1);
    EXPECT_EQ(record.stages[static_cast<std::size_t>(stage.id)].blame, Blame::b);
    EXPECT_EQ(record.exit_code, 1);
  }
}

TEST(Probe, ProvesAMisreadStage) {
  Probed net(Topology::plain, 1);
  const RunRecord flipped =
      net.run("cpu:fp64", "cpu:tf32@sm_80", Injection{1, Bug::kernel_flipped});
  EXPECT_EQ(flipped.answers.first_diverging, 1);
  ASSERT_FALSE(flipped.stages[1].diagnoses.empty());
  EXPECT_EQ(flipped.stages[1].diagnoses[0].label, "kernel_flipped");
  EXPECT_EQ(flipped.stages[1].diagnoses[0].proof, Proof::bits);
  EXPECT_EQ(
      net.run("cpu:fp32", "cpu:fp32", Injection{1, Bug::shift_dropped}).answers.first_diverging, 1);
}

TEST(Probe, SaysWhatItLeavesOut) {
  Probed net(Topology::mlp, 2);
  bool mean = false, sigmoid = false;
  for (const StageResult& stage : net.run("cpu:fp32", "cpu:tf32@sm_90").stages) {
    mean |= stage.reason.find("is a division that rounds") != std::string::npos;
    sigmoid |= stage.reason.find("probed up to Sigmoid") != std::string::npos;
  }
  EXPECT_TRUE(sigmoid);
  // Extents of 6 and 8: 36, 48 or 64 elements.
  const Shape x = net.graph.tensor(net.graph.inputs[0]).type.shape;
  EXPECT_EQ(mean, !std::has_single_bit(static_cast<std::uint64_t>(x[2] * x[3])));
}

TEST(Probe, OperandsFitTheTensorCoreAndSumsFitTheSignificand) {
  for (const Topology topology : all_topologies()) {
    Probed net(topology, 9);
    for (const Stage& stage : net.stages) {
      const ExactStage exact = exact_stage(stage, 1);
      for (const Tensor& input : exact.inputs)
        for (const float x : input.values<float>()) {
          EXPECT_EQ(x, std::nearbyint(x));
          EXPECT_LT(std::fabs(x), 2048.0F);
        }
    }
  }
}

}  // namespace
}  // namespace parity
