#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compare/run.hpp"
#include "cpu/backend.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/onnx/import.hpp"
#include "model/ops.hpp"
#include "tests/onnx/model_maker.hpp"

namespace parity {
namespace {

Graph import(const ModelMaker& maker, const ImportOptions& options = {}) {
  const std::string bytes = maker.bytes();
  return import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), "m.onnx", "", options);
}

std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> types;
  for (const Step& step : graph.steps) types.push_back(step.op_type);
  return types;
}
using Types = std::vector<std::string>;

/// The graph output called `name`.
Tensor output_of(const Graph& graph, const std::string& name) {
  cpu::CpuBackend cpu;
  const Plan plan = make_plan(cut(graph), Numerics{}, cpu, "cpu:fp32");
  const std::vector<Tensor> inputs = {filled(graph.tensor(graph.inputs[0]).type, Fill::hostile, 5)};
  const std::vector<Value> outputs =
      run({.graph = graph, .plan = plan, .backend = cpu, .execution = {2}, .inputs = inputs})
          .outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (graph.tensor(graph.outputs[i]).name == name) return cpu.download(outputs[i], {2});
  throw Error(Fault::internal, "no output " + name);
}

/// Conv, then x sigmoid(x) or x sigmoid(a x), on operands in either order.
ModelMaker gated(bool sigmoid_first, const char* factor = nullptr) {
  ModelMaker maker;
  maker.input("i", {1, 3, 9, 9});
  maker.floats("w", {4, 3, 3, 3});
  maker.node("Conv", {"i", "w"}, {"x"}, "conv");
  if (factor) maker.node("Mul", {factor, "x"}, {"ax"}, "scaled");
  maker.node("Sigmoid", {factor ? "ax" : "x"}, {"s"}, "sigmoid");
  if (sigmoid_first)
    maker.node("Mul", {"s", "x"}, {"y"}, "gate");
  else
    maker.node("Mul", {"x", "s"}, {"y"}, "gate");
  return maker.output("y");
}

TEST(Idioms, AProductWithItsOwnSigmoidIsSwishAndRides) {
  for (const bool sigmoid_first : {false, true}) {
    ModelMaker maker = gated(sigmoid_first);
    const Graph fused = import(maker);
    EXPECT_EQ(op_types(fused), (Types{"Conv", "Swish"}));
    EXPECT_EQ(fused.steps.back().node, "gate");
    EXPECT_EQ(cut(fused).size(), 1U);

    maker.output("s");  // now somebody else reads it
    const Graph apart = import(maker);
    EXPECT_EQ(op_types(apart), (Types{"Conv", "Sigmoid", "Mul"}));
    EXPECT_TRUE(same_bits(output_of(fused, "y"), output_of(apart, "y")));
  }
}

TEST(Idioms, ANumberInsideTheSigmoidIsItsAlpha) {
  ModelMaker maker = gated(false, "a");
  maker.floats("a", {}, {1.702F});
  const Graph fused = import(maker);
  EXPECT_EQ(op_types(fused), (Types{"Conv", "Swish"}));
  EXPECT_EQ(std::get<Unary>(*fused.steps.back().op).a, 1.702F);

  maker.output("s");
  const Graph apart = import(maker);
  EXPECT_EQ(op_types(apart), (Types{"Conv", "Mul", "Sigmoid", "Mul"}));
  EXPECT_TRUE(same_bits(output_of(fused, "y"), output_of(apart, "y")));
}

TEST(Idioms, WhatIsNoneStaysApart) {
  ModelMaker per_channel = gated(false, "a");
  per_channel.floats("a", {4, 1, 1});
  EXPECT_EQ(op_types(import(per_channel)), (Types{"Conv", "Mul", "Sigmoid", "Mul"}));

  ModelMaker of_another;
  of_another.input("x", {1, 3}).node("Tanh", {"x"}, {"t"});
  of_another.node("Sigmoid", {"x"}, {"s"});
  of_another.node("Mul", {"t", "s"}, {"y"});
  of_another.output("y");
  EXPECT_EQ(op_types(import(of_another)), (Types{"Tanh", "Sigmoid", "Mul"}));

  ModelMaker read_twice = gated(false);
  read_twice.node("Neg", {"s"}, {"n"});
  read_twice.output("n");
  EXPECT_EQ(op_types(import(read_twice)), (Types{"Conv", "Sigmoid", "Mul", "Neg"}));

  ImportOptions until;
  until.until = "s";
  EXPECT_EQ(op_types(import(gated(false), until)), (Types{"Conv", "Sigmoid"}));
}

TEST(Idioms, SwishOfOpset24IsTheSame) {
  ModelMaker maker(24);
  maker.input("x", {1, 3});
  maker.node("Swish", {"x"}, {"y"});
  maker.output("y");
  const Graph graph = import(maker);
  EXPECT_EQ(op_types(graph), (Types{"Swish"}));
  EXPECT_EQ(std::get<Unary>(*graph.steps[0].op).a, 1.0F);
}

}  // namespace
}  // namespace parity
