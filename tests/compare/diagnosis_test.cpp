#include "compare/diagnosis.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/compare/recorded.hpp"

namespace parity {
namespace {

Diagnosis first_of(const RunRecord& record, int stage) {
  const StageResult& result = record.stages[static_cast<std::size_t>(stage)];
  EXPECT_EQ(result.verdict, Verdict::diverged);
  EXPECT_FALSE(result.diagnoses.empty());
  return result.diagnoses.empty() ? Diagnosis() : result.diagnoses.front();
}

TEST(Diagnosis, ProvesAMisreadStageBitForBit) {
  Bench bench(small_net());
  for (const Bug bug : {Bug::kernel_axes_swapped, Bug::kernel_flipped, Bug::weights_transposed,
                        Bug::folded_twice, Bug::activation_dropped, Bug::batch_statistics}) {
    const RunRecord record = bench.run(fp32(), fp32(), Injection{1, bug});
    const Diagnosis found = first_of(record, 1);
    EXPECT_EQ(found.label, name(bug));
    EXPECT_EQ(found.proof, Proof::bits);
    EXPECT_EQ(found.confidence, 1);
    EXPECT_NE(found.evidence.find("bit for bit"), std::string::npos) << found.evidence;
  }
}

TEST(Diagnosis, FitsAnEpsilonThatNobodyListed) {
  Bench bench(small_net());
  const Diagnosis found =
      first_of(bench.run(fp32(), fp32(), Injection{1, Bug::wrong_epsilon, 0.047}), 1);
  EXPECT_EQ(found.label, "wrong_epsilon");
  EXPECT_EQ(found.proof, Proof::bits);
  EXPECT_NE(found.evidence.find("0.047"), std::string::npos) << found.evidence;
}

TEST(Diagnosis, ProvesTheOtherFormulaOfGelu) {
  for (const EpilogueKind formula : {EpilogueKind::gelu, EpilogueKind::gelu_tanh}) {
    GraphBuilder graph("gelu");
    const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 11, 13}});
    const TensorId z = add_conv(graph, x, 6, "/0/Conv", "z", 1);
    graph.add_output(graph.add_step(Unary{formula}, {z}, {}, "/0/Gelu", {"y"}, "Gelu").front());
    Bench bench(graph.finish());
    for (const char* a : {"fp32", "fp64"}) {
      const Diagnosis found =
          first_of(bench.run(named(a), fp32(), Injection{0, Bug::gelu_by_another_formula}), 0);
      EXPECT_EQ(found.label, "gelu_by_another_formula") << a;
      EXPECT_EQ(found.proof, Proof::bits) << a;
    }
  }
}

TEST(Diagnosis, ProvesConstantsOfAnActivationThatAreNotTheOnesGiven) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  struct Given {
    Unary activation;
    const char* type;
    const char* told;  ///< of the first wrong amount
  };
  const Given all[] = {
      {{EpilogueKind::clip, 0, 1.5F}, "Clip", "(min -inf for 0, max 1.5 for 1.5)"},
      {{EpilogueKind::clip, -1, infinity}, "Clip", "(min -inf for -1"},
      {{EpilogueKind::hard_sigmoid, 1.0F / 6, 0.5F}, "HardSigmoid", "(alpha 0.2 for"},
      {{EpilogueKind::hard_swish, 1.0F / 6, 0.5F}, "HardSwish", "(slope 0.2 for"},
      {{EpilogueKind::leaky_relu, 0.2F, 0}, "LeakyRelu", "(alpha 0.01 for 0.2)"},
      {{EpilogueKind::elu, 0.5F, 0}, "Elu", "(alpha 1 for 0.5)"},
      {{EpilogueKind::celu, 2, 0}, "Celu", "(alpha 1 for 2)"},
      {{EpilogueKind::thresholded_relu, 0.5F, 0}, "ThresholdedRelu", "(alpha 1 for"}};
  for (const auto& [activation, type, told] : all) {
    GraphBuilder graph("activation");
    const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 11, 13}});
    const TensorId z = add_conv(graph, x, 6, "/0/Conv", "z", 1);
    graph.add_output(
        graph.add_step(activation, {z}, {}, std::string("/0/") + type, {"y"}, type).front());
    Bench bench(graph.finish());
    // What jumps heads a stage of its own.
    const Stage& last = bench.stages.back();
    const PlannedStage planned = make_plan(bench.stages, fp32(), bench.cpu, "b").stages.back();
    const std::vector<double> wrong = amounts(Bug::constants_misread, planned);
    ASSERT_FALSE(wrong.empty()) << type;
    for (const double amount : wrong) {
      const Injection fault{last.id, Bug::constants_misread, amount};
      for (const char* a : {"fp32", "fp64", "recorded"}) {
        SCOPED_TRACE(std::string(type) + " " + std::to_string(amount) + " against " + a);
        const Diagnosis found =
            first_of(a == std::string("recorded") ? recorded_and_judged(bench, fp32(), fault)
                                                  : bench.run(named(a), fp32(), fault),
                     last.id);
        EXPECT_EQ(found.label, "constants_misread") << found.evidence;
        EXPECT_NE(found.proof, Proof::pattern);
        if (amount == wrong.front()) {
          EXPECT_NE(found.evidence.find(told), std::string::npos) << found.evidence;
        }
      }
    }
  }
}

TEST(Diagnosis, NamesTheBitThatFlipped) {
  Bench bench(small_net());
  for (const int bit : {1, 7, 22, 23, 30, 31}) {
    const Diagnosis found = first_of(
        bench.run(fp32(), fp32(), Injection{1, Bug::bit_flipped, static_cast<double>(bit)}), 1);
    EXPECT_EQ(found.label, "bit_flipped");
    EXPECT_NE(found.evidence.find("bit " + std::to_string(bit) + " "), std::string::npos)
        << found.evidence;
    EXPECT_EQ(found.box_first, found.box_last);
  }
}

/// A convolution of 48 channels whose result is handed on channels last, recorded and then changed.
RunRecord of_changed_recording(const std::function<float(float, std::int64_t)>& change) {
  constexpr std::int64_t C = 48;
  GraphBuilder graph("channels last");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 5, 7}});
  const TensorId z = add_conv(graph, x, C, "/0/Conv", "z", 1);
  graph.add_output(graph
                       .add_step(Movement{Movement::Function::transpose, {0, 2, 3, 1}}, {z}, {},
                                 "/0/Transpose", {"y"}, "Transpose")
                       .front());
  Bench bench(graph.finish());
  Capture capture = recorded(bench, fp32());
  Tensor& y = capture.tensors.back().second;
  std::vector<float> values(y.values<float>().begin(), y.values<float>().end());
  for (std::size_t k = 0; k < values.size(); ++k)
    values[k] = change(values[k], static_cast<std::int64_t>(k) % C);
  y = Tensor::of<float>(y.shape(), values);
  return judged(bench, capture);
}

TEST(Diagnosis, AChannelOnTheLastAxisIsNoLane) {
  const Diagnosis found = first_of(
      of_changed_recording([](float y, std::int64_t c) { return c == 7 ? 1.25F * y : y; }), 0);
  EXPECT_EQ(found.label, "one_channel") << found.evidence;
  EXPECT_NE(found.evidence.find("index 7 of 48 along the last axis"), std::string::npos)
      << found.evidence;
}

/// A product with 10 features, or a convolution of 10 channels with a bias; the weights of feature 3
/// are `factor` times as large as they should be.
Graph of_ten_features(const Shape& x_shape, float factor) {
  constexpr std::int64_t features = 10, wrong = 3;
  GraphBuilder graph("ten features");
  const TensorId x = graph.add_input("x", {Type::float32, x_shape});
  const bool image = x_shape.size() == 4;
  const std::int64_t in = image ? x_shape[1] : x_shape.back();
  const Shape shape = image ? Shape{features, in, 3, 3} : Shape{in, features};
  const Tensor drawn = filled({Type::float32, shape}, Fill::real, 3);
  std::vector<float> w(drawn.values<float>().begin(), drawn.values<float>().end());
  for (std::size_t k = 0; k < w.size(); ++k) {
    const auto at = static_cast<std::int64_t>(k);
    if ((image ? at / (in * 9) : at % features) == wrong) w[k] *= factor;
  }
  Conv2d conv;
  conv.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  const std::optional<Tensor> weights = Tensor::of<float>(shape, std::move(w));
  const std::optional<Tensor> bias = filled({Type::float32, {features}}, Fill::real, 4);
  graph.add_output(image ? graph.add_step(conv, {x}, {weights, bias}, "/0/Conv", {"y"}, "Conv")[0]
                         : graph.add_step(MatMul{}, {x}, {weights, std::nullopt}, "/0/MatMul",
                                          {"y"}, "MatMul")[0]);
  return graph.finish();
}

TEST(Diagnosis, OtherWeightsOfOneFeatureAreNoBumpOfAnElement) {
  for (const Shape& shape :
       {Shape{1, 20}, Shape{7, 20}, Shape{1, 5, 20}, Shape{1, 4, 6, 6}, Shape{1, 4, 1, 1}}) {
    SCOPED_TRACE(to_string(shape));
    Bench right(of_ten_features(shape, 1)), wrong(of_ten_features(shape, 1.01F));
    const Diagnosis found = first_of(judged(right, recorded(wrong, fp32())), 0);
    EXPECT_EQ(found.label, "channel_scaled") << found.evidence;
    for (const char* part : {"channel 3 of 10", "weights"})
      EXPECT_NE(found.evidence.find(part), std::string::npos) << found.evidence;
  }
}

TEST(Diagnosis, AFeatureOfOneElementWithTheBitsOfAnotherWasReplaced) {
  Bench bench(of_ten_features({1, 20}, 1));
  const Diagnosis found =
      first_of(bench.run(fp32(), fp32(), Injection{0, Bug::channel_replaced, 1}), 0);
  EXPECT_EQ(found.label, "channel_replaced") << found.evidence;
  EXPECT_EQ(found.proof, Proof::bits);
}

TEST(Diagnosis, AnElementThatMovedAloneIsABumpUpToWhatRoundingsMake) {
  Bench bench(small_net());
  const std::pair<double, const char*> moved[] = {{1, "ulp_bumped"},
                                                  {3, "ulp_bumped"},
                                                  {5, "element_moved"},
                                                  {1166, "element_moved"},
                                                  {70000, "element_moved"}};
  for (const auto& [ulp, label] : moved) {
    const Diagnosis found =
        first_of(bench.run(fp32(), fp32(), Injection{1, Bug::ulp_bumped, ulp}), 1);
    EXPECT_EQ(found.label, label) << found.evidence;
    EXPECT_EQ(found.proof, Proof::bits);
  }
}

/// Three images through one convolution, whose output another program changed.
Diagnosis of_changed_batch(const std::function<void(std::vector<float>&, std::size_t)>& change) {
  GraphBuilder graph("batch");
  const TensorId x = graph.add_input("x", {Type::float32, {3, 4, 5, 7}});
  graph.add_output(add_conv(graph, x, 6, "/0/Conv", "y", 1));
  Bench bench(graph.finish());
  Capture capture = recorded(bench, fp32());
  Tensor& y = capture.tensors.back().second;
  std::vector<float> values(y.values<float>().begin(), y.values<float>().end());
  change(values, values.size() / 3);
  y = Tensor::of<float>(y.shape(), values);
  return first_of(judged(bench, capture), 0);
}

TEST(Diagnosis, AnItemOfTheBatchThatHoldsAnotherOnesValuesIsNoWrappedIndex) {
  for (const auto& [to, from] : {std::pair{1, 0}, {2, 0}, {0, 2}, {2, 1}}) {
    SCOPED_TRACE(std::to_string(to) + " holds " + std::to_string(from));
    const Diagnosis found = of_changed_batch([&, item = to, of = from](auto& y, std::size_t each) {
      std::copy_n(y.begin() + static_cast<std::ptrdiff_t>(of * each), each,
                  y.begin() + static_cast<std::ptrdiff_t>(item * each));
    });
    EXPECT_EQ(found.label, "batch_item_repeated") << found.evidence;
    EXPECT_NE(found.evidence.find("item " + std::to_string(to) + " of the capture is item " +
                                  std::to_string(from)),
              std::string::npos)
        << found.evidence;
  }
  const Diagnosis wrapped = of_changed_batch([](auto& y, std::size_t each) {
    std::copy_n(y.begin(), each / 2, y.begin() + static_cast<std::ptrdiff_t>(5 * each / 2));
  });
  EXPECT_EQ(wrapped.label, "index_overflow") << wrapped.evidence;
}

TEST(Diagnosis, ARowThatIsAnItemOfTheBatchIsCalledByBothNames) {
  Bench bench(of_ten_features({2, 20}, 1));
  const RunRecord record = bench.run(fp32(), fp32(), Injection{0, Bug::stale_buffer, 1});
  EXPECT_EQ(first_of(record, 0).label, "stale_buffer");
  ASSERT_EQ(record.stages[0].diagnoses.size(), 2U);
  EXPECT_EQ(record.stages[0].diagnoses[1].label, "batch_item_repeated");
}

TEST(Diagnosis, AConstantThatWasAddedIsNoScale) {
  const Diagnosis found =
      first_of(of_changed_recording([](float y, std::int64_t) { return y + 0.5F; }), 0);
  EXPECT_EQ(found.label, "shifted") << found.evidence;
}

TEST(Diagnosis, DrawsTheBoxAroundTheWorst) {
  Bench bench(small_net());
  const RunRecord record = bench.run(fp32(), fp32(), Injection{1, Bug::channel_scaled, 0.125, 3});
  const StageResult& stage = record.stages[1];
  const Diagnosis found = first_of(record, 1);
  EXPECT_EQ(found.label, "channel_scaled");
  ASSERT_EQ(found.box_first.size(), 4u);
  EXPECT_EQ(found.box_first[1], found.box_last[1]);
  // The worst element lies in the box.
  std::int64_t index = stage.introduced->worst->index;
  const Shape shape = bench.stages[1].output_types[0].shape;
  for (std::size_t axis = 4; axis-- > 0;) {
    const std::int64_t at = index % shape[axis];
    index /= shape[axis];
    EXPECT_LE(found.box_first[axis], at);
    EXPECT_GE(found.box_last[axis], at);
  }
}

TEST(Diagnosis, ExaminesTheSideThatIsBlamed) {
  Bench bench(small_net());
  const std::unique_ptr<Backend> faulty = inject(bench.cpu, {1, Bug::kernel_flipped});
  const Plan plan_a = make_plan(bench.stages, fp32(), bench.cpu, "a"),
             plan_b = make_plan(bench.stages, tf32(Arch::sm_90), bench.cpu, "b");
  const RunRecord record = diff({.graph = bench.graph,
                                 .stages = bench.stages,
                                 .a = {*faulty, plan_a, bench.execution},
                                 .b = {bench.cpu, plan_b, bench.execution},
                                 .referee = {bench.cpu, bench.cpu, bench.execution},
                                 .inputs = bench.inputs});
  EXPECT_EQ(record.stages[1].blame, Blame::a);
  const Diagnosis found = first_of(record, 1);
  EXPECT_EQ(found.label, "kernel_flipped");
  EXPECT_NE(found.evidence.find("gives a bit for bit"), std::string::npos) << found.evidence;
}

TEST(Diagnosis, OfALargeStageStartsWithAFewElements) {
  // 3 x 3 x 64 x 64 x 40 x 40: above the limit at which whole stages are tried.
  GraphBuilder graph("large");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 64, 40, 40}});
  const TensorId z = add_conv(graph, x, 64, "/0/Conv", "z", 1);
  graph.add_output(
      add_relu(graph, add_norm(graph, z, "/0/BatchNormalization", "n", 2), "/0/Relu", "y"));
  Bench bench(graph.finish());
  EXPECT_GT(bench.stages[0].macs, 50'000'000);
  const Diagnosis found =
      first_of(bench.run(fp32(), fp32(), Injection{0, Bug::kernel_axes_swapped}), 0);
  EXPECT_EQ(found.label, "kernel_axes_swapped");
  EXPECT_EQ(found.proof, Proof::bits);
}

TEST(Diagnosis, SaysNothingWhereNothingDiffers) {
  Bench bench(small_net());
  for (const StageResult& stage : bench.run(fp32(), tf32(Arch::sm_90)).stages)
    EXPECT_TRUE(stage.diagnoses.empty()) << stage.name;
}

}  // namespace
}  // namespace parity
