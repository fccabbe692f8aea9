#include "model/onnx/import.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "model/ops.hpp"
#include "tests/onnx/model_maker.hpp"

namespace parity {
namespace {

Graph import(const std::string& bytes, const ImportOptions& options = {}) {
  return import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), "m.onnx", "", options);
}
Graph import(const ModelMaker& maker, const ImportOptions& options = {}) {
  return import(maker.bytes(), options);
}

/// Demands a refusal of the given kind whose sentence contains every fragment.
void expect_refused(const ModelMaker& maker, Fault fault, const std::vector<std::string>& fragments,
                    const ImportOptions& options = {}) {
  try {
    import(maker, options);
    ADD_FAILURE() << "was accepted, though it should say: " << fragments.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    for (const std::string& fragment : fragments)
      EXPECT_NE(std::string(error.what()).find(fragment), std::string::npos)
          << "lacks '" << fragment << "': " << error.what();
  }
}

bool contains(const std::vector<std::string>& sentences, const std::string& fragment) {
  for (const std::string& sentence : sentences)
    if (sentence.find(fragment) != std::string::npos) return true;
  return false;
}

std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> types;
  for (const Step& step : graph.steps) types.push_back(step.op_type);
  return types;
}

using Types = std::vector<std::string>;

// ---- what a model becomes

TEST(Import, ConvBatchNormReluBecomesOneStageNamedByItsModule) {
  const Graph graph = import(conv_block());
  EXPECT_EQ(op_types(graph), (Types{"Conv", "BatchNormalization", "Relu"}));
  const std::vector<Stage> stages = cut(graph);
  ASSERT_EQ(stages.size(), 1U);
  EXPECT_EQ(stages[0].name, "blocks.0.conv");
  EXPECT_EQ(to_string(stages[0].output_types[0].shape), "1x3x3x3");
  EXPECT_EQ(graph.opset, 13);
  EXPECT_EQ(graph.producer, "test");
}

TEST(Import, TheDigestIsOfTheFilesBytes) {
  ModelMaker maker = conv_block();
  const std::string first = import(maker).digest;
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(first, import(maker).digest);
  maker.graph().set_doc_string("another");
  EXPECT_NE(first, import(maker).digest);
}

TEST(Import, InitializersAmongTheInputsAreConstants) {
  ModelMaker maker = conv_block();
  maker.input("w", {3, 2, 3, 3});
  const Graph graph = import(maker);
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.tensor(graph.inputs[0]).name, "x");
}

TEST(Import, NodesOutOfOrderAreSortedAndItSaysSo) {
  ModelMaker maker = conv_block();
  maker.graph().mutable_node()->SwapElements(0, 2);
  const Graph graph = import(maker);
  EXPECT_EQ(op_types(graph), (Types{"Conv", "BatchNormalization", "Relu"}));
  EXPECT_TRUE(contains(graph.notes, "sorted"));
}

TEST(Import, AnOpenFirstExtentBecomesOneAndItSaysSo) {
  ModelMaker named;
  named.input("x", {-1, 3}).name_extent(0, "batch").node("Relu", {"x"}, {"y"});
  named.output("y");
  const Graph graph = import(named);
  EXPECT_EQ(to_string(graph.tensor(graph.inputs[0]).type.shape), "1x3");
  EXPECT_TRUE(contains(graph.notes, "'batch'"));

  ImportOptions options;
  options.dims["batch"] = 4;
  const Graph four = import(named, options);
  EXPECT_EQ(to_string(four.tensor(four.inputs[0]).type.shape), "4x3");

  ModelMaker unnamed;
  unnamed.input("x", {-1, 3}).node("Relu", {"x"}, {"y"});
  unnamed.output("y");
  EXPECT_TRUE(contains(import(unnamed).notes, "first extent of input 'x'"));
}

TEST(Import, OtherOpenExtentsAreAskedFor) {
  ModelMaker maker;
  maker.input("x", {1, 3, -1, -1}).name_extent(2, "height").node("Relu", {"x"}, {"y"});
  maker.output("y");
  expect_refused(maker, Fault::bad_request, {"1x3xheightx?", "--dim height=", "--shape x=1x3x"});
  ImportOptions options;
  options.shapes["x"] = {1, 3, 8, 9};
  const Graph by_shape = import(maker, options);
  EXPECT_EQ(to_string(by_shape.tensor(by_shape.inputs[0]).type.shape), "1x3x8x9");
  options.shapes.clear();
  options.bindings.emplace("x", Tensor::of<float>({1, 3, 2, 2}, std::vector<float>(12, 1.0F)));
  const Graph by_binding = import(maker, options);
  EXPECT_EQ(to_string(by_binding.tensor(by_binding.inputs[0]).type.shape), "1x3x2x2");
}

TEST(Import, OneNamedExtentHasOneValue) {
  ModelMaker maker;
  maker.input("a", {2, -1}).name_extent(1, "n").input("b", {2, -1}).name_extent(1, "n");
  maker.node("Add", {"a", "b"}, {"y"});
  maker.output("y");
  ImportOptions options;
  options.bindings.emplace("a", Tensor::of<float>({2, 5}, std::vector<float>(10, 1.0F)));
  const Graph graph = import(maker, options);
  EXPECT_EQ(to_string(graph.tensor(graph.inputs[1]).type.shape), "2x5");
  options.dims["n"] = 6;
  expect_refused(maker, Fault::bad_input, {"'n'", "5", "6"}, options);
}

TEST(Import, ShapeComputationsFoldAway) {
  ModelMaker maker;
  maker.input("x", {2, 3, 4});
  maker.integer("zero", 0);
  maker.integers("minus_one", {-1});
  maker.integers("axes", {0});
  maker.node("Shape", {"x"}, {"shape"});
  maker.node("Gather", {"shape", "zero"}, {"batch"});
  maker.node("Unsqueeze", {"batch", "axes"}, {"batch_1"});
  maker.node("Concat", {"batch_1", "minus_one"}, {"target"});
  ModelMaker::integer(*maker.graph().mutable_node(3), "axis", 0);
  maker.node("Reshape", {"x", "target"}, {"flat"});
  maker.node("Relu", {"flat"}, {"y"});
  maker.output("y");
  const Graph graph = import(maker);
  EXPECT_EQ(op_types(graph), (Types{"Reshape", "Relu"}));
  EXPECT_EQ(to_string(graph.tensor(graph.outputs[0]).type.shape), "2x12");
}

TEST(Import, FloatArithmeticOnConstantsStaysAStep) {
  ModelMaker maker;
  maker.input("x", {2, 2});
  maker.floats("a", {2, 2});
  maker.floats("b", {2, 2});
  maker.node("Add", {"a", "b"}, {"sum"});
  maker.node("Add", {"x", "sum"}, {"y"});
  maker.output("y");
  EXPECT_EQ(op_types(import(maker)), (Types{"Constant", "Add", "Add"}));
}

TEST(Import, MovementOfConstantsFoldsBitForBit) {
  ModelMaker maker;
  maker.input("x", {1, 3});
  maker.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  maker.node("Transpose", {"w"}, {"wt"});
  maker.node("MatMul", {"x", "wt"}, {"y"});
  maker.output("y");
  const Graph graph = import(maker);
  EXPECT_EQ(op_types(graph), (Types{"MatMul"}));
  bool found = false;
  for (const auto& parameter : graph.steps[0].parameters)
    if (parameter) found |= same_bits(*parameter, Tensor::of<float>({3, 2}, {1, 4, 2, 5, 3, 6}));
  EXPECT_TRUE(found) << "the product does not read the transposed weights";
}

/// Where a file keeps its weights.
enum class Weights { initializers, nodes };

/// A chain of layers as exporters write them without folding: a Transpose of each weight.
ModelMaker transposed_layers(int layers, std::int64_t width, Weights weights) {
  ModelMaker maker;
  maker.input("x0", {1, width});
  for (int i = 0; i < layers; ++i) {
    const std::string n = std::to_string(i), next = std::to_string(i + 1);
    maker.floats("w" + n, {width, width});
    if (weights == Weights::nodes) {
      onnx::AttributeProto& value =
          *maker.node("Constant", {}, {("w" + n).c_str()}).add_attribute();
      value.set_name("value");
      value.set_type(onnx::AttributeProto::TENSOR);
      value.mutable_t()->Swap(maker.graph().mutable_initializer(0));
      maker.graph().clear_initializer();
    }
    ModelMaker::integers(
        maker.node("Transpose", {("w" + n).c_str()}, {("t" + n).c_str()}, "turn" + n), "perm",
        {1, 0});
    maker.node("MatMul", {("x" + n).c_str(), ("t" + n).c_str()}, {("x" + next).c_str()}, "dot" + n);
  }
  maker.output("x" + std::to_string(layers));
  return maker;
}

TEST(Import, AWeightIsHeldOnceThoughItIsTransposed) {
  constexpr int layers = 8;
  constexpr std::int64_t width = 512, matrix = 4 * width * width;
  const auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
  };
  for (const Weights weights : {Weights::initializers, Weights::nodes}) {
    const std::string bytes = transposed_layers(layers, width, weights).bytes();
    const std::int64_t before = allocated();
    {
      const auto probe = std::make_unique<char[]>(matrix);
      if (allocated() < before + matrix)
        GTEST_SKIP() << "this build's allocator does not count (a sanitizer's)";
    }
    std::int64_t most = 0;
    ImportOptions options;
    options.observer = [&](std::size_t, std::size_t) {
      most = std::max(most, allocated() - before);
    };
    const Graph graph = import(bytes, options);
    EXPECT_EQ(graph.steps.size(), std::size_t{layers});
    EXPECT_GE(most, layers * matrix);
    EXPECT_LT(most, (layers + 1) * matrix) << "bytes of the weights: " << layers * matrix;
  }
}

TEST(Import, ARestartNeedsNoElementsThatWereDropped) {
  // The Reshape asks for the input `shape` only after the layers were folded and their weights gone.
  for (const Weights weights : {Weights::initializers, Weights::nodes}) {
    ModelMaker maker = transposed_layers(2, 3, weights);
    const Graph expected = import(maker);
    maker.input("shape", {2}, onnx::TensorProto::INT64);
    maker.node("Reshape", {"x2", "shape"}, {"y"}, "last");
    maker.graph().mutable_output(0)->set_name("y");
    ImportOptions options;
    options.bindings.emplace("shape", Tensor::of<std::int64_t>({2}, {3, 1}));
    std::vector<std::size_t> seen;
    options.observer = [&](std::size_t done, std::size_t) { seen.push_back(done); };
    const Graph graph = import(maker, options);
    const std::size_t nodes = weights == Weights::nodes ? 7 : 5;
    std::vector<std::size_t> twice;  // up to the Reshape, then all
    for (std::size_t i = 1; i < nodes; ++i) twice.push_back(i);
    for (std::size_t i = 1; i <= nodes; ++i) twice.push_back(i);
    EXPECT_EQ(seen, twice);
    ASSERT_EQ(op_types(graph), (Types{"MatMul", "MatMul", "Reshape"}));
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_TRUE(same_bits(*graph.steps[i].parameters[0], *expected.steps[i].parameters[0]));
  }
}

TEST(Import, IntegerArithmeticThatHasNoResultIsRefused) {
  const auto dividing = [](const std::string& op, std::int64_t a, std::int64_t b) {
    ModelMaker maker;
    maker.input("x", {4});
    maker.integers("a", {a});
    maker.integers("b", {b});
    maker.node(op, {"a", "b"}, {"target"}, "arithmetic");
    maker.node("Reshape", {"x", "target"}, {"y"});
    maker.output("y");
    return maker;
  };
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  expect_refused(dividing("Div", 4, 0), Fault::bad_model, {"'arithmetic'", "by zero"});
  expect_refused(dividing("Div", least, -1), Fault::bad_model, {"'arithmetic'", "overflows"});
  expect_refused(dividing("Mul", least, 2), Fault::bad_model, {"'arithmetic'", "overflows"});
  expect_refused(dividing("Add", least, -1), Fault::bad_model, {"'arithmetic'", "overflows"});
  EXPECT_EQ(op_types(import(dividing("Div", 8, 2))), (Types{"Reshape"}));
  EXPECT_EQ(op_types(import(dividing("Mod", -9, 13))), (Types{"Reshape"}));
}

TEST(Import, ABoundInputThatAnOpNeedsBecomesAConstant) {
  ModelMaker maker;
  maker.input("x", {1, 2, 4, 4}).input("w", {1, 2, 3, 3});
  maker.node("Conv", {"x", "w"}, {"y"}, "conv");
  maker.output("y");
  expect_refused(maker, Fault::bad_model, {"'conv'", "weights", "'w'", "--input"});
  ImportOptions options;
  options.bindings.emplace("w", Tensor::of<float>({1, 2, 3, 3}, std::vector<float>(18, 1.0F)));
  const Graph graph = import(maker, options);
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.tensor(graph.inputs[0]).name, "x");
  EXPECT_TRUE(contains(graph.notes, "'w'"));
}

TEST(Import, ABoundIntegerThatAShapeIsComputedFromBecomesAConstant) {
  ModelMaker maker;
  maker.input("x", {2, 6}).input("n", {}, onnx::TensorProto::INT32);
  maker.integers("axes", {0});
  maker.integers("minus_one", {-1});
  ModelMaker::integer(maker.node("Cast", {"n"}, {"wide"}), "to", onnx::TensorProto::INT64);
  maker.node("Unsqueeze", {"wide", "axes"}, {"n_1"});
  ModelMaker::integer(maker.node("Concat", {"n_1", "minus_one"}, {"target"}), "axis", 0);
  maker.node("Reshape", {"x", "target"}, {"y"});
  maker.output("y");
  ImportOptions options;
  options.bindings.emplace("n", Tensor::of<std::int64_t>({}, {3}));
  options.bindings.emplace("x", Tensor::of<float>({2, 6}, std::vector<float>(12, 1.0F)));
  const Graph graph = import(maker, options);
  EXPECT_EQ(op_types(graph), (Types{"Reshape"}));
  EXPECT_EQ(to_string(graph.tensor(graph.outputs[0]).type.shape), "3x4");
  EXPECT_EQ(graph.inputs.size(), 1U) << "x is data, not a parameter";
}

TEST(Import, FunctionsAreInlinedWithTheirAttributes) {
  ModelMaker maker;
  maker.input("x", {2, 3});
  onnx::FunctionProto& function = *maker.proto().add_functions();
  function.set_name("Turn");
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  function.add_attribute("order");
  function.add_opset_import()->set_version(13);
  onnx::NodeProto& inner =
      ModelMaker::fill(*function.add_node(), "Transpose", {"a"}, {"t"}, "turn");
  onnx::AttributeProto& reference = *inner.add_attribute();
  reference.set_name("perm");
  reference.set_type(onnx::AttributeProto::INTS);
  reference.set_ref_attr_name("order");
  ModelMaker::fill(*function.add_node(), "Relu", {"t"}, {"b"}, "relu");
  for (const char* output : {"y", "z"}) {
    onnx::NodeProto& call = maker.node("Turn", {"x"}, {output}, "call");
    call.set_domain("local");
    ModelMaker::integers(call, "order", {1, 0});
    maker.output(output);
  }
  maker.proto().add_opset_import()->set_domain("local");
  const Graph graph = import(maker);
  EXPECT_EQ(op_types(graph), (Types{"Transpose", "Relu", "Transpose", "Relu"}));
  EXPECT_EQ(to_string(graph.tensor(graph.outputs[1]).type.shape), "3x2");
}

TEST(Import, AFunctionThatCallsItselfIsRefused) {
  ModelMaker maker;
  maker.input("x", {2});
  onnx::FunctionProto& function = *maker.proto().add_functions();
  function.set_name("Loop");
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  ModelMaker::fill(*function.add_node(), "Loop", {"a"}, {"m"}).set_domain("local");
  ModelMaker::fill(*function.add_node(), "Loop", {"m"}, {"b"}).set_domain("local");
  maker.node("Loop", {"x"}, {"y"}).set_domain("local");
  maker.output("y");
  expect_refused(maker, Fault::bad_model, {"may not call itself"});
}

TEST(Import, ScopesOfExportersNameTheSteps) {
  ModelMaker maker;
  maker.input("x", {2});
  onnx::NodeProto& node = maker.node("Relu", {"x"}, {"y"}, "node_relu");
  onnx::StringStringEntryProto entry;
  entry.set_key("pkg.torch.onnx.name_scopes");
  entry.set_value("['', 'layer1', 'layer1.0', 'relu']");
  // field 9 of NodeProto, metadata_props, came after the schema that is packaged
  node.GetReflection()->MutableUnknownFields(&node)->AddLengthDelimited(9,
                                                                        entry.SerializeAsString());
  maker.output("y");
  EXPECT_EQ(import(maker).steps.at(0).scope, "layer1.0");
}

TEST(Import, Float64ConstantsAreRoundedWithALint) {
  ModelMaker maker;
  maker.input("x", {2});
  const double values[] = {0.5, 0.1};
  ModelMaker::raw(*maker.graph().add_initializer(), "c", {2}, onnx::TensorProto::DOUBLE, values,
                  sizeof values);
  maker.node("Add", {"x", "c"}, {"y"});
  maker.output("y");
  EXPECT_TRUE(contains(import(maker).lints, "1 of 2 values changed"));
}

TEST(Import, NanWeightsRunAndAreLinted) {
  ModelMaker maker = conv_block();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(maker.graph().mutable_initializer(0)->mutable_raw_data()->data(), &nan, sizeof nan);
  EXPECT_TRUE(contains(import(maker).lints, "1 NaN"));
  EXPECT_TRUE(contains(import(maker).lints, "constant 'w' of node '/blocks.0/conv/Conv'"));
}

TEST(Import, TellsHowBatchNormalizationAndTheBatchWereExported) {
  EXPECT_TRUE(contains(import(conv_block()).notes, "1 BatchNormalization kept"));
  EXPECT_TRUE(contains(import(conv_block()).notes, "the batch is baked into the file: input 'x'"));
  ModelMaker folded;
  folded.input("x", {-1, 2, 5, 5});
  folded.floats("w", {3, 2, 3, 3});
  folded.node("Conv", {"x", "w"}, {"y"});
  folded.output("y");
  EXPECT_TRUE(contains(import(folded).notes, "no BatchNormalization in the file"));
  EXPECT_FALSE(contains(import(folded).notes, "baked"));
}

TEST(Import, TellsALengthThatIsFixedWhereOtherExtentsAreOpen) {
  const auto told = [](const std::vector<std::int64_t>& shape) {
    ModelMaker maker;
    maker.input("x", shape);
    maker.node("Relu", {"x"}, {"y"});
    maker.output("y");
    ImportOptions options;
    options.shapes["x"] = Shape(shape.size(), 7);
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] > 0) options.shapes["x"][axis] = shape[axis];
    return contains(import(maker, options).notes, "input 'x' leaves extents open, but is fixed to");
  };
  EXPECT_TRUE(told({-1, 7, 6})) << "time and features";
  EXPECT_TRUE(told({-1, 3, -1, 224}));
  EXPECT_FALSE(told({-1, -1, 6})) << "features";
  EXPECT_FALSE(told({-1, 3, -1, -1})) << "channels";
  EXPECT_FALSE(told({-1, 6}));
  EXPECT_FALSE(told({1, 7, 6})) << "nothing is open: the batch's note tells";
}

TEST(Import, TellsAStateThatIsAZeroOfTheFileHoweverItIsSpelled) {
  enum class State { absent, zeros, expanded, given, other };
  const auto told = [](State state) {
    constexpr std::int64_t I = 3, H = 2;
    ModelMaker maker;
    maker.input("x", {4, 1, I});
    maker.floats("w", {1, 3 * H, I});
    maker.floats("r", {1, 3 * H, H});
    maker.floats("zero", {1}, {0});
    maker.floats("one", {1}, {1});
    maker.floats("zeros", {1, 1, H}, {0, 0});
    maker.integers("s", {1, 1, H});
    if (state == State::given) maker.input("h", {1, 1, H});
    if (state == State::expanded || state == State::other)
      maker.node("Expand", {state == State::other ? "one" : "zero", "s"}, {"h"});
    const char* const h = state == State::absent ? "" : state == State::zeros ? "zeros" : "h";
    onnx::NodeProto& gru = maker.node("GRU", {"x", "w", "r", "", "", h}, {"y"}, "gru");
    onnx::AttributeProto& size = *gru.add_attribute();
    size.set_name("hidden_size");
    size.set_type(onnx::AttributeProto::INT);
    size.set_i(H);
    maker.output("y");
    return contains(import(maker).notes, "GRU 'gru' starts from zeros that no input gives");
  };
  EXPECT_TRUE(told(State::absent));
  EXPECT_TRUE(told(State::zeros));
  EXPECT_TRUE(told(State::expanded)) << "as PyTorch's dynamo exporter writes it";
  EXPECT_FALSE(told(State::given));
  EXPECT_FALSE(told(State::other));
}

TEST(Import, LintsAnUnusualEpsilonAndOneUnlikeItsFellows) {
  const auto with_epsilons = [](const std::vector<float>& epsilons) {
    ModelMaker maker;
    maker.input("x0", {1, 3, 5, 5});
    for (const char* name : {"gamma", "beta", "mean", "var"}) maker.floats(name, {3}, {1, 2, 3});
    for (std::size_t i = 0; i < epsilons.size(); ++i) {
      const std::string x = "x" + std::to_string(i), y = "x" + std::to_string(i + 1);
      onnx::NodeProto& norm =
          maker.node("BatchNormalization", {x.c_str(), "gamma", "beta", "mean", "var"}, {y.c_str()},
                     "norm" + std::to_string(i));
      onnx::AttributeProto& epsilon = *norm.add_attribute();
      epsilon.set_name("epsilon");
      epsilon.set_type(onnx::AttributeProto::FLOAT);
      epsilon.set_f(epsilons[i]);
    }
    const std::string last = "x" + std::to_string(epsilons.size());
    maker.output(last);
    return import(maker).lints;
  };
  EXPECT_TRUE(with_epsilons({1e-3F, 1e-3F, 1e-3F, 1e-3F}).empty());
  EXPECT_TRUE(contains(with_epsilons({0.1F}), "'norm0' has an epsilon of 0.1, which is unusual"));
  EXPECT_TRUE(contains(with_epsilons({1e-3F, 1e-3F, 1e-5F, 1e-3F, 1e-3F}),
                       "'norm2' has an epsilon of 1e-05 where 4 other"));
}

TEST(Import, LintsAShapeThatFixesAnOpenBatch) {
  const auto reshaped = [](const std::vector<std::int64_t>& shape) {
    ModelMaker maker;
    maker.input("x", {-1, 2, 3});
    maker.integers("s", shape);
    maker.node("Reshape", {"x", "s"}, {"y"}, "flat");
    maker.output("y");
    return import(maker).lints;
  };
  EXPECT_TRUE(contains(reshaped({1, 6}), "Reshape 'flat' has a fixed shape"));
  EXPECT_TRUE(reshaped({-1, 6}).empty());
  EXPECT_TRUE(reshaped({0, 6}).empty());
}

// ---- what is refused

TEST(Import, RefusesWhatIsNoGraph) {
  ModelMaker cyclic = conv_block();
  cyclic.graph().mutable_node(0)->set_input(0, "y");
  expect_refused(cyclic, Fault::bad_model, {"cycle of 3 nodes", "Conv"});

  ModelMaker missing = conv_block();
  missing.graph().mutable_initializer()->DeleteSubrange(0, 1);
  expect_refused(missing, Fault::bad_model, {"reads tensor 'w'", "initializer"});

  ModelMaker twice = conv_block();
  twice.node("Relu", {"n"}, {"y"});
  expect_refused(twice, Fault::bad_model, {"'y'", "defined twice"});

  ModelMaker output = conv_block();
  output.output("nowhere");
  expect_refused(output, Fault::bad_model, {"'nowhere'"});

  ModelMaker name = conv_block();
  name.graph().mutable_node(2)->set_output(0, "\xff\xfe");
  expect_refused(name, Fault::bad_model, {"\\xff", "not UTF-8"});
}

TEST(Import, RefusesVersionsItDoesNotKnow) {
  for (const int opset : {6, 29}) {
    ModelMaker maker(opset);
    maker.input("x", {2}).node("Relu", {"x"}, {"y"});
    maker.output("y");
    expect_refused(maker, Fault::bad_model, {"opset " + std::to_string(opset), "7 to 28"});
  }
  ModelMaker old(13, 2);
  old.input("x", {2}).node("Relu", {"x"}, {"y"});
  expect_refused(old, Fault::bad_model, {"IR version 2"});
  ModelMaker none = conv_block();
  none.proto().clear_opset_import();
  expect_refused(none, Fault::bad_model, {"operator set"});
}

TEST(Import, TheCommandForTheRestHasTheExtentsThatWereGiven) {
  ModelMaker maker;
  maker.input("x", {1, -1}).name_extent(1, "width").node("Relu", {"x"}, {"y"});
  maker.node("Wiggle", {"y"}, {"z"}, "wiggle");
  maker.output("z");
  ImportOptions options;
  options.dims["width"] = 5;
  expect_refused(maker, Fault::bad_model, {"--until 'y' --dim width=5"}, options);
  options.bindings.emplace("x", Tensor::of<float>({1, 5}, std::vector<float>(5, 1.0F)));
  expect_refused(maker, Fault::bad_model, {"--dim width=5, and the same --input"}, options);
}

TEST(Import, RefusesUnknownOperatorsAndSaysWhatWouldRun) {
  ModelMaker maker = conv_block();
  maker.node("Wiggle", {"y"}, {"z"}, "wiggle");
  maker.output("z");
  expect_refused(maker, Fault::bad_model, {"node 'wiggle' (Wiggle, opset 13)", "--until 'y'"});

  ImportOptions options;
  options.until = "y";
  EXPECT_EQ(op_types(import(maker, options)).size(), 3U);
  options.until = "blocks.0.conv";
  EXPECT_EQ(op_types(import(maker, options)).size(), 3U);
  options.until = "z";
  expect_refused(maker, Fault::bad_model, {"node 'wiggle'"}, options);
  options.until = "blocks.0.konv";
  expect_refused(maker, Fault::bad_request, {"did you mean 'blocks.0.conv'"}, options);
  options.until = "w";
  expect_refused(maker, Fault::bad_request, {"'w'", "constant"}, options);
}

TEST(Import, RefusesNodesInFormsItDoesNotKnow) {
  ModelMaker attribute = conv_block();
  ModelMaker::integer(*attribute.graph().mutable_node(0), "wobble", 1);
  expect_refused(attribute, Fault::bad_model, {"/blocks.0/conv/Conv", "'wobble'"});

  for (const char* op : {"MatMul", "Add", "Conv"}) {
    ModelMaker one = conv_block();
    one.node(op, {"w"}, {"z"}, "lonely");
    one.output("z");
    expect_refused(one, Fault::bad_model, {"'lonely'"});
  }
  ModelMaker mute = conv_block();
  mute.node("Identity", {"w"}, {}, "mute");
  EXPECT_EQ(op_types(import(mute)).size(), 3U);  // nothing depends on it

  ModelMaker domain = conv_block();
  domain.graph().mutable_node(2)->set_domain("com.microsoft");
  expect_refused(domain, Fault::bad_model, {"'com.microsoft'"});

  ModelMaker inside = conv_block();
  onnx::AttributeProto& graph = *inside.graph().mutable_node(2)->add_attribute();
  graph.set_name("body");
  graph.set_type(onnx::AttributeProto::GRAPH);
  graph.mutable_g();
  expect_refused(inside, Fault::bad_model, {"graphs inside", "'body'"});
}

TEST(Import, RefusesWeightsItDoesNotHold) {
  const auto typed = [](int type) {
    ModelMaker maker = conv_block();
    maker.graph().mutable_initializer(0)->set_data_type(type);
    return maker;
  };
  expect_refused(typed(onnx::TensorProto::FLOAT16), Fault::bad_model,
                 {"/blocks.0/conv/Conv", "'w'", "float16", "export"});
  expect_refused(typed(onnx::TensorProto::BFLOAT16), Fault::bad_model, {"'w'", "bfloat16"});
  expect_refused(typed(onnx::TensorProto::INT8), Fault::bad_model, {"'w'", "int8", "quantis"});
  expect_refused(typed(99), Fault::bad_model, {"'w'", "element type 99"});
}

TEST(Import, RefusesSizesThatLie) {
  const auto shaped = [](const std::vector<std::int64_t>& dims) {
    ModelMaker maker = conv_block();
    onnx::TensorProto& w = *maker.graph().mutable_initializer(0);
    w.clear_dims();
    for (const std::int64_t dim : dims) w.add_dims(dim);
    return maker;
  };
  expect_refused(shaped({3, 2, 3, 4}), Fault::bad_model, {"'w'", "216 bytes", "288"});
  expect_refused(shaped({1 << 30, 1 << 30, 3, 3}), Fault::bad_model, {"'w'"});
  expect_refused(shaped({std::int64_t{1} << 62, 4, 3, 3}), Fault::bad_model, {"'w'"});
  expect_refused(shaped({-3, 2, 3, 3}), Fault::bad_model, {"'w'"});
  expect_refused(shaped(std::vector<std::int64_t>(17, 1)), Fault::bad_model,
                 {"'w'", "17 dimensions"});

  for (const std::int64_t extent :
       {std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max()}) {
    ModelMaker maker;
    maker.input("x", {extent, extent}).node("Relu", {"x"}, {"y"});
    maker.output("y");
    expect_refused(maker, Fault::bad_model, {"'x'"});
  }
  ModelMaker empty;
  empty.input("x", {1, 0, 4}).node("Relu", {"x"}, {"y"});
  empty.output("y");
  expect_refused(empty, Fault::bad_model, {"'x'", "1x0x4", "without elements"});

  ModelMaker bomb;
  bomb.input("x", {1});
  bomb.integers("shape", {1 << 16, 1 << 16});
  bomb.node("ConstantOfShape", {"shape"}, {"zeros"}, "bomb");
  bomb.node("Add", {"x", "zeros"}, {"y"});
  bomb.output("y");
  expect_refused(bomb, Fault::bad_model, {"'bomb'", "folded constants"});
}

TEST(Import, RefusesInputsThatDoNotFit) {
  const auto given = [](const std::string& name, Tensor tensor) {
    ImportOptions options;
    options.bindings.emplace(name, std::move(tensor));
    return options;
  };
  const auto zeros = [](const Shape& shape) {
    return Tensor::of<float>(
        shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 0.0F));
  };
  ModelMaker maker;
  maker.input("pillars", {1, 2, 5, 5}).node("Relu", {"pillars"}, {"y"});
  maker.output("y");
  expect_refused(maker, Fault::bad_input, {"'pilars'", "did you mean 'pillars'"},
                 given("pilars", zeros({1, 2, 5, 5})));
  expect_refused(maker, Fault::bad_input, {"'pillars'", "1x2x5x5", "2x5x5", "rank 3"},
                 given("pillars", zeros({2, 5, 5})));
  expect_refused(maker, Fault::bad_input, {"'pillars'", "1x2x5x5", "1x2x5x6", "axis 3"},
                 given("pillars", zeros({1, 2, 5, 6})));
  expect_refused(maker, Fault::bad_input, {"'pillars'", "float32", "float64", "astype"},
                 given("pillars", Tensor::of<double>({1, 2, 5, 5}, std::vector<double>(50, 0.0))));
  expect_refused(conv_block(), Fault::bad_input, {"'w'", "constant of the model"},
                 given("w", zeros({3, 2, 3, 3})));

  ImportOptions options;
  options.shapes["pilars"] = {1};
  expect_refused(maker, Fault::bad_request, {"'pilars'", "did you mean 'pillars'"}, options);
  options.shapes.clear();
  options.dims["batch"] = 1;
  expect_refused(maker, Fault::bad_request, {"'batch'", "no dimension"}, options);
}

// ---- hostile bytes

/// Imports bytes that may be anything: the only ways out are a graph and an Error.
enum class Outcome { graph, error };
Outcome survive(const std::string& bytes) {
  ImportOptions options;
  options.largest_folded_bytes = 1 << 20;
  try {
    import(bytes, options);
    return Outcome::graph;
  } catch (const Error&) {
    return Outcome::error;
  }
}

/// A model with something of everything that the importer reads.
std::string rich_model() {
  ModelMaker maker = conv_block();
  maker.integer("zero", 0);
  maker.integers("minus_one", {-1});
  maker.integers("axes", {0});
  maker.node("Shape", {"y"}, {"shape"}, "shape");
  maker.node("Gather", {"shape", "zero"}, {"batch"}, "gather");
  maker.node("Unsqueeze", {"batch", "axes"}, {"batch_1"}, "unsqueeze");
  ModelMaker::integer(maker.node("Concat", {"batch_1", "minus_one"}, {"target"}, "concat"), "axis",
                      0);
  maker.node("Reshape", {"y", "target"}, {"flat"}, "reshape");
  onnx::FunctionProto& function = *maker.proto().add_functions();
  function.set_name("F");
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  ModelMaker::fill(*function.add_node(), "Relu", {"a"}, {"b"}, "relu");
  maker.node("F", {"flat"}, {"z"}, "call").set_domain("local");
  maker.output("z");
  return maker.bytes();
}

TEST(HostileBytes, EveryPrefixOfAModelIsAnErrorOrAGraph) {
  const std::string bytes = rich_model();
  ASSERT_EQ(survive(bytes), Outcome::graph);
  int errors = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length)
    errors += survive(bytes.substr(0, length)) == Outcome::error ? 1 : 0;
  EXPECT_GT(errors, 0);
  RecordProperty("prefixes", static_cast<int>(bytes.size()));
}

TEST(HostileBytes, MutatedModelsAreAnErrorOrAGraph) {
  const std::string bytes = rich_model();
  std::uint64_t state = 20'26'11'21;
  const auto next = [&](std::uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
  };
  constexpr int mutants = 20'000;
  int graphs = 0;
  for (int i = 0; i < mutants; ++i) {
    std::string mutant = bytes;
    for (std::uint64_t edits = 1 + next(4); edits > 0; --edits) {
      const std::size_t at = next(mutant.size());
      switch (next(4)) {
        case 0:
          mutant[at] = static_cast<char>(next(256));
          break;
        case 1:
          mutant[at] = static_cast<char>(mutant[at] ^ (1 << next(8)));
          break;
        case 2:
          mutant.erase(at, 1 + next(8));
          break;
        default:
          mutant.insert(at, mutant.substr(next(mutant.size()), 1 + next(16)));
      }
      if (mutant.empty()) mutant = bytes;
    }
    graphs += survive(mutant) == Outcome::graph ? 1 : 0;
  }
  // both ends must be reached, or the mutations test nothing
  EXPECT_GT(graphs, 0);
  EXPECT_LT(graphs, mutants);
  RecordProperty("graphs", graphs);
}

TEST(HostileBytes, RandomBytesAreAnError) {
  std::uint64_t state = 7;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes;
    for (int k = 0; k < i; ++k) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      bytes += static_cast<char>(state >> 56);
    }
    EXPECT_EQ(survive(bytes), Outcome::error);
  }
}

}  // namespace
}  // namespace parity
