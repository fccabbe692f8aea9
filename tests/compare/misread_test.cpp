#include "compare/misread.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "model/arithmetic/half.hpp"
#include "tests/compare/named_faults.hpp"

// Misreadings of one op each: seated with every amount, named and proved.

namespace parity {
namespace {

Tensor drawn(Shape shape, std::uint64_t seed) {
  return filled({Type::float32, std::move(shape)}, Fill::real, seed);
}

/// One op on x, and a Relu behind it.
Graph of_one(const Op& op, const Shape& x_shape, std::vector<std::optional<Tensor>> parameters,
             const std::string& type) {
  GraphBuilder graph(type);
  const TensorId x = graph.add_input("x", {Type::float32, x_shape});
  const TensorId z =
      graph.add_step(op, {x}, std::move(parameters), "/0/" + type, {"z"}, type).front();
  graph.add_output(add_relu(graph, z, "/0/Relu", "y"));
  return graph.finish();
}

Graph dilated(SlidingWindow window, const Shape& x_shape) {
  Shape weights = {7, x_shape[1], window.kernel[0], window.kernel[1]};
  if (x_shape.size() == 3) weights.erase(weights.begin() + 2);
  return of_one(Conv2d{1, window}, x_shape, {drawn(weights, 3), drawn({7}, 4)}, "Conv");
}

TEST(Misread, DilationsTakenAsOne) {
  const std::pair<SlidingWindow, Shape> convolutions[] = {
      {{{3, 3}, {1, 1}, {2, 3}, {2, 3}, {2, 3}}, {2, 5, 9, 11}},
      {{{3, 3}, {2, 2}, {1, 2}, {1, 0}, {1, 0}}, {1, 5, 9, 11}},
      // Causal: all of the padding before the sequence.
      {{{1, 4}, {1, 1}, {1, 2}, {0, 6}, {0, 0}}, {2, 5, 17}}};
  constexpr Bug bugs[] = {Bug::dilation_ignored};
  for (const auto& [window, x] : convolutions) {
    SCOPED_TRACE(to_string(x));
    Bench bench(dilated(window, x));
    EXPECT_EQ(expect_named(bench, bugs), 2);
    EXPECT_NE(evidence_of(bench, {0, Bug::dilation_ignored, 0}).find("(under the same pads)"),
              std::string::npos);
  }
}

TEST(Misread, DilationsOfOneOrOfAKernelOfOneCannotBeIgnored) {
  for (const SlidingWindow& window : {SlidingWindow{{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
                                      SlidingWindow{{1, 1}, {1, 1}, {2, 2}, {0, 0}, {0, 0}}}) {
    Bench bench(dilated(window, {1, 5, 9, 11}));
    const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
    EXPECT_FALSE(applies({0, Bug::dilation_ignored}, plan.stages[0]));
  }
}

Graph resized(Resize op, double scale) {
  GraphBuilder graph("resize");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 3, 5, 6}});
  for (const std::int64_t axis : {2, 3}) {
    const std::int64_t extent = graph.type(x).shape[static_cast<std::size_t>(axis)];
    op.axes.push_back(
        {axis, static_cast<std::int64_t>(static_cast<double>(extent) * scale), scale});
  }
  graph.add_output(graph.add_step(op, {x}, {}, "/0/Resize", {"y"}, "Resize").front());
  return graph.finish();
}

TEST(Misread, ResizesInAnotherMode) {
  using Mode = Resize::Mode;
  using Coordinates = Resize::Coordinates;
  constexpr Bug bugs[] = {Bug::resize_interpolated};
  for (const Mode mode : {Mode::nearest, Mode::linear, Mode::cubic})
    for (const Coordinates coordinates :
         {Coordinates::half_pixel, Coordinates::asymmetric, Coordinates::align_corners})
      for (const double scale : {2.0, 2.5}) {
        SCOPED_TRACE(std::string(name(mode)) + " " + std::string(name(coordinates)) + " " +
                     std::to_string(scale));
        Bench bench(resized({mode, coordinates}, scale));
        // A recording of nearest is held to its bits, so that nothing else has a bound around it.
        Seating seating;
        if (mode == Mode::nearest) seating.against = {"fp32", "fp64"};
        EXPECT_GE(expect_named(bench, bugs, seating), 3);
        const RunRecord record =
            recorded_and_judged(bench, fp32(), Injection{0, Bug::resize_interpolated, 0});
        EXPECT_TRUE(labels_of(record, 0).starts_with("resize_interpolated"))
            << labels_of(record, 0);
      }
}

TEST(Misread, TheEvidenceSaysWhichWayOfResizing) {
  using Mode = Resize::Mode;
  const std::tuple<Mode, double, const char*> told[] = {
      {Mode::linear, 0, "(nearest, half_pixel, round_prefer_floor for linear, half_pixel)"},
      {Mode::nearest, 0, "(linear, half_pixel for nearest, half_pixel, round_prefer_floor)"},
      {Mode::cubic, 0, "for cubic, half_pixel, -0.75)"}};
  for (const auto& [mode, amount, words] : told) {
    Bench bench(resized({mode}, 2));
    const std::string evidence = evidence_of(bench, {0, Bug::resize_interpolated, amount});
    EXPECT_NE(evidence.find(words), std::string::npos) << evidence;
    EXPECT_NE(evidence.find("bit for bit"), std::string::npos) << evidence;
  }
}

/// The products of the lab, each with a bias.
std::vector<Graph> products_with_bias() {
  SlidingWindow window{{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  std::vector<Graph> graphs;
  graphs.push_back(
      of_one(Conv2d{3, window}, {2, 6, 7, 8}, {drawn({9, 2, 3, 3}, 3), drawn({9}, 4)}, "Conv"));
  ConvTranspose2d transposed;
  transposed.group = 2;
  transposed.window = window;
  graphs.push_back(
      of_one(transposed, {2, 6, 7, 8}, {drawn({6, 4, 3, 3}, 5), drawn({8}, 6)}, "ConvTranspose"));
  MatMul gemm;
  gemm.addend = MatMul::Addend::parameter;
  gemm.right = MatMul::Stored::transposed;
  graphs.push_back(of_one(gemm, {4, 9}, {drawn({7, 9}, 7), drawn({7}, 8)}, "Gemm"));

  GraphBuilder graph("linear");
  const TensorId x = graph.add_input("x", {Type::float32, {2, 5, 9}});
  const TensorId z =
      graph.add_step(MatMul{}, {x}, {drawn({9, 7}, 9), std::nullopt}, "/0/MatMul", {"z"}, "MatMul")
          .front();
  graph.add_output(graph
                       .add_step(Binary{Binary::Function::add}, {z}, {drawn({1, 1, 7}, 10)},
                                 "/0/Add", {"y"}, "Add")
                       .front());
  graphs.push_back(graph.finish());
  return graphs;
}

TEST(Misread, BiasesOfEveryProduct) {
  constexpr Bug bugs[] = {Bug::bias_dropped, Bug::bias_misscaled, Bug::bias_misplaced};
  for (Graph& graph : products_with_bias()) {
    SCOPED_TRACE(graph.name);
    Bench bench(std::move(graph));
    EXPECT_EQ(expect_named(bench, bugs), 6);
    const std::tuple<Bug, double, const char*> told[] = {
        {Bug::bias_misscaled, 2, "added twice"},
        {Bug::bias_misscaled, 0.5, "added by half"},
        {Bug::bias_misscaled, -1, "with the other sign"},
        {Bug::bias_misplaced, 0, "the next one's"},
        {Bug::bias_misplaced, 1, "the previous one's"}};
    for (const auto& [bug, amount, words] : told)
      EXPECT_NE(evidence_of(bench, {0, bug, amount}).find(words), std::string::npos) << words;
  }
}

TEST(Misread, ABiasOfZerosCanBeReadInNoOtherWay) {
  SlidingWindow window{{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  const Tensor zeros = Tensor::of({7}, std::vector<float>(7, 0.0F));
  Bench bench(of_one(Conv2d{1, window}, {1, 5, 7, 8}, {drawn({7, 5, 3, 3}, 3), zeros}, "Conv"));
  const PlannedStage planned = make_plan(bench.stages, fp32(), bench.cpu, "b").stages[0];
  EXPECT_TRUE(amounts(Bug::bias_misscaled, planned).empty());
  EXPECT_TRUE(amounts(Bug::bias_misplaced, planned).empty());
}

/// One head of attention over a sequence of T items of d features, from keys and values that are computed.
Graph attention() {
  constexpr std::int64_t T = 7, d = 6;
  GraphBuilder graph("attention");
  const TensorId x = graph.add_input("x", {Type::float32, {2, T, d}});
  std::uint64_t seed = 30;
  const auto product = [&](const std::string& name) {
    return graph.add_step(MatMul{}, {x}, {drawn({d, d}, ++seed), std::nullopt},
                          "/" + name + "/MatMul", {name}, "MatMul")[0];
  };
  const TensorId q = product("q"), k = product("k"), v = product("v");
  const TensorId transposed = graph.add_step(Movement{Movement::Function::transpose, {0, 2, 1}},
                                             {k}, {}, "/k/Transpose", {"k.t"}, "Transpose")[0];
  MatMul of_values;
  of_values.constant = MatMul::Constant::neither;
  const TensorId scores = graph.add_step(of_values, {q, transposed}, {std::nullopt, std::nullopt},
                                         "/qk/MatMul", {"qk"}, "MatMul")[0];
  const TensorId scaled =
      graph.add_step(Binary{Binary::Function::div}, {scores}, {Tensor::of({}, std::vector{2.45F})},
                     "/qk/Div", {"qk.scaled"}, "Div")[0];
  const TensorId masked = graph.add_step(Binary{Binary::Function::add}, {scaled},
                                         {drawn({1, T, T}, 9)}, "/qk/Add", {"qk.masked"}, "Add")[0];
  const TensorId weights = graph.add_step(Softmax{Softmax::Function::softmax, 2}, {masked}, {},
                                          "/qk/Softmax", {"weights"}, "Softmax")[0];
  const TensorId y = graph.add_step(of_values, {weights, v}, {std::nullopt, std::nullopt},
                                    "/y/MatMul", {"y"}, "MatMul")[0];
  const TensorId back = graph.add_step(Movement{Movement::Function::transpose, {0, 2, 1}}, {y}, {},
                                       "/y/Transpose", {"y.t"}, "Transpose")[0];
  graph.add_output(graph.add_step(Movement{Movement::Function::reshape, {2, 3, T * d / 3}}, {back},
                                  {}, "/y/Reshape", {"out"}, "Reshape")[0]);
  return graph.finish();
}

TEST(Misread, ScaleMaskAndTransposesOfAttention) {
  constexpr Bug bugs[] = {Bug::constant_misapplied, Bug::transpose_dropped};
  Bench bench(attention());
  EXPECT_EQ(expect_named(bench, bugs), 6);
  int scores = 0;
  while (bench.stages.at(static_cast<std::size_t>(scores)).output_names[0] != "qk.masked") ++scores;
  const std::pair<double, const char*> told[] = {{0, "a constant is left out (/qk/Div)"},
                                                 {1, "a constant is applied twice (/qk/Div)"},
                                                 {2, "a constant is left out (/qk/Add)"},
                                                 {3, "a constant is applied twice (/qk/Add)"}};
  for (const auto& [amount, words] : told) {
    const std::string evidence = evidence_of(bench, {scores, Bug::constant_misapplied, amount});
    EXPECT_NE(evidence.find(words), std::string::npos) << evidence;
  }
}

TEST(Misread, WeightsStoredInANarrowerType) {
  constexpr Bug bugs[] = {Bug::weights_narrowed};
  for (Graph& graph : products_with_bias()) {
    SCOPED_TRACE(graph.name);
    Bench bench(std::move(graph));
    EXPECT_EQ(expect_named(bench, bugs), 6);
    EXPECT_NE(evidence_of(bench, {0, Bug::weights_narrowed, 0}).find("stored as bfloat16,"),
              std::string::npos);
  }
}

/// What the misreading makes of a stage's weights.
std::vector<float> narrowed_weights(Graph graph, double amount) {
  Bench bench(std::move(graph));
  const PlannedStage planned = make_plan(bench.stages, fp32(), bench.cpu, "b").stages[0];
  const Seat seat{planned, bench.cpu, {}, bench.execution};
  const Misread misread = misreading_of(Bug::weights_narrowed)->make(seat, amount);
  const auto values = misread.stage.stage.steps[0].parameters[0]->values<float>();
  return {values.begin(), values.end()};
}

TEST(Misread, Int8HasAScalePerOutputChannel) {
  // {O, I}, read transposed, and the same weights as {I, O}; powers of two, so that all is exact.
  const std::vector<float> rows = {127, 1.25F, -2.5F, 12.7F * 1.27F, 3, -127};
  MatMul product;
  product.right = MatMul::Stored::transposed;
  std::vector<float> expected = {127, 1, -2, 16, 3, -127};
  EXPECT_EQ(narrowed_weights(
                of_one(product, {4, 3}, {Tensor::of({2, 3}, rows), std::nullopt}, "MatMul"), 2),
            expected);
  std::vector<float> small = rows;
  for (std::size_t i = 3; i < 6; ++i) small[i] *= 0x1p-10F, expected[i] *= 0x1p-10F;
  EXPECT_EQ(narrowed_weights(
                of_one(product, {4, 3}, {Tensor::of({2, 3}, small), std::nullopt}, "MatMul"), 2),
            expected);
  std::vector<float> columns(6), of_columns(6);
  for (std::size_t o = 0; o < 2; ++o)
    for (std::size_t i = 0; i < 3; ++i) {
      columns[i * 2 + o] = small[o * 3 + i];
      of_columns[i * 2 + o] = expected[o * 3 + i];
    }
  EXPECT_EQ(narrowed_weights(
                of_one(MatMul{}, {4, 3}, {Tensor::of({3, 2}, columns), std::nullopt}, "MatMul"), 2),
            of_columns);
  // Over 127.5 the largest has 127.5 steps, of which 128 exist below zero and 127 above.
  EXPECT_EQ(narrowed_weights(of_one(product, {4, 3},
                                    {Tensor::of({2, 3}, std::vector<float>{127.5F, 1.25F, -2.5F,
                                                                           3.75F, 15.25F, -127.5F}),
                                     std::nullopt},
                                    "MatMul"),
                             4),
            (std::vector<float>{127, 1, -2, 4, 15, -128}));
  // By one scale the small ones vanish.
  EXPECT_EQ(narrowed_weights(
                of_one(product, {4, 3}, {Tensor::of({2, 3}, small), std::nullopt}, "MatMul"), 3),
            (std::vector<float>{127, 1, -2, 0, 0, 0}));
}

}  // namespace
}  // namespace parity
