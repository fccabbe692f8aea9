#include "compare/attribution.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "compare/capture.hpp"
#include "compare/forwarding.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

RunRecord attributed(Bench& bench, const Numerics& a, const Numerics& b,
                     const std::optional<Injection>& fault = {}) {
  const std::unique_ptr<Backend> faulty = fault ? inject(bench.cpu, *fault) : nullptr;
  Backend& on_b = faulty ? *faulty : static_cast<Backend&>(bench.cpu);
  const Plan plan_a = make_plan(bench.stages, a, bench.cpu, "a"),
             plan_b = make_plan(bench.stages, b, on_b, "b");
  return diff({.graph = bench.graph,
               .stages = bench.stages,
               .a = {bench.cpu, plan_a, bench.execution},
               .b = {on_b, plan_b, bench.execution},
               .referee = {bench.cpu, bench.cpu, bench.execution},
               .inputs = bench.inputs,
               .attribute = attribute_all});
}

Cause largest(const Attribution& attribution) {
  return std::max_element(attribution.causes.begin(), attribution.causes.end(),
                          [](const auto& x, const auto& y) { return x.share < y.share; })
      ->cause;
}

/// Shares sum to 1 but for the roundings of a few sums in double, over all pairs of the bench.
void expect_whole(const Attribution& attribution) {
  double sum = 0, size = 0;
  for (const CauseShare& share : attribution.causes) {
    sum += share.share;
    size += std::fabs(share.share);
  }
  EXPECT_LE(std::fabs(sum - 1), (1 + size) * 4096 * 0x1p-53);
  EXPECT_LE(attribution.runs, 10);
}

struct Expected {
  const char* a;
  const char* b;
  Cause cause;
};

TEST(Attribution, NamesTheClauseThatDiffersAndCertifiesIt) {
  Bench bench(small_net());
  for (const auto& [a, b, cause] :
       {Expected{"fp32", "sm_90", Cause::operand_rounding},
        Expected{"sm_90", "fp32", Cause::operand_rounding},
        Expected{"fp64", "sm_80", Cause::operand_rounding},
        Expected{"fp32", "sm_90/truncate", Cause::operand_rounding},
        Expected{"sm_90", "sm_90/truncate", Cause::operand_rounding},
        Expected{"sm_80", "sm_90", Cause::accumulator},
        Expected{"fp32", "fp64", Cause::accumulator}, Expected{"fp64", "fp32", Cause::accumulator},
        Expected{"fp32", "eigen", Cause::order}, Expected{"eigen", "fp32", Cause::order},
        Expected{"fp32", "folded", Cause::batch_norm},
        Expected{"folded", "fp32", Cause::batch_norm}}) {
    SCOPED_TRACE(std::string(a) + " against " + b);
    const RunRecord record = attributed(bench, named(a), named(b));
    int stages = 0;
    for (const StageResult& stage : record.stages) {
      if (stage.introduced->differing == 0) {
        EXPECT_FALSE(stage.attribution) << stage.name;
        continue;
      }
      ASSERT_TRUE(stage.attribution) << stage.name;
      ++stages;
      expect_whole(*stage.attribution);
      if (stage.macs > 0) {
        EXPECT_EQ(largest(*stage.attribution), cause) << stage.name;
      }
      EXPECT_EQ(stage.attribution->certificate, stage.contract_b) << stage.name;
      EXPECT_EQ(stage.attribution->nearest_residual, 0) << stage.name;
    }
    EXPECT_GE(stages, 5);
    ASSERT_FALSE(record.answers.causes.empty());
    EXPECT_EQ(record.answers.causes.front().cause, cause);
    double sum = 0;
    for (const CauseTotal& total : record.answers.causes) sum += total.share;
    EXPECT_LE(std::fabs(sum - 1), 4096 * 0x1p-53 * static_cast<double>(stages));
  }
}

TEST(Attribution, LeavesAFaultUnexplained) {
  Bench bench(small_net());
  const Injection fault{2, Bug::channel_scaled, 0.5};
  const RunRecord record = attributed(bench, named("fp32"), named("fp32"), fault);
  const Attribution& attribution = *record.stages[2].attribution;
  EXPECT_EQ(largest(attribution), Cause::rest);
  EXPECT_TRUE(attribution.certificate.empty());
  expect_whole(attribution);
}

TEST(Attribution, SeesThatASideComputesOtherThanItSays) {
  // b says chain and rounds its operands like the device it hides.
  Bench bench(small_net());
  class Liar final : public Forwarding {
   public:
    Liar(Backend& inner, const Plan& truly) : Forwarding(inner), truly_(truly) {}
    BackendInfo info(const Execution& e) const override {
      return {"liar", inner_.info(e).device, {}};
    }
    std::optional<Refusal> refuses(const PlannedStage&) const override { return {}; }
    std::vector<Value> run(const PlannedStage& stage, std::span<const Value> in, Reading reading,
                           const Execution& e) override {
      const auto id = static_cast<std::size_t>(stage.stage.id);
      return inner_.run(reading == Reading::values ? truly_.stages[id] : stage, in, reading, e);
    }

   private:
    const Plan& truly_;
  };
  for (const auto& [truth, cause] :
       {std::pair{"sm_90", Cause::operand_rounding}, std::pair{"sm_80", Cause::operand_rounding},
        std::pair{"folded", Cause::batch_norm}, std::pair{"eigen", Cause::order}}) {
    SCOPED_TRACE(truth);
    const Plan truly = make_plan(bench.stages, named(truth), bench.cpu, "truth");
    const Plan said = make_plan(bench.stages, fp32(), bench.cpu, "said");
    Liar liar(bench.cpu, truly);
    const RunRecord record = diff({.graph = bench.graph,
                                   .stages = bench.stages,
                                   .a = {bench.cpu, said, bench.execution},
                                   .b = {liar, said, bench.execution},
                                   .referee = {bench.cpu, bench.cpu, bench.execution},
                                   .inputs = bench.inputs,
                                   .attribute = 3});
    EXPECT_EQ(record.exit_code, 1);
    for (const StageResult& stage : record.stages) {
      if (!stage.attribution) continue;
      EXPECT_EQ(largest(*stage.attribution), cause) << stage.name;
      EXPECT_EQ(stage.attribution->certificate,
                truly.stages[static_cast<std::size_t>(stage.id)].contract_text());
    }
  }
}

/// What another program would have recorded, its operands rounded by hand where ours cannot.
Capture recorded(Bench& bench, const Numerics& numerics) {
  const Plan plan = make_plan(bench.stages, numerics, bench.cpu, "recorded");
  Capture capture{"other.npz", {}};
  run({.graph = bench.graph,
       .plan = plan,
       .backend = bench.cpu,
       .execution = bench.execution,
       .inputs = bench.inputs,
       .tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
         capture.tensors.emplace_back(planned.stage.output_names[0],
                                      to_float32(bench.cpu.download(outputs[0], bench.execution)));
       }});
  return capture;
}

TEST(Attribution, OfACaptureFindsTheArithmeticThatMadeIt) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  for (const auto& [spec, cause] :
       {std::pair{"sm_90", Cause::operand_rounding},
        std::pair{"sm_90/truncate", Cause::operand_rounding}, std::pair{"eigen", Cause::order},
        std::pair{"folded", Cause::batch_norm}, std::pair{"exact", Cause::order}}) {
    SCOPED_TRACE(spec);
    const Capture capture = recorded(bench, named(spec));
    const bool tensor = std::string(spec).starts_with("sm_");
    const RunRecord record = diff_capture({.graph = bench.graph,
                                           .stages = bench.stages,
                                           .a = {bench.cpu, plan, bench.execution},
                                           .referee = {bench.cpu, bench.cpu, bench.execution},
                                           .inputs = bench.inputs,
                                           .capture = capture,
                                           .spec = "capture:other.npz",
                                           .numerics = tensor ? named(spec) : fp32(),
                                           .attribute = attribute_all});
    int attributed = 0;
    for (const StageResult& stage : record.stages) {
      if (!stage.attribution) continue;
      ++attributed;
      expect_whole(*stage.attribution);
      if (stage.macs > 0) {
        EXPECT_EQ(largest(*stage.attribution), cause) << stage.name;
      }
      // exact is no arithmetic of a runtime: there the rest is an order nobody emulates.
      EXPECT_EQ(stage.attribution->certificate.empty(), std::string(spec) == "exact") << stage.name;
    }
    ASSERT_GE(attributed, 5);
    EXPECT_EQ(record.answers.causes.front().cause, cause);
  }
}

TEST(Attribution, LooksOnlyWhereItIsAsked) {
  Bench bench(small_net());
  const Plan a = make_plan(bench.stages, fp32(), bench.cpu, "a"),
             b = make_plan(bench.stages, tf32(Arch::sm_90), bench.cpu, "b");
  for (const std::size_t most : {attribute_none, std::size_t{2}}) {
    const RunRecord record = diff({.graph = bench.graph,
                                   .stages = bench.stages,
                                   .a = {bench.cpu, a, bench.execution},
                                   .b = {bench.cpu, b, bench.execution},
                                   .referee = {bench.cpu, bench.cpu, bench.execution},
                                   .inputs = bench.inputs,
                                   .attribute = most});
    std::set<int> attributed;
    for (const StageResult& stage : record.stages)
      if (stage.attribution) attributed.insert(stage.id);
    EXPECT_EQ(attributed,
              (std::set<int>(record.answers.by_share.begin(),
                             record.answers.by_share.begin() + static_cast<std::ptrdiff_t>(most))));
  }
}

}  // namespace
}  // namespace parity
