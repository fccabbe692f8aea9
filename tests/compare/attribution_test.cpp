#include "compare/attribution.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "compare/capture.hpp"
#include "compare/forwarding.hpp"
#include "compare/misread.hpp"
#include "tests/compare/recorded.hpp"

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

TEST(Attribution, AProvedFaultStandsInTheWaterfall) {
  Bench bench(small_net());
  const Injection fault{2, Bug::kernel_axes_swapped};
  for (const char* b : {"fp32", "sm_90"}) {
    const RunRecord record = attributed(bench, named("fp32"), named(b), fault);
    const Attribution& attribution = *record.stages[2].attribution;
    EXPECT_EQ(largest(attribution), Cause::fault) << b;
    EXPECT_EQ(attribution.causes.back().what, "fault: kernel axes swapped");
    EXPECT_NE(attribution.certificate.find("kernel axes swapped"), std::string::npos);
    expect_whole(attribution);
  }
}

TEST(Attribution, WhereAIsWrongItsFaultIsTheCause) {
  Bench bench(small_net());
  const std::unique_ptr<Backend> faulty = inject(bench.cpu, {2, Bug::kernel_axes_swapped});
  const Plan plan_a = make_plan(bench.stages, named("fp32"), *faulty, "a");
  for (const char* b : {"fp32", "sm_90"}) {
    SCOPED_TRACE(b);
    const Plan plan_b = make_plan(bench.stages, named(b), bench.cpu, "b");
    const RunRecord record = diff({.graph = bench.graph,
                                   .stages = bench.stages,
                                   .a = {*faulty, plan_a, bench.execution},
                                   .b = {bench.cpu, plan_b, bench.execution},
                                   .referee = {bench.cpu, bench.cpu, bench.execution},
                                   .inputs = bench.inputs,
                                   .attribute = attribute_all});
    ASSERT_EQ(record.stages[2].blame, Blame::a);
    const Attribution& attribution = *record.stages[2].attribution;
    EXPECT_EQ(largest(attribution), Cause::fault);
    EXPECT_EQ(attribution.causes.front().what, "fault of a: kernel axes swapped");
    EXPECT_EQ(attribution.certificate, record.stages[2].contract_b) << "b is what it says";
    for (const CauseShare& share : attribution.causes) EXPECT_NE(share.cause, Cause::rest);
    expect_whole(attribution);
  }
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

TEST(Attribution, OfACaptureFindsTheArithmeticThatMadeIt) {
  Bench bench(small_net());
  for (const auto& [spec, cause] :
       {std::pair{"sm_90", Cause::operand_rounding},
        std::pair{"sm_90/truncate", Cause::operand_rounding}, std::pair{"eigen", Cause::order},
        std::pair{"folded", Cause::batch_norm}, std::pair{"exact", Cause::order}}) {
    SCOPED_TRACE(spec);
    const Capture capture = recorded(bench, named(spec));
    const bool tensor = std::string(spec).starts_with("sm_");
    const RunRecord record =
        judged(bench, capture, tensor ? named(spec) : fp32(), fp32(), {.attribute = attribute_all});
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

/// A convolution 3x3 with pad 1, BatchNorm and ReLU summed as some other library might; written apart
/// from the product, whose emulators it tries.
struct Foreign {
  const char* text;
  bool channels_first;  ///< (c, r, s), else (r, s, c)
  std::int64_t chunk;   ///< 0: none
  std::int64_t lanes;   ///< 1: none
  bool fused;

  friend std::ostream& operator<<(std::ostream& out, const Foreign& how) { return out << how.text; }
};

Tensor computed(const Foreign& how, const Stage& stage, const Tensor& input) {
  const Tensor& weights = *stage.steps[0].parameters[0];
  const std::int64_t OC = weights.shape()[0], IC = weights.shape()[1], H = input.shape()[2],
                     W = input.shape()[3];
  const auto x = input.values<float>(), w = weights.values<float>();
  const ScaleShift norm =
      scale_shift(std::get<BatchNorm>(*stage.steps[1].op), stage.steps[1].parameters);
  std::vector<float> y;
  for (std::int64_t oc = 0; oc < OC; ++oc)
    for (std::int64_t oh = 0; oh < H; ++oh)
      for (std::int64_t ow = 0; ow < W; ++ow) {
        std::vector<std::pair<float, float>> terms;
        for (std::int64_t k = 0; k < 9 * IC; ++k) {
          const std::int64_t c = how.channels_first ? k / 9 : k % IC,
                             tap = how.channels_first ? k % 9 : k / IC;
          const std::int64_t ih = oh + tap / 3 - 1, iw = ow + tap % 3 - 1;
          const bool inside = ih >= 0 && ih < H && iw >= 0 && iw < W;
          terms.emplace_back(inside ? x[static_cast<std::size_t>((c * H + ih) * W + iw)] : 0.0F,
                             w[static_cast<std::size_t>((oc * IC + c) * 9 + tap)]);
        }
        const auto n = static_cast<std::int64_t>(terms.size());
        const std::int64_t chunk = how.chunk == 0 ? n : how.chunk;
        float total = 0;
        for (std::int64_t first = 0; first < n; first += chunk) {
          std::vector<float> sums(static_cast<std::size_t>(how.lanes), 0.0F);
          for (std::int64_t k = first; k < std::min(n, first + chunk); ++k) {
            const auto& [a, b] = terms[static_cast<std::size_t>(k)];
            float& sum = sums[static_cast<std::size_t>(k % how.lanes)];
            const float product = a * b;
            sum = how.fused ? std::fma(a, b, sum) : sum + product;
          }
          for (std::size_t d = sums.size() / 2; d > 0; d /= 2)
            for (std::size_t l = 0; l < d; ++l) sums[l] += sums[l + d];
          total += sums[0];
        }
        const auto o = static_cast<std::size_t>(oc);
        const float z = std::fma(total, norm.s[o], norm.t[o]);
        y.push_back(z > 0 ? z : 0.0F);
      }
  return Tensor::of({1, OC, H, W}, std::move(y));
}

class ForeignOrder : public testing::TestWithParam<Foreign> {};

TEST_P(ForeignOrder, IsNamedAndCertifiedOnEveryElement) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  const Stage& stage = bench.stages[1];  // body.0, 16 channels: 144 terms
  capture.tensors[1].second = computed(GetParam(), stage, capture.tensors[0].second);
  const RunRecord record = judged(bench, capture, fp32(), fp32(), {.attribute = attribute_all});
  const StageResult& judged = record.stages[1];
  ASSERT_EQ(judged.verdict, Verdict::within_bound) << judged.reason;
  ASSERT_TRUE(judged.attribution);
  EXPECT_EQ(judged.attribution->certificate, GetParam().text);
  EXPECT_EQ(largest(*judged.attribution), Cause::order);
  expect_whole(*judged.attribution);
}
INSTANTIATE_TEST_SUITE_P(
    Orders, ForeignOrder,
    testing::Values(
        Foreign{"one chain over (c, r, s)", true, 0, 1, true},
        Foreign{"one chain over (c, r, s), products rounded first", true, 0, 1, false},
        Foreign{"chains of 4 terms over (c, r, s), added in order, products rounded first", true, 4,
                1, false},
        Foreign{"chains of 64 terms over (c, r, s), added in order", true, 64, 1, true},
        Foreign{"chains of 128 terms over (r, s, c), added in order", false, 128, 1, true},
        Foreign{"2 equal splits over (c, r, s), added in order", true, 72, 1, true},
        Foreign{"4 equal splits over (r, s, c), added in order, products rounded first", false, 36,
                1, false},
        Foreign{"8 interleaved lanes over (c, r, s), added pairwise", true, 0, 8, true}),
    [](const auto& info) { return "order" + std::to_string(info.index); });

/// y as another program recorded it, of a network of one stage on bench's input; the stage's waterfall.
Attribution of_recording(Bench& bench, const Tensor& y) {
  const Capture capture{"other.npz", {{bench.stages[0].output_names[0], y}}};
  const RunRecord record = judged(bench, capture, fp32(), fp32(), {.attribute = attribute_all});
  EXPECT_EQ(record.stages[0].verdict, Verdict::within_bound) << record.stages[0].reason;
  EXPECT_TRUE(record.stages[0].attribution);
  return record.stages[0].attribution.value_or(Attribution{});
}

/// A transposed convolution as a matrix product per tap, whose rows are added where they fall.
struct Scattered {
  std::int64_t kernel, stride, pad;
  const char* text;
};

TEST(Attribution, ATransposedConvolutionIsSummedTapByTap) {
  constexpr std::int64_t IC = 70, OC = 6, IH = 5, IW = 7;
  for (const Scattered& how :
       {Scattered{2, 2, 0, "chains of 64 terms over (r, s, c), added in order"},
        Scattered{4, 2, 1, "chains of 70 terms over (r, s, c), added in order"}}) {
    SCOPED_TRACE(how.text);
    const std::int64_t taps = how.kernel * how.kernel,
                       OH = (IH - 1) * how.stride + how.kernel - 2 * how.pad,
                       OW = (IW - 1) * how.stride + how.kernel - 2 * how.pad;
    GraphBuilder graph("scattered");
    const TensorId x = graph.add_input("x", {Type::float32, {1, IC, IH, IW}});
    const Tensor w = filled({Type::float32, {IC, OC, how.kernel, how.kernel}}, Fill::real, 3);
    ConvTranspose2d op;
    op.window.kernel = {how.kernel, how.kernel};
    op.window.stride = {how.stride, how.stride};
    op.window.pad_begin = op.window.pad_end = {how.pad, how.pad};
    graph.add_output(
        graph.add_step(op, {x}, {w, std::nullopt}, "/up/ConvTranspose", {"y"}, "ConvTranspose")[0]);
    Bench bench(graph.finish());
    const auto from = bench.inputs[0].values<float>(), by = w.values<float>();
    // Where taps meet, each tap's sum is one chain; where none do, chains of 64 channels are added.
    const std::int64_t chunk = how.kernel > how.stride ? IC : 64;
    std::vector<float> y(static_cast<std::size_t>(OC * OH * OW), 0.0F);
    for (std::int64_t oc = 0; oc < OC; ++oc)
      for (std::int64_t tap = 0; tap < taps; ++tap)
        for (std::int64_t ih = 0; ih < IH; ++ih)
          for (std::int64_t iw = 0; iw < IW; ++iw) {
            const std::int64_t oh = ih * how.stride + tap / how.kernel - how.pad,
                               ow = iw * how.stride + tap % how.kernel - how.pad;
            if (oh < 0 || oh >= OH || ow < 0 || ow >= OW) continue;
            float total = 0;
            for (std::int64_t first = 0; first < IC; first += chunk) {
              float part = 0;
              for (std::int64_t c = first; c < std::min(IC, first + chunk); ++c)
                part = std::fma(from[static_cast<std::size_t>((c * IH + ih) * IW + iw)],
                                by[static_cast<std::size_t>((c * OC + oc) * taps + tap)], part);
              total += part;
            }
            y[static_cast<std::size_t>((oc * OH + oh) * OW + ow)] += total;
          }
    const Attribution attribution = of_recording(bench, Tensor::of({1, OC, OH, OW}, std::move(y)));
    EXPECT_EQ(attribution.certificate, how.text);
    expect_whole(attribution);
  }
}

TEST(Attribution, AProductOfManyItemsIsSummedByRowsOfItsLastAxis) {
  constexpr std::int64_t items = 6, K = 100, C = 16;
  GraphBuilder graph("product");
  const TensorId x = graph.add_input("x", {Type::float32, {2, 3, K}});
  const Tensor w = filled({Type::float32, {K, C}}, Fill::real, 3),
               bias = filled({Type::float32, {1, 1, C}}, Fill::real, 4);
  const TensorId z =
      graph.add_step(MatMul{}, {x}, {w, std::nullopt}, "/p/MatMul", {"z"}, "MatMul")[0];
  graph.add_output(
      graph.add_step(Binary{Binary::Function::add}, {z}, {bias}, "/p/Add", {"y"}, "Add")[0]);
  Bench bench(graph.finish());
  ASSERT_EQ(bench.stages.size(), 1U);
  const auto from = bench.inputs[0].values<float>(), by = w.values<float>(),
             shift = bias.values<float>();
  std::vector<float> y;
  for (std::int64_t i = 0; i < items; ++i)
    for (std::int64_t c = 0; c < C; ++c) {
      float total = 0;
      for (std::int64_t first = 0; first < K; first += 64) {
        float part = 0;
        for (std::int64_t k = first; k < std::min(K, first + 64); ++k)
          part = std::fma(from[static_cast<std::size_t>(i * K + k)],
                          by[static_cast<std::size_t>(k * C + c)], part);
        total += part;
      }
      y.push_back(total + shift[static_cast<std::size_t>(c)]);
    }
  const Attribution attribution = of_recording(bench, Tensor::of({2, 3, C}, std::move(y)));
  EXPECT_EQ(attribution.certificate, "chains of 64 terms over (k), added in order");
  expect_whole(attribution);
}

TEST(Attribution, WhereOneStepAloneRoundsTheRestIsHowItWasComputed) {
  const auto alone = [](const Op& op, const std::string& type) {
    GraphBuilder graph(type);
    const TensorId x = graph.add_input("x", {Type::float32, {1, 4, 9, 11}});
    graph.add_output(graph.add_step(op, {x}, {}, "/0/" + type, {"y"}, type)[0]);
    return graph.finish();
  };
  Bench sigmoid(alone(Unary{EpilogueKind::sigmoid}, "Sigmoid"));
  std::vector<float> y;
  for (const float value : sigmoid.inputs[0].values<float>()) {
    const float e = std::exp(-value), sum = 1 + e;
    y.push_back(1 / sum);
  }
  const Attribution function = of_recording(sigmoid, Tensor::of({1, 4, 9, 11}, std::move(y)));
  EXPECT_EQ(largest(function), Cause::function);
  expect_whole(function);

  Bench mean(
      alone(Reduce{Reduce::Function::mean, {2, 3}, Reduce::Axes::kept}, "GlobalAveragePool"));
  const auto x = mean.inputs[0].values<float>();
  std::vector<float> means;
  for (std::size_t c = 0; c < 4; ++c) {
    float sum = 0;
    for (std::size_t i = 0; i < 99; ++i) sum += x[c * 99 + i];
    means.push_back(sum / 99);
  }
  const Attribution order = of_recording(mean, Tensor::of({1, 4, 1, 1}, std::move(means)));
  EXPECT_EQ(largest(order), Cause::order);
  expect_whole(order);
}

TEST(Attribution, AnotherSigmoidIsItsOwnClause) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  const PlannedStage before =
      prefix_of(plan.stages.back(), plan.stages.back().stage.steps.size() - 1);
  const std::size_t last = capture.tensors.size() - 1;
  const Value x = bench.cpu.upload(capture.tensors[last - 1].second, bench.execution);
  const Tensor z = bench.cpu.download(
      bench.cpu.run(before, {&x, 1}, Reading::values, bench.execution)[0], bench.execution);
  std::vector<float> y;
  for (const float value : z.values<float>())
    y.push_back(static_cast<float>(1 / (1 + std::exp(-static_cast<double>(value)))));
  capture.tensors[last].second = Tensor::of(z.shape(), std::move(y));
  const RunRecord record = judged(bench, capture, fp32(), fp32(), {.attribute = attribute_all});
  ASSERT_TRUE(record.stages.back().attribution);
  const Attribution& attribution = *record.stages.back().attribution;
  EXPECT_EQ(attribution.certificate,
            plan.stages.back().contract_text() + " with Sigmoid rounded once");
  EXPECT_EQ(largest(attribution), Cause::function);
  expect_whole(attribution);
}

}  // namespace
}  // namespace parity
