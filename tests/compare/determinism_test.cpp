#include "compare/determinism.hpp"

#include "compare/forwarding.hpp"
#include "model/arithmetic/digest.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

/// Hands everything on to one backend, and chosen runs of stages to another.
class Turning : public Forwarding {
 public:
  using When = std::function<bool(const PlannedStage&, const Execution&)>;
  Turning(Backend& usual, Backend& other, When other_when)
      : Forwarding(usual), other_(other), other_when_(std::move(other_when)) {}

  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> in, Reading reading,
                         const Execution& e) override {
    return (other_when_(stage, e) ? other_ : inner_).run(stage, in, reading, e);
  }

 private:
  Backend& other_;
  When other_when_;
};

struct Repeated : Bench {
  Repeated() : Bench(small_net()), plan(make_plan(stages, fp32(), cpu, "cpu:fp32")) {}

  DeterminismRecord run(std::vector<Variation> variations, Backend* backend = nullptr) {
    for (Variation& v : variations)
      if (v.axis != "threads") v.execution = execution;
    return determinism({.graph = graph,
                        .plan = plan,
                        .backend = backend ? *backend : static_cast<Backend&>(cpu),
                        .execution = execution,
                        .inputs = inputs,
                        .variations = std::move(variations)});
  }
  int stage_named(const std::string& name) const {
    for (std::size_t i = 0; i < stages.size(); ++i)
      if (stages[i].name == name) return static_cast<int>(i);
    return -1;
  }

  Plan plan;
};

Variation batch_of(std::int64_t batch, std::vector<std::int64_t> places) {
  return {.axis = "batch",
          .setting = std::to_string(batch) + " items",
          .batch = batch,
          .places = std::move(places)};
}

TEST(Determinism, EveryRepetitionOfAChainGivesOneDigest) {
  Repeated bench;
  const DeterminismRecord record = bench.run({{.axis = "runs", .runs = 3},
                                              {.axis = "threads", .setting = "3", .execution = {3}},
                                              batch_of(3, {0, 2}),
                                              batch_of(3, {1})});
  EXPECT_EQ(record.runs, 3 + 1 + 3);
  EXPECT_EQ(record.same, record.runs);
  for (const AxisResult& axis : record.axes) {
    EXPECT_EQ(axis.digests, 1) << axis.axis;
    EXPECT_FALSE(axis.first) << axis.axis;
  }
  for (const StageRepeat& stage : record.stages) EXPECT_EQ(stage.same, stage.runs) << stage.name;
  EXPECT_EQ(exit_code_of(record, {}), 0);
}

TEST(Determinism, ARunThatChangesIsNamedWithStageElementAndBits) {
  Repeated bench;
  const int wrong = bench.stage_named("body.0");
  ASSERT_GE(wrong, 0);
  const auto faulty = inject(bench.cpu, {wrong, Bug::ulp_bumped, 1});
  // Only the second repetition: stage 0 begins a run, the reference is the first.
  int run = -1;
  Turning backend(bench.cpu, *faulty, [&](const PlannedStage& stage, const Execution&) {
    run += stage.stage.id == 0;
    return run == 2;
  });
  const DeterminismRecord record = bench.run({{.axis = "runs", .runs = 4}}, &backend);
  const AxisResult& axis = record.axes.at(0);
  EXPECT_EQ(axis.runs, 4);
  EXPECT_EQ(axis.same, 3);
  EXPECT_EQ(axis.digests, 2);
  ASSERT_TRUE(axis.first);
  EXPECT_EQ(axis.first->stage, wrong);
  EXPECT_EQ(axis.first->differing, 1);
  ASSERT_TRUE(axis.first->element) << axis.first->without;
  const std::int64_t distance = static_cast<std::int64_t>(axis.first->element->b_bits) -
                                static_cast<std::int64_t>(axis.first->element->a_bits);
  EXPECT_EQ(std::abs(distance), 1) << "one ULP";
  EXPECT_EQ(record.stages[0].same, record.stages[0].runs) << "silence before it";
  EXPECT_EQ(exit_code_of(record, {}), 1);
}

TEST(Determinism, AThreadCountThatChangesBitsIsNamed) {
  Repeated bench;
  const int wrong = bench.stage_named("stem.0");
  const auto faulty = inject(bench.cpu, {wrong, Bug::channel_scaled, 0x1p-20});
  Turning backend(bench.cpu, *faulty,
                  [](const PlannedStage&, const Execution& e) { return e.threads == 4; });
  const DeterminismRecord record =
      bench.run({{.axis = "runs", .runs = 2},
                 {.axis = "threads", .setting = "2", .execution = {2}},
                 {.axis = "threads", .setting = "4", .execution = {4}}},
                &backend);
  EXPECT_FALSE(record.axes.at(0).first);
  EXPECT_EQ(record.axes.at(1).same, 1);
  ASSERT_TRUE(record.axes.at(1).first);
  EXPECT_EQ(record.axes.at(1).first->setting, "4");
  EXPECT_EQ(record.axes.at(1).first->stage, wrong);
}

TEST(Determinism, ABatchPositionThatChangesBitsIsNamed) {
  Repeated bench;
  const int wrong = bench.stage_named("stem.0");
  // One element of the whole batch, so of one item.
  const auto faulty = inject(bench.cpu, {wrong, Bug::ulp_bumped, 1});
  Turning backend(bench.cpu, *faulty, [](const PlannedStage& stage, const Execution&) {
    return stage.stage.output_types.front().shape.front() > 1;
  });
  const DeterminismRecord record = bench.run({batch_of(3, {0, 2}), batch_of(3, {1})}, &backend);
  const AxisResult& axis = record.axes.at(0);
  EXPECT_EQ(axis.runs, 3);
  EXPECT_EQ(axis.same, 2);
  ASSERT_TRUE(axis.first);
  EXPECT_EQ(axis.first->setting.rfind("3 items, place ", 0), 0U) << axis.first->setting;
  EXPECT_EQ(axis.first->differing, 1);
  EXPECT_EQ(axis.first->stage, wrong);
  EXPECT_TRUE(axis.first->element) << axis.first->without;
}

TEST(Determinism, WhatAFreshProcessGaveIsHeldToThisOne) {
  Repeated bench;
  Trail trail;
  bench.run({{.axis = "restarts",
              .elsewhere = Elsewhere{[&] {
                                       trail.stages.assign(bench.stages.size(), {Digest{}});
                                       return trail;
                                     },
                                     {}}}});
  const DeterminismRecord record =
      bench.run({{.axis = "restarts", .elsewhere = Elsewhere{[&] { return trail; }, {}}}});
  EXPECT_EQ(record.same, 0);
  ASSERT_TRUE(record.axes.at(0).first);
  EXPECT_EQ(record.axes.at(0).first->stage, 0);
  EXPECT_FALSE(record.axes.at(0).first->element);
  EXPECT_NE(record.axes.at(0).first->without, "");
}

TEST(Determinism, WhatIsDemandedButNotTriedAndWhatSaysNothingIsIncomplete) {
  Repeated bench;
  const DeterminismRecord record =
      bench.run({{.axis = "runs"}, {.axis = "isa", .not_tried = "there is one"}});
  const std::vector<std::string> demanded = {"runs", "isa"};
  EXPECT_EQ(exit_code_of(record, {}), 0);
  EXPECT_EQ(exit_code_of(record, demanded), 4);
  EXPECT_EQ(exit_code_of(bench.run({}), {}), 4) << "nothing was repeated";

  bench.inputs = {Tensor::of<float>({1, 8, 11, 13}, std::vector<float>(8 * 11 * 13, 0.0F))};
  const auto dead = inject(bench.cpu, {0, Bug::output_zeroed, 1});
  const DeterminismRecord zeros = bench.run({{.axis = "runs"}}, dead.get());
  EXPECT_EQ(zeros.same, zeros.runs);
  EXPECT_EQ(exit_code_of(zeros, {}), 4) << "a stage of zeros repeats whatever it does";
}

TEST(Determinism, BatchNeighboursHoldOtherData) {
  const std::vector<Tensor> one = {Tensor::of<float>({1, 3}, {1, 2, 3}),
                                   Tensor::of<std::int64_t>({1, 2}, {7, 8})};
  const std::vector<std::int64_t> places = {1};
  const std::vector<Tensor> three = batched_inputs(one, 3, places);
  ASSERT_EQ(three[0].shape(), (Shape{3, 3}));
  const auto values = three[0].values<float>();
  EXPECT_EQ(std::vector<float>(values.begin() + 3, values.begin() + 6),
            (std::vector<float>{1, 2, 3}));
  EXPECT_NE(std::vector<float>(values.begin(), values.begin() + 3), (std::vector<float>{1, 2, 3}));
  for (const std::int64_t index : {0, 2, 4})
    EXPECT_EQ(three[1].values<std::int64_t>()[static_cast<std::size_t>(index)], 7)
        << "an index stays in range";
}

}  // namespace
}  // namespace parity
