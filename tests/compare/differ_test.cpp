#include "compare/differ.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "compare/walk.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/error.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

using Pair = std::pair<std::string, std::string>;
class CleanPairs : public testing::TestWithParam<Pair> {};

TEST_P(CleanPairs, NameNoStage) {
  Bench bench(small_net());
  const RunRecord record = bench.run(named(GetParam().first), named(GetParam().second));
  EXPECT_TRUE(Bench::named(record).empty());
  EXPECT_EQ(record.exit_code, 0);
  EXPECT_EQ(record.answers.first_diverging, -1);
  for (const StageResult& stage : record.stages)
    EXPECT_TRUE(stage.verdict == Verdict::same_bits || stage.verdict == Verdict::within_bound)
        << stage.name << ": " << name(stage.verdict) << ", " << stage.reason;
  EXPECT_LT(record.answers.worst_share_of_bound, 1);
}
INSTANTIATE_TEST_SUITE_P(
    Specs, CleanPairs,
    testing::Values(Pair{"fp32", "fp32"}, Pair{"fp32", "sm_80"}, Pair{"fp32", "sm_90"},
                    Pair{"fp32", "sm_90/truncate"}, Pair{"sm_80", "sm_90"}, Pair{"fp32", "fp64"},
                    Pair{"fp64", "fp32"}, Pair{"fp64", "sm_90"}, Pair{"fp64", "fp64"},
                    Pair{"fp32", "folded"}, Pair{"folded", "fp32"}, Pair{"fp32", "eigen"},
                    Pair{"fp32", "exact"}, Pair{"exact", "fp32"}, Pair{"fp64", "exact"},
                    Pair{"exact", "fp64"}, Pair{"exact", "sm_90"}));

TEST(Differ, ExactHasTheFinalRoundingInItsBoundAndFp64HasNot) {
  Bench bench(small_net());
  const Plan rounded = make_plan(bench.stages, exact(), bench.cpu, "exact"),
             wide = make_plan(bench.stages, fp64(), bench.cpu, "fp64");
  for (std::size_t i = 0; i < bench.stages.size(); ++i) {
    const Allowance with = stage_allowance(rounded.stages[i]),
                    without = stage_allowance(wide.stages[i]);
    EXPECT_GE(with.coefficient, without.coefficient + unit_roundoff) << bench.stages[i].name;
    EXPECT_GE(with.underflow, without.underflow + 0x1p-150) << bench.stages[i].name;
    EXPECT_LT(without.coefficient, unit_roundoff) << bench.stages[i].name;
  }
}

TEST(Differ, OneContractGivesTheSameBitsAndSkipsWhatIsNotNeeded) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), fp32());
  for (const StageResult& stage : record.stages) {
    EXPECT_EQ(stage.verdict, Verdict::same_bits);
    EXPECT_EQ(stage.digest_a, stage.digest_b);
    EXPECT_EQ(stage.seconds_magnitude, 0);
    EXPECT_FALSE(stage.split);
    EXPECT_FALSE(stage.exact_b);
    EXPECT_FALSE(stage.map);
    EXPECT_EQ(stage.share_of_final, 0);
  }
  EXPECT_TRUE(record.answers.by_share.empty());
  EXPECT_TRUE(record.answers.milestones.empty());
  EXPECT_EQ(record.answers.counts[static_cast<int>(Verdict::same_bits)],
            static_cast<std::int64_t>(record.stages.size()));
}

/// Every fault that can sit in a stage, with an amount that matters under one contract.
std::vector<Injection> faults_of(const PlannedStage& planned) {
  std::vector<Injection> all;
  for (const Bug bug : all_bugs()) {
    Injection injection{planned.stage.id, bug, 1, 7};
    // These need inputs of their own, or a ReLU beside them: compare/selftest seats them.
    if (bug == Bug::nan_swallowed || bug == Bug::subnormals_flushed || bug == Bug::relu_in_place)
      continue;
    if (!applies(injection, planned) || amounts(bug, planned).empty()) continue;
    if (misreading_of(bug)) injection.amount = amounts(bug, planned).back();
    if (bug == Bug::operand_truncated) injection.amount = 12;
    if (bug == Bug::channel_scaled || bug == Bug::border_garbage) injection.amount = 1e-3;
    if (bug == Bug::wrong_epsilon) injection.amount = 1e-2;
    all.push_back(injection);
  }
  return all;
}

TEST(Differ, UnderOneContractNamesTheInjectedStageAndNoOther) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
  int faults = 0;
  for (const PlannedStage& planned : plan.stages)
    for (const Injection& fault : faults_of(planned)) {
      SCOPED_TRACE(std::string(name(fault.bug)) + " in " + planned.stage.name);
      const RunRecord record = bench.run(fp32(), fp32(), fault);
      EXPECT_EQ(Bench::named(record), std::vector<int>{fault.stage});
      EXPECT_EQ(record.answers.first_diverging, fault.stage);
      EXPECT_EQ(record.answers.first_different, fault.stage);
      EXPECT_EQ(record.exit_code, 1);
      ++faults;
    }
  EXPECT_GE(faults, 40);
}

TEST(Differ, AcrossContractsNamesAGrossFaultAndNoOther) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
  int faults = 0;
  for (const char* spec : {"fp64", "sm_90", "eigen"})
    for (const PlannedStage& planned : plan.stages)
      for (Injection fault : faults_of(planned)) {
        // Faults near the rounding noise of TF32 stay inside an honest bound: only gross ones must
        // be found.
        switch (fault.bug) {
          case Bug::bit_flipped:
            // A saturated sigmoid has an absolute bound that a flip may stay inside.
            if (planned.stage.steps.back().op_type == "Sigmoid") continue;
            fault.amount = 30;
            break;
          case Bug::channel_scaled:
          case Bug::border_garbage:
            fault.amount = 1;
            break;
          case Bug::operand_truncated:
            fault.amount = 2;
            break;
          case Bug::wrong_epsilon:
            fault.amount = 30;
            break;
          case Bug::ulp_bumped:
          case Bug::element_moved:
          case Bug::run_to_run:
          case Bug::order_changed:
          case Bug::tf32_unnoticed:
          case Bug::tf32_truncated:
          case Bug::half_operands:
          case Bug::bfloat_operands:
          case Bug::variance_unbiased:
            continue;
          default:
            break;
        }
        SCOPED_TRACE(std::string(name(fault.bug)) + " in " + planned.stage.name + " against " +
                     spec);
        // The faulty side computes in FP32 and keeps the fault; the other one is the judge's
        // choice.
        const RunRecord record = bench.run(named(spec), fp32(), fault);
        EXPECT_EQ(Bench::named(record), std::vector<int>{fault.stage});
        EXPECT_EQ(record.stages[static_cast<std::size_t>(fault.stage)].blame, Blame::b);
        ++faults;
      }
  EXPECT_GE(faults, 100);
}

TEST(Differ, BlamesTheSideThatFailsItsOwnBound) {
  Bench bench(small_net());
  const Injection fault{1, Bug::channel_scaled, 0.5, 7};
  const std::unique_ptr<Backend> faulty = inject(bench.cpu, fault);
  const Plan plan_a = make_plan(bench.stages, tf32(Arch::sm_90), *faulty, "a");
  const Plan plan_b = make_plan(bench.stages, fp32(), bench.cpu, "b");
  const RunRecord record = diff({.graph = bench.graph,
                                 .stages = bench.stages,
                                 .a = {*faulty, plan_a, bench.execution},
                                 .b = {bench.cpu, plan_b, bench.execution},
                                 .referee = {bench.cpu, bench.cpu, bench.execution},
                                 .inputs = bench.inputs});
  EXPECT_EQ(Bench::named(record), std::vector<int>{1});
  EXPECT_EQ(record.stages[1].blame, Blame::a);
  EXPECT_GT(record.stages[1].exact_a->beyond, 0);
  EXPECT_EQ(record.stages[1].exact_b->beyond, 0);
}

TEST(Differ, ATwinSeesWhatABoundCannot) {
  Bench bench(small_net());
  const Injection fault{2, Bug::ulp_bumped, 1, 7};
  const std::unique_ptr<Backend> faulty = inject(bench.cpu, fault);
  cpu::CpuBackend twin;
  const Plan plan_a = make_plan(bench.stages, fp32(), bench.cpu, "a");
  const Plan plan_b = make_plan(bench.stages, tf32(Arch::sm_90), *faulty, "b");
  const auto run = [&](Backend* with) {
    return diff({.graph = bench.graph,
                 .stages = bench.stages,
                 .a = {bench.cpu, plan_a, bench.execution},
                 .b = {*faulty, plan_b, bench.execution, with},
                 .referee = {bench.cpu, bench.cpu, bench.execution},
                 .inputs = bench.inputs});
  };
  EXPECT_TRUE(Bench::named(run(nullptr)).empty());
  const RunRecord record = run(&twin);
  EXPECT_EQ(Bench::named(record), std::vector<int>{2});
  EXPECT_EQ(record.stages[2].blame, Blame::b);
  EXPECT_EQ(record.stages[2].twin_b->differing, 1);
  EXPECT_EQ(record.stages[1].twin_b->differing, 0);
}

TEST(Differ, SharesOfTheFinalErrorSumToOneAndRankTheStages) {
  Bench bench(small_net());
  for (const char* spec : {"sm_90", "fp64", "eigen"}) {
    const RunRecord record = bench.run(fp32(), named(spec));
    double sum = 0, blocks = 0;
    for (const StageResult& stage : record.stages) sum += stage.share_of_final;
    for (const BlockResult& block : record.blocks) blocks += block.share_of_final;
    // A few roundings in double per stage and output.
    const double rounding = 64 * 0x1p-53 * static_cast<double>(record.stages.size());
    EXPECT_LE(std::fabs(sum - 1), rounding);
    EXPECT_LE(std::fabs(blocks - sum), rounding);
    ASSERT_FALSE(record.answers.by_share.empty());
    for (std::size_t i = 1; i < record.answers.by_share.size(); ++i)
      EXPECT_GE(
          record.stages[static_cast<std::size_t>(record.answers.by_share[i - 1])].share_of_final,
          record.stages[static_cast<std::size_t>(record.answers.by_share[i])].share_of_final);
  }
}

TEST(Differ, GivesTheWholeFinalErrorToTheOneStageThatMadeIt) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), fp32(), Injection{1, Bug::channel_scaled, 0.25, 7});
  EXPECT_EQ(record.answers.by_share.front(), 1);
  EXPECT_EQ(record.stages[1].share_of_final, 1);
  EXPECT_EQ(record.answers.largest_introduced, 1);
  // Later stages introduce nothing and still differ.
  EXPECT_EQ(record.stages[2].introduced->differing, 0);
  EXPECT_GT(record.stages[2].accumulated->differing, 0);
  EXPECT_EQ(record.stages[2].split->introduced, 0);
  EXPECT_GT(record.stages[2].amplification, 0);
  EXPECT_EQ(record.stages[0].amplification, 0);
}

TEST(Differ, KeepsMapsOfTheFirstDivergingStageAndTheThreeLargestShares) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90));
  int maps = 0;
  for (const StageResult& stage : record.stages) maps += stage.map.has_value();
  EXPECT_EQ(maps, 3);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(record.stages[static_cast<std::size_t>(record.answers.by_share[i])].map);
}

TEST(Differ, MilestonesNameTheFirstStageBeyondEachPowerOfTen) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90));
  ASSERT_FALSE(record.answers.milestones.empty());
  double last = 0;
  for (const Milestone& milestone : record.answers.milestones) {
    EXPECT_GT(milestone.threshold, last);
    last = milestone.threshold;
    for (const StageResult& stage : record.stages) {
      if (stage.id == milestone.stage) {
        EXPECT_GE(stage.accumulated_relative, milestone.threshold);
        break;
      }
      EXPECT_LT(stage.accumulated_relative, milestone.threshold);
    }
  }
}

TEST(Differ, AToleranceChangesTheExitCodeAndNoVerdict) {
  Bench bench(small_net());
  const RunRecord without = bench.run(fp32(), tf32(Arch::sm_90));
  double largest = 0;
  for (const StageResult& stage : without.stages)
    largest = std::max(largest, stage.accumulated->max_abs);
  const RunRecord wide = bench.run(fp32(), tf32(Arch::sm_90), {}, largest);
  EXPECT_EQ(wide.exit_code, 0);
  EXPECT_EQ(wide.answers.first_beyond_tolerance, -1);
  const RunRecord narrow = bench.run(fp32(), tf32(Arch::sm_90), {}, std::nextafter(largest, 0.0));
  EXPECT_EQ(narrow.exit_code, 1);
  EXPECT_NE(narrow.answers.first_beyond_tolerance, -1);
  for (std::size_t i = 0; i < without.stages.size(); ++i)
    EXPECT_EQ(narrow.stages[i].verdict, without.stages[i].verdict);
}

TEST(Differ, OutputsCarryTheirAccumulatedError) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90), {}, 0.0);
  ASSERT_EQ(record.outputs.size(), 2U);
  EXPECT_EQ(record.outputs[0].name, "head.0.y");
  EXPECT_EQ(record.outputs[1].name, "y");
  for (const OutputResult& output : record.outputs) {
    EXPECT_TRUE(output.beyond_tolerance);
    EXPECT_EQ(output.accumulated->max_abs,
              record.stages[static_cast<std::size_t>(output.stage)].accumulated->max_abs);
  }
}

TEST(Differ, AStageWithoutInformativeElementsIsUntrusted) {
  Bench bench(small_net());
  bench.inputs[0] = Tensor::of(bench.inputs[0].shape(),
                               std::vector<float>(static_cast<std::size_t>(bench.inputs[0].size()),
                                                  std::numeric_limits<float>::quiet_NaN()));
  const RunRecord record = bench.run(fp32(), fp32());
  for (const StageResult& stage : record.stages)
    EXPECT_EQ(stage.verdict, Verdict::untrusted) << stage.name;
  EXPECT_EQ(record.exit_code, 4);
}

TEST(Differ, AnOutputThatIsTheInputBitForBitIsUntrusted) {
  GraphBuilder builder("lazy");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 4, 6, 6}});
  std::vector<float> weights(4 * 4);
  for (std::size_t c = 0; c < 4; ++c)
    weights[c * 4 + c] = 1;  // an identity: nobody can tell whether it ran
  Conv2d op;
  op.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  builder.add_output(builder
                         .add_step(op, {x}, {Tensor::of({4, 4, 1, 1}, weights), std::nullopt},
                                   "/lazy/Conv", {"y"}, "Conv")
                         .front());
  Bench bench(builder.finish());
  // Whatever the two sides compute in: in double the value that came in is the one that goes out.
  for (const char* a : {"fp32", "fp64", "exact"})
    for (const char* b : {"fp32", "fp64", "exact"}) {
      const RunRecord record = bench.run(named(a), named(b));
      EXPECT_EQ(record.stages[0].verdict, Verdict::untrusted) << a << " " << b;
      EXPECT_EQ(record.exit_code, 4) << a << " " << b;
    }
}

TEST(Differ, AMultiplicationByOneIsUntrustedWhateverTheSidesComputeIn) {
  GraphBuilder builder("scale");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 4, 6, 6}});
  Binary times;
  times.function = Binary::Function::mul;
  times.constant = Binary::Side::right;
  builder.add_output(
      builder.add_step(times, {x}, {Tensor::of({}, std::vector<float>{1.0F})}, "/Mul", {"y"}, "Mul")
          .front());
  Bench bench(builder.finish());
  for (const char* a : {"fp32", "fp64"})
    for (const char* b : {"fp32", "fp64"}) {
      const RunRecord record = bench.run(named(a), named(b));
      EXPECT_EQ(record.stages[0].verdict, Verdict::untrusted) << a << " " << b;
      EXPECT_NE(record.stages[0].reason.find("equals the input"), std::string::npos)
          << record.stages[0].reason;
    }
}

TEST(Differ, AZeroedOutputIsADivergenceAndNotMerelyUntrusted) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp64(), fp32(), Injection{0, Bug::output_zeroed});
  EXPECT_EQ(Bench::named(record), std::vector<int>{0});
  EXPECT_EQ(record.exit_code, 1);
}

TEST(Differ, FewInformativeElementsLetTheVerdictStandAndAreCounted) {
  GraphBuilder builder("tiny");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 2, 2}});
  builder.add_output(add_conv(builder, x, 2, "/tiny/Conv", "y", 5));
  Bench bench(builder.finish());
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90));
  EXPECT_EQ(record.stages[0].verdict, Verdict::within_bound);
  EXPECT_NE(record.stages[0].reason.find("informative"), std::string::npos)
      << record.stages[0].reason;
}

TEST(Differ, ASwallowedNanIsNamed) {
  Bench bench(small_net());
  std::vector<float> x(bench.inputs[0].values<float>().begin(),
                       bench.inputs[0].values<float>().end());
  x[40] = std::numeric_limits<float>::quiet_NaN();
  bench.inputs[0] = Tensor::of(bench.inputs[0].shape(), x);
  const RunRecord record = bench.run(fp32(), fp32(), Injection{1, Bug::nan_swallowed});
  EXPECT_EQ(Bench::named(record), std::vector<int>{1});
  EXPECT_GT(record.stages[1].introduced->nan_mismatches, 0);
  // Across contracts a magnitude that is NaN bounds nothing, and nobody is named.
  EXPECT_TRUE(Bench::named(bench.run(fp64(), fp32())).empty());
}

TEST(Differ, RepeatedRunsShowASideThatChanges) {
  Bench bench(small_net());
  const auto repeated = [&](const Numerics& a, const std::optional<Injection>& fault) {
    const std::unique_ptr<Backend> faulty = fault ? inject(bench.cpu, *fault) : nullptr;
    Backend& on_b = faulty ? *faulty : static_cast<Backend&>(bench.cpu);
    const Plan plan_a = make_plan(bench.stages, a, bench.cpu, "a"),
               plan_b = make_plan(bench.stages, fp32(), bench.cpu, "b");
    return diff({.graph = bench.graph,
                 .stages = bench.stages,
                 .a = {bench.cpu, plan_a, bench.execution},
                 .b = {on_b, plan_b, bench.execution},
                 .referee = {bench.cpu, bench.cpu, bench.execution},
                 .inputs = bench.inputs,
                 .repeat = 4});
  };
  const RunRecord clean = repeated(fp32(), {});
  EXPECT_EQ(clean.exit_code, 0);
  for (const StageResult& stage : clean.stages) {
    EXPECT_EQ(stage.runs, 4);
    EXPECT_EQ(stage.distinct_a, 1);
    EXPECT_EQ(stage.distinct_b, 1);
  }
  // One ULP hides in the bounds of two contracts; that it changes does not hide.
  const Injection atomics{1, Bug::run_to_run};
  const StageResult across = repeated(fp64(), atomics).stages[1];
  EXPECT_EQ(across.verdict, Verdict::untrusted);
  EXPECT_EQ(across.distinct_a, 1);
  EXPECT_EQ(across.distinct_b, 4);
  EXPECT_NE(across.reason.find("b gave 4 different outputs in 4 runs"), std::string::npos);
  // Under one contract it is the cause of the divergence.
  const StageResult within = repeated(fp32(), atomics).stages[1];
  EXPECT_EQ(within.verdict, Verdict::diverged);
  ASSERT_FALSE(within.diagnoses.empty());
  EXPECT_EQ(within.diagnoses.front().label, "run_to_run");
}

TEST(Differ, OutputsThatShowNothingAreUntrusted) {
  struct Case {
    Bug bug;
    const char* reason;
  };
  for (const Case& each : {Case{Bug::output_zeroed, "zero"}, Case{Bug::output_constant, "constant"},
                           Case{Bug::input_returned, "equals the input"}}) {
    Bench bench(small_net());
    // The same fault on both sides: they agree bit for bit, and prove nothing.
    const std::unique_ptr<Backend> faulty = inject(bench.cpu, {1, each.bug, 1, 7});
    const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "cpu:fp32");
    const RunRecord record = diff({.graph = bench.graph,
                                   .stages = bench.stages,
                                   .a = {*faulty, plan, bench.execution},
                                   .b = {*faulty, plan, bench.execution},
                                   .referee = {bench.cpu, bench.cpu, bench.execution},
                                   .inputs = bench.inputs});
    const StageResult& stage = record.stages[1];
    EXPECT_EQ(stage.verdict, Verdict::untrusted) << name(each.bug);
    EXPECT_NE(stage.reason.find(each.reason), std::string::npos) << stage.reason;
    ASSERT_EQ(stage.diagnoses.size(), 1u);
    EXPECT_EQ(stage.diagnoses[0].label, name(each.bug));
    EXPECT_EQ(record.exit_code, 4);
  }
}

TEST(Differ, AnUntrustedConstantHasNoShareOfItsBoundAndNoCause) {
  GraphBuilder graph("constant");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 6, 6}});
  Conv2d conv;
  conv.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  const std::optional<Tensor> w = filled({Type::float32, {1, 8, 1, 1}}, Fill::real, 3);
  graph.add_output(graph.add_step(conv, {x}, {w, std::nullopt}, "/0/Conv", {"y"}, "Conv").front());
  Bench bench(graph.finish());
  const Shape shape = bench.inputs[0].shape();
  bench.inputs[0] = Tensor::of<float>(
      shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 1.0F));
  const Plan a = make_plan(bench.stages, fp32(), bench.cpu, "a"),
             b = make_plan(bench.stages, tf32(Arch::sm_90), bench.cpu, "b");
  const RunRecord record = diff({.graph = bench.graph,
                                 .stages = bench.stages,
                                 .a = {bench.cpu, a, bench.execution},
                                 .b = {bench.cpu, b, bench.execution},
                                 .referee = {bench.cpu, bench.cpu, bench.execution},
                                 .inputs = bench.inputs,
                                 .attribute = attribute_all});
  const StageResult& stage = record.stages.front();
  EXPECT_EQ(stage.verdict, Verdict::untrusted);
  EXPECT_GT(stage.introduced->differing, 0);
  EXPECT_FALSE(largest_share_of_bound(stage));
  EXPECT_FALSE(stage.attribution);
  EXPECT_TRUE(record.answers.causes.empty());
  EXPECT_EQ(record.answers.worst_share_stage, -1);
}

TEST(Differ, OverflowJudgesNothingAndNamesNobody) {
  Bench bench(small_net());
  std::vector<float> x(bench.inputs[0].values<float>().begin(),
                       bench.inputs[0].values<float>().end());
  for (float& value : x) value *= 0x1p125F;
  bench.inputs[0] = Tensor::of(bench.inputs[0].shape(), x);
  for (const char* spec : {"fp64", "sm_90", "eigen"}) {
    const RunRecord record = bench.run(fp32(), named(spec));
    EXPECT_TRUE(Bench::named(record).empty()) << spec;
  }
}

TEST(Differ, TheConversionOfADoubleSideIsReportedByItself) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp64(), fp32());
  EXPECT_EQ(record.stages[0].conversion, 0);  // the graph's input is float on both sides
  EXPECT_GT(record.stages[1].conversion, 0);
  EXPECT_EQ(bench.run(fp32(), fp64()).stages[1].conversion, 0);
}

TEST(Differ, NeitherThreadsNorTapsChangeTheRecord) {
  Bench bench(small_net());
  bench.execution.threads = 1;
  const RunRecord one = bench.run(fp32(), tf32(Arch::sm_80));
  bench.execution.threads = 5;
  const RunRecord five = bench.run(fp32(), tf32(Arch::sm_80));
  for (std::size_t i = 0; i < one.stages.size(); ++i) {
    const StageResult &x = one.stages[i], &y = five.stages[i];
    EXPECT_EQ(x.digest_b, y.digest_b);
    EXPECT_EQ(x.introduced->rms, y.introduced->rms);
    EXPECT_EQ(x.introduced->worst_share, y.introduced->worst_share);
    EXPECT_EQ(x.accumulated->mean_abs, y.accumulated->mean_abs);
    EXPECT_EQ(x.share_of_final, y.share_of_final);
    EXPECT_EQ(x.amplification, y.amplification);
    EXPECT_EQ(x.reason, y.reason);
  }
}

TEST(Differ, PlansOfAnotherCutAreRefused) {
  Bench bench(small_net());
  const Plan plan_a = make_plan(bench.stages, fp32(), bench.cpu, "a");
  Plan plan_b = plan_a;
  plan_b.stages.pop_back();
  EXPECT_THROW(diff({.graph = bench.graph,
                     .stages = bench.stages,
                     .a = {bench.cpu, plan_a, bench.execution},
                     .b = {bench.cpu, plan_b, bench.execution},
                     .referee = {bench.cpu, bench.cpu, bench.execution},
                     .inputs = bench.inputs}),
               Error);
}

TEST(Differ, ReportsItsProgressToTheEnd) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  std::vector<Progress> seen;
  diff({.graph = bench.graph,
        .stages = bench.stages,
        .a = {bench.cpu, plan, bench.execution},
        .b = {bench.cpu, plan, bench.execution},
        .referee = {bench.cpu, bench.cpu, bench.execution},
        .inputs = bench.inputs,
        .observer = [&](const Progress& progress) { seen.push_back(progress); }});
  ASSERT_EQ(seen.size(), bench.stages.size() + 1);
  EXPECT_EQ(seen.front().macs_done, 0);
  EXPECT_EQ(seen.back().macs_done, seen.back().macs);
  EXPECT_EQ(seen.back().stages_done, seen.back().stages);
}

TEST(ExitCode, DivergedComesBeforeIncompleteBeforeClean) {
  RunRecord record;
  record.stages.resize(2);
  record.stages[0].verdict = record.stages[1].verdict = Verdict::within_bound;
  EXPECT_EQ(exit_code_of(record), 0);
  record.stages[0].verdict = Verdict::not_run;
  EXPECT_EQ(exit_code_of(record), 4);
  record.stages[1].verdict = Verdict::diverged;
  EXPECT_EQ(exit_code_of(record), 1);
}

}  // namespace
}  // namespace parity
