#include "model/onnx/export.hpp"

#include <gtest/gtest.h>

#include "compare/run.hpp"
#include "cpu/backend.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/onnx/import.hpp"
#include "model/ops.hpp"
#include "model/samples/samples.hpp"

namespace parity {
namespace {

Graph imported(const Graph& graph) {
  const std::string bytes = export_onnx(graph);
  return import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), "again.onnx", ".");
}

std::vector<Tensor> outputs_of(const Graph& graph) {
  cpu::CpuBackend cpu;
  const std::vector<Stage> stages = cut(graph);
  const Plan plan = make_plan(stages, Numerics{}, cpu, "cpu:fp32");
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    inputs.push_back(filled(graph.tensor(graph.inputs[i]).type, Fill::real, 7 + i));
  std::vector<Tensor> outputs;
  for (const Value& value :
       run({.graph = graph, .plan = plan, .backend = cpu, .execution = {2}, .inputs = inputs})
           .outputs)
    outputs.push_back(cpu.download(value, {2}));
  return outputs;
}

void expect_same_bits(const Graph& graph, const std::string& what, std::size_t stages) {
  const Graph again = imported(graph);
  EXPECT_EQ(cut(again).size(), stages) << what;
  const std::vector<Tensor> expected = outputs_of(graph), given = outputs_of(again);
  ASSERT_EQ(given.size(), expected.size()) << what;
  for (std::size_t i = 0; i < given.size(); ++i)
    EXPECT_TRUE(same_bits(given[i], expected[i])) << what << ", output " << i;
}

/// The op alone on values, as a graph; its parameters are filled, variances positive.
template <class T>
Graph alone(const Case<T>& c) {
  GraphBuilder builder("case");
  std::vector<TensorId> inputs;
  for (std::size_t i = 0; i < c.types.inputs.size(); ++i)
    inputs.push_back(builder.add_input(std::to_string(i) + ".x", c.types.inputs[i]));
  std::vector<std::optional<Tensor>> parameters;
  for (std::size_t i = 0; i < c.types.parameters.size(); ++i) {
    const auto& type = c.types.parameters[i];
    if (!type) {
      parameters.emplace_back();
      continue;
    }
    Tensor tensor = filled(*type, Fill::real, 40 + i);
    if (std::is_same_v<T, BatchNorm> && i == 3) {
      std::vector<float> variance(static_cast<std::size_t>(tensor.size()), 2.5F);
      tensor = Tensor::of(tensor.shape(), std::move(variance));
    }
    parameters.emplace_back(std::move(tensor));
  }
  std::vector<std::string> names;
  for (std::size_t k = 0; k < c.op.infer(c.types).size(); ++k)
    names.push_back("y" + std::to_string(k));
  for (const TensorId id :
       builder.add_step(c.op, inputs, std::move(parameters), "/part/Node", std::move(names)))
    builder.add_output(id);
  return builder.finish();
}

template <class T>
void every_case(int& count) {
  for (const Case<T>& c : T::cases()) {
    if (c.types.inputs.empty()) continue;  // a constant alone is no network
    ++count;
    // A softmax over several axes is written as three nodes.
    std::size_t stages = 1;
    if constexpr (std::is_same_v<T, Softmax>)
      stages += c.op.row == Softmax::Row::from_the_axis_on &&
                extents(c.op, c.types.inputs[0].shape).n != c.types.inputs[0].shape.back();
    expect_same_bits(alone(c), c.name, stages);
  }
}

template <class... Ts>
void every_op(int& count, const std::variant<Ts...>*) {
  (every_case<Ts>(count), ...);
}

TEST(Export, EveryCaseOfEveryOpComesBackWithTheSameBits) {
  int count = 0;
  every_op(count, static_cast<const Op::variant*>(nullptr));
  EXPECT_GT(count, 50);
}

TEST(Export, AWholeNetworkComesBackWithTheSameBitsAndStages) {
  cpu::CpuBackend cpu;
  const Graph graph = sample_graph("second_fpn/narrow", cpu, {2});
  expect_same_bits(graph, graph.name, cut(graph).size());
  const std::vector<Stage> before = cut(graph), after = cut(imported(graph));
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].name, after[i].name);
}

TEST(Export, AConstantThatIsAValueAndAScopeComeBack) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {2, 3}});
  const TensorId c =
      builder
          .add_step(Constant{}, {}, {Tensor::of<float>({1, 2, 3}, {1, 2, 3, 4, 5, 6})}, "", {"c"})
          .front();
  builder.add_output(builder
                         .add_step(Binary{Binary::Function::add}, {x, c}, {}, "", {"constant_0"},
                                   "Add", "model.head")
                         .front());
  const Graph graph = builder.finish();
  expect_same_bits(graph, "constant", cut(graph).size());
  EXPECT_EQ(cut(imported(graph)).back().name, "model.head");
}

TEST(Export, EqualGraphsGiveEqualBytes) {
  cpu::CpuBackend cpu;
  const Graph graph = sample_graph("second/narrow", cpu, {2});
  EXPECT_EQ(export_onnx(graph), export_onnx(graph));
}

}  // namespace
}  // namespace parity
