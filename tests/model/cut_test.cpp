#include <cmath>

#include "model/graph.hpp"
#include "tests/model/small_graph.hpp"

namespace parity {
namespace {

std::vector<std::string> names_of(const std::vector<Stage>& stages) {
  std::vector<std::string> names;
  for (const Stage& stage : stages) names.push_back(stage.name);
  return names;
}

TEST(Cut, AStageIsOneHeadAndWhatRidesOnIt) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  TensorId y = add_conv(builder, x, 4, "/blocks/blocks.0/blocks.0.0/Conv", "c0", 1);
  y = add_norm(builder, y, "/blocks/blocks.0/blocks.0.1/BatchNormalization", "n0", 2);
  y = add_relu(builder, y, "/blocks/blocks.0/blocks.0.2/Relu", "r0");
  y = add_conv(builder, y, 4, "/blocks/blocks.0/blocks.0.3/Conv", "c1", 3);
  builder.add_output(y);
  const Graph graph = builder.finish();
  const std::vector<Stage> stages = cut(graph);
  EXPECT_EQ(names_of(stages), (std::vector<std::string>{"blocks.0.0", "blocks.0.3"}));
  ASSERT_EQ(stages[0].steps.size(), 3U);
  EXPECT_EQ(stages[0].block, "blocks.0");
  EXPECT_EQ(stages[0].output_names, (std::vector<std::string>{"r0"}));
  EXPECT_EQ(stages[1].inputs, stages[0].outputs);
  EXPECT_EQ(stages[0].macs, 4 * 8 * 8 * 3 * 9);
}

TEST(Cut, AValueWithTwoConsumersOrAGraphOutputEndsItsStage) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  const TensorId c = add_conv(builder, x, 4, "/a/Conv", "c", 1);
  const TensorId r1 = add_relu(builder, c, "/b/Relu", "r1");
  const TensorId r2 = add_relu(builder, c, "/c/Relu", "r2");
  const TensorId r3 = add_relu(builder, r2, "/d/Relu", "r3");
  builder.add_output(r1);
  builder.add_output(r2);
  builder.add_output(r3);
  EXPECT_EQ(names_of(cut(builder.finish())), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(Cut, NamesComeFromTheExportersPath) {
  GraphBuilder builder("net");
  TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  x = add_conv(builder, x, 3, "/layer1/layer1.0/conv1/Conv", "a", 1);
  x = add_conv(builder, x, 3, "Conv_12", "b", 2);
  x = add_conv(builder, x, 3, "", "c", 3);
  x = add_conv(builder, x, 3, "/layer1/layer1.0/conv1/Conv_1", "d", 4);
  x = add_conv(builder, x, 3, "/neck/deblocks/deblocks.0/deblocks.0.0/Conv", "e", 5);
  builder.add_output(x);
  const std::vector<Stage> stages = cut(builder.finish());
  EXPECT_EQ(names_of(stages), (std::vector<std::string>{"layer1.0.conv1", "Conv_12", "Conv@c",
                                                        "layer1.0.conv1#2", "neck.deblocks.0.0"}));
  EXPECT_EQ(stages[0].block, "layer1");
  EXPECT_EQ(stages[4].block, "neck.deblocks.0");
}

TEST(Cut, KeptAndFoldedExportsCutAlike) {
  const auto stages = [](bool kept) {
    GraphBuilder builder("net");
    TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
    for (int i = 0; i < 3; ++i) {
      const std::string n = std::to_string(i);
      x = add_conv(builder, x, 4, "/b/b." + n + "/Conv", "c" + n, 1);
      if (kept) x = add_norm(builder, x, "/b/b." + n + "/BatchNormalization", "n" + n, 2);
      x = add_relu(builder, x, "/b/b." + n + "/Relu", "r" + n);
    }
    builder.add_output(x);
    return names_of(cut(builder.finish()));
  };
  EXPECT_EQ(stages(true), stages(false));
}

/// The tail of a network as exporters write GELU (the erf form) or a norm's square root.
std::vector<std::string> stages_of_tail(const std::vector<Unary>& functions) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  TensorId y = add_conv(builder, x, 4, "/conv/Conv", "c", 1);
  const Tensor two = Tensor::of<float>({}, {2});
  for (const Unary& function : functions) {
    const std::string name(function.kind());
    y = builder.add_step(Binary{Binary::Function::div}, {y}, {two}, "/d" + name, {"d" + name})
            .front();
    y = builder.add_step(function, {y}, {}, "/" + name, {"t" + name}).front();
    y = builder
            .add_step(Binary{Binary::Function::sub, Binary::Side::left}, {y}, {two}, "/s" + name,
                      {"s" + name})
            .front();
  }
  builder.add_output(y);
  return names_of(cut(builder.finish()));
}

TEST(Cut, AFunctionWithALargestSlopeRidesAndOneWithoutHeadsItsStage) {
  EXPECT_EQ(stages_of_tail({{EpilogueKind::erf}, {EpilogueKind::tanh}, {EpilogueKind::gelu}}),
            std::vector<std::string>{"conv"});
  EXPECT_EQ(stages_of_tail({{EpilogueKind::sqrt}, {EpilogueKind::sin}, {EpilogueKind::exp}}),
            (std::vector<std::string>{"conv", "Sqrt", "Exp"}));
}

TEST(PartOf, KeepsWhatLiesBetween) {
  GraphBuilder builder("net");
  TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  for (const char* name : {"a", "b", "c", "d"})
    x = add_conv(builder, x, 3, name, std::string("t_") + name, 1);
  builder.add_output(x);
  const Graph graph = builder.finish();
  const Graph part = part_of(graph, "b", "t_c");
  EXPECT_EQ(names_of(cut(part)), (std::vector<std::string>{"b", "c"}));
  ASSERT_EQ(part.inputs.size(), 1U);
  EXPECT_EQ(part.tensor(part.inputs[0]).name, "t_a");
  EXPECT_EQ(part.tensor(part.outputs[0]).name, "t_c");
  EXPECT_THROW(part_of(graph, "c", "b"), Error);
  try {
    (void)part_of(graph, "", "t_x");
    FAIL() << "an unknown tensor was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.fault(), Fault::bad_request);
    EXPECT_NE(std::string(e.what()).find("did you mean 't_"), std::string::npos) << e.what();
  }
}

TEST(PartOf, LeavesOutOutputsThatDoNotDependOnItsBeginning) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  const TensorId trunk = add_conv(builder, x, 3, "trunk", "t", 1);
  builder.add_output(add_conv(builder, trunk, 3, "left", "l", 1));
  builder.add_output(add_conv(builder, x, 3, "right", "r", 1));
  const Graph graph = builder.finish();
  const Graph part = part_of(graph, "left", "");
  EXPECT_EQ(names_of(cut(part)), std::vector<std::string>{"left"});
  ASSERT_EQ(part.inputs.size(), 1U);
  EXPECT_EQ(part.tensor(part.inputs[0]).name, "t");  // and not x, which only `right` reads
  ASSERT_EQ(part.outputs.size(), 1U);
  ASSERT_EQ(part.notes.size(), 1U);
  EXPECT_NE(part.notes[0].find("output 'r' does not depend on --from left"), std::string::npos);
  for (const auto& [from, until] : {std::pair("left", "trunk"), {"left", "right"}, {"l", ""}}) try {
      (void)part_of(graph, from, until);
      ADD_FAILURE() << "something lies between " << from << " and " << until;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_request) << error.what();
    }
}

TEST(GraphBuilder, DropsWhatNobodyReadsAndLintsWeights) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3, 8, 8}});
  const TensorId kept = add_conv(builder, x, 3, "kept", "k", 1);
  (void)add_conv(builder, x, 3, "dead", "d", 1);
  Tensor nan = Tensor::of<float>({3, 3, 1, 1}, {0, 0, 0, 0, std::nanf(""), 0, 0, 0, 0});
  const TensorId sick =
      builder.add_step(Conv2d{}, {kept}, {nan, std::nullopt}, "sick", {"s"}, "Conv").front();
  builder.add_output(sick);
  const Graph graph = builder.finish();
  EXPECT_EQ(graph.steps.size(), 2U);
  ASSERT_EQ(graph.lints.size(), 1U);
  EXPECT_NE(graph.lints[0].find("'sick'"), std::string::npos) << graph.lints[0];
}

}  // namespace
}  // namespace parity
