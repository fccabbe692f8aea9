// `inspect` tells what it can of every file, whether or not it can be run.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/arithmetic/fill.hpp"
#include "model/files/npz.hpp"
#include "tests/cli/onnx_files.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

/// Leaves an extent of the input open.
void open_extent(OnnxFile& file, int axis, const std::string& name) {
  auto* extent = file.graph->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape()
                     ->mutable_dim(axis);
  extent->clear_value();
  if (!name.empty()) extent->set_dim_param(name);
}

onnx::AttributeProto* attribute(onnx::NodeProto* node, const std::string& name,
                                onnx::AttributeProto::AttributeType type) {
  auto* made = node->add_attribute();
  made->set_name(name);
  made->set_type(type);
  return made;
}

/// A tail that no export for inference has: BatchNormalization in training mode, live Dropout,
/// NonZero, control flow, an unknown op, and a float64 constant.
void add_what_cannot_run(OnnxFile& file) {
  for (const char* name : {"scale", "shift", "mean", "variance"}) {
    auto* tensor = file.graph->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->add_dims(3);
    for (int i = 0; i < 3; ++i) tensor->add_float_data(1);
  }
  auto* yes = file.graph->add_initializer();
  yes->set_name("yes");
  yes->set_data_type(onnx::TensorProto::BOOL);
  yes->set_raw_data(std::string(1, '\1'));
  auto* twice = file.graph->add_initializer();
  twice->set_name("twice");
  twice->set_data_type(onnx::TensorProto::DOUBLE);
  twice->add_dims(1);
  twice->add_double_data(0.1);
  auto* norm =
      file.node("BatchNormalization", "norm", {"y", "scale", "shift", "mean", "variance"}, "n");
  attribute(norm, "training_mode", onnx::AttributeProto::INT)->set_i(1);
  norm->add_output("new_mean");
  norm->add_output("new_variance");
  file.node("Mul", "twice", {"y", "twice"}, "t");
  file.node("Dropout", "drop", {"n", "", "yes"}, "d");
  file.node("NonZero", "where", {"d"}, "indices");
  file.node("Frobnicate", "frob", {"d"}, "f");
  auto* branch = file.node("If", "branch", {"yes"}, "i");
  auto* body = attribute(branch, "then_branch", onnx::AttributeProto::GRAPH)->mutable_g();
  body->set_name("body");
  for (const char* name : {"t", "indices", "f", "i"}) file.graph->add_output()->set_name(name);
}

bool says(const nlohmann::json& sentences, const std::string& part) {
  for (const auto& sentence : sentences)
    if (sentence.get<std::string>().find(part) != std::string::npos) return true;
  return false;
}

TEST(Inspect, OpenExtentsAreToldWithTheOptionThatGivesThem) {
  OnnxFile file;
  open_extent(file, 0, "batch");
  open_extent(file, 2, "height");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended text = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"x  float32 1x2xheightx4", "--dim height=…", "--shape x=1x2x…x4",
                           "1 Conv, 1 Relu", "54 parameters in 216 bytes"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in " << text.out;
  EXPECT_EQ(text.err, "");
  const Ended json = paritylab(workshop, "inspect m.onnx --json");
  ASSERT_EQ(json.code, 0) << json.err;
  const auto document = nlohmann::json::parse(json.out);
  EXPECT_EQ(document.at("inputs").at(0).at("shape"), nlohmann::json({1, 2, "height", 4}));
  EXPECT_EQ(document.at("open").at(0).at("dims"), nlohmann::json({"height"}));
  EXPECT_TRUE(document.at("stages").empty());
  EXPECT_TRUE(document.at("macs").is_null());

  const Ended given = paritylab(workshop, "inspect m.onnx --dim height=5 --json");
  ASSERT_EQ(given.code, 0) << given.err;
  const auto whole = nlohmann::json::parse(given.out);
  EXPECT_TRUE(whole.at("open").empty());
  EXPECT_EQ(whole.at("stages").size(), 1U);
  EXPECT_EQ(whole.at("macs_by_op").at("Conv"), whole.at("macs"));
  EXPECT_EQ(paritylab(workshop, "inspect m.onnx --dim heigth=5").code, 2);
}

TEST(Inspect, AHintNamesTheShapeThatTheFileHas) {
  OnnxFile file;
  open_extent(file, 0, "batch");
  open_extent(file, 1, "seq");
  open_extent(file, 3, "");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "run m.onnx --on cpu:fp32");
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(ended.err.find("give it with --dim seq=… as far as they have names, with --shape "
                           "x=1x…x4x…, or give the tensor with --input"),
            std::string::npos)
      << ended.err;
}

TEST(Inspect, WhatCannotRunIsListedAndLintedAtKnownAndAtOpenExtents) {
  for (const bool open : {false, true}) {
    OnnxFile file;
    add_what_cannot_run(file);
    if (open) open_extent(file, 2, "height");
    const Workshop workshop;
    workshop.write("m.onnx", file.bytes());
    const Ended ended = paritylab(workshop, "inspect m.onnx --json");
    EXPECT_EQ(ended.code, 3) << ended.err;
    const auto document = nlohmann::json::parse(ended.out);
    std::vector<std::string> nodes;
    for (const auto& each : document.at("unsupported")) {
      nodes.push_back(each.at("op").get<std::string>() + " " + each.at("node").get<std::string>());
      EXPECT_NE(each.at("reason"), "");
    }
    EXPECT_EQ(nodes, (std::vector<std::string>{"BatchNormalization norm", "Dropout drop",
                                               "NonZero where", "Frobnicate frob", "If branch"}));
    for (const char* lint : {"'norm' is in training mode", "'drop' is live",
                             "'where' makes a tensor whose shape depends on the data",
                             "'branch' is control flow", "'twice' is float64"})
      EXPECT_TRUE(says(document.at("lints"), lint)) << lint << document.at("lints");
    EXPECT_EQ(document.at("ops").at("Frobnicate"), 1);
    EXPECT_EQ(document.at("parameters"), 54 + 4 * 3 + 2);
    EXPECT_TRUE(document.at("predicted_bytes").is_null());
    if (!open) {
      EXPECT_EQ(document.at("macs_by_op").at("Conv"), 3 * 2 * 9 * 16);
    }

    const Ended text = paritylab(workshop, "inspect m.onnx");
    EXPECT_EQ(text.code, 3);
    EXPECT_NE(text.out.find("cannot run: 5 nodes are not supported"), std::string::npos)
        << text.out;
    EXPECT_EQ(text.err.compare(0, 11, "paritylab: "), 0) << text.err;
    EXPECT_EQ(paritylab(workshop, "inspect m.onnx --dim height=4").code, open ? 3 : 2);
  }
}

TEST(Inspect, ThePartBeforeWhatCannotRunHasStages) {
  OnnxFile file;
  add_what_cannot_run(file);
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "inspect m.onnx --until y");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out.find("cannot run"), std::string::npos) << ended.out;
}

TEST(Inspect, EveryStageIsListedWithTheTensorsThatItMakes) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  const Ended ended = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("ops        tensor\n"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("Conv Relu  y\n"), std::string::npos) << ended.out;
  EXPECT_EQ(ended.out.find("partial"), std::string::npos) << ended.out;
}

TEST(Inspect, WhatCanBeCutBesideWhatCannotRunIsListedAsPartial) {
  OnnxFile file;
  add_what_cannot_run(file);
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended text = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.out.find("partial: the 2 stages that can be cut all the same; --until"),
            std::string::npos)
      << text.out;
  const Ended ended = paritylab(workshop, "inspect m.onnx --json");
  const auto document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document.at("partial"), true);
  ASSERT_EQ(document.at("stages").size(), 2U);
  for (const auto& stage : document.at("stages")) {
    const std::string tensor = stage.at("outputs").at(0).get<std::string>();
    EXPECT_NE(text.out.find("  " + tensor + "\n"), std::string::npos) << text.out;
    const Ended part = paritylab(workshop, "run m.onnx --on cpu:fp32 --until '" + tensor + "'");
    EXPECT_EQ(part.code, 0) << part.err;
  }
}

TEST(Inspect, AnInputOfInt32IsCalledSo) {
  OnnxFile file;
  auto* ids = file.graph->add_input();
  OnnxFile::edge(ids, "ids", {3});
  ids->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT32);
  file.node("Gather", "gather", {"x", "ids"}, "c");
  attribute(file.graph->mutable_node(2), "axis", onnx::AttributeProto::INT)->set_i(3);
  file.node("Add", "twice", {"ids", "ids"}, "d");
  OnnxFile::edge(file.graph->add_output(), "c", {1, 2, 4, 3});
  auto* negative = file.graph->add_output();
  OnnxFile::edge(negative, "d", {3});
  negative->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT32);
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  for (const char* options : {"", " --until c"}) {
    const Ended told = paritylab(workshop, std::string("inspect m.onnx") + options);
    EXPECT_EQ(told.code, 0) << told.err;
    EXPECT_NE(told.out.find("ids  int32 3\n"), std::string::npos) << told.out;
  }
  EXPECT_NE(paritylab(workshop, "inspect m.onnx").out.find("d  int32 3\n"), std::string::npos);
  const Ended ran = paritylab(workshop, "run m.onnx --on cpu:fp32 --input ids=zeros");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("ids  int32 3 from zeros"), std::string::npos) << ran.out;
  write_npz(workshop.path("floats.npz"),
            std::vector<NamedTensor>{{"ids", Tensor::of<float>({3}, {1, 2, 3})}});
  const Ended refused =
      paritylab(workshop, "run m.onnx --on cpu:fp32 --input x=ones --input ids=floats.npz");
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_NE(refused.err.find("must be int32 or int64 (the file says int32), but the tensor given "
                             "is float32 3"),
            std::string::npos)
      << refused.err;
}

TEST(Inspect, WeightsOfAnotherTypeNameTheNodeThatReadsThem) {
  OnnxFile file;
  open_extent(file, 2, "height");
  file.weights->set_data_type(onnx::TensorProto::FLOAT16);
  file.weights->clear_float_data();
  file.weights->set_raw_data(std::string(3 * 2 * 3 * 3 * 2, '\0'));
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.out.find("'first/Conv': cannot use tensor 'w': it is float16"), std::string::npos)
      << ended.out;
  EXPECT_NE(ended.out.find("54 parameters in 108 bytes"), std::string::npos) << ended.out;
}

TEST(Inspect, EveryFlippedByteEndsWithAnAnswerOrASentence) {
  OnnxFile file;
  add_what_cannot_run(file);
  const std::string whole = file.bytes();
  const Counter counter(11);
  const Workshop workshop;
  for (std::uint64_t i = 0; i < 60; ++i) {
    std::string bytes = whole;
    bytes[counter.bits(2 * i) % bytes.size()] ^=
        static_cast<char>(1 + counter.bits(2 * i + 1) % 255);
    workshop.write("m.onnx", bytes);
    const Ended ended = paritylab(workshop, "inspect m.onnx --json");
    EXPECT_TRUE(ended.code == 0 || ended.code == 3) << "flip " << i << ": " << ended.err;
    EXPECT_TRUE(ended.out.empty() || nlohmann::json::accept(ended.out)) << "flip " << i;
  }
}

TEST(Inspect, ADamagedNameIsPrintedAsText) {
  OnnxFile file;
  file.relu->set_op_type("Frobnicate");
  file.graph->add_output()->set_name("\xd9-nobody");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.out.find("\\xd9-nobody"), std::string::npos) << ended.out;
}

TEST(Inspect, WhatIsNoModelIsRefusedAsEverywhere) {
  const Workshop workshop;
  workshop.write("m.onnx", "nothing of the kind");
  const Ended ended = paritylab(workshop, "inspect m.onnx");
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "");
}

}  // namespace
}  // namespace parity::test
