#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/differ.hpp"
#include "compare/inject.hpp"
#include "cpu/backend.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"
#include "tests/model/small_graph.hpp"

namespace parity {

/// A residual network in small: five convolutions with BatchNorm and ReLU, an addition, a sigmoid
/// head.
inline Graph small_net() {
  GraphBuilder graph("small");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 11, 13}});
  const auto layer = [&](TensorId from, std::int64_t channels, const std::string& name,
                         std::uint64_t seed) {
    const TensorId z = add_conv(graph, from, channels, "/" + name + "/Conv", name + ".z", seed);
    return add_norm(graph, z, "/" + name + "/BatchNormalization", name + ".n", seed + 1);
  };
  const TensorId a = add_relu(graph, layer(x, 16, "stem.0", 1), "/stem.0/Relu", "stem.0.y");
  const TensorId b = add_relu(graph, layer(a, 16, "body.0", 11), "/body.0/Relu", "body.0.y");
  const TensorId c = layer(b, 16, "body.1", 21);
  const TensorId sum =
      graph
          .add_step(Binary{Binary::Function::add}, {a, c}, {}, "/body.2/Add", {"body.2.sum"}, "Add")
          .front();
  const TensorId d = add_relu(graph, sum, "/body.2/Relu", "body.2.y");
  const TensorId e = add_relu(graph, layer(d, 12, "head.0", 31), "/head.0/Relu", "head.0.y");
  const TensorId f = layer(e, 4, "head.1", 41);
  const TensorId y =
      graph.add_step(Unary{EpilogueKind::sigmoid}, {f}, {}, "/head.1/Sigmoid", {"y"}, "Sigmoid")
          .front();
  graph.add_output(e);
  graph.add_output(y);
  return graph.finish();
}

/// A network over sequences in small: LayerNorm, a GRU from an initial state, one from zero, an LSTM, a
/// softmax over features.
inline Graph sequence_net() {
  constexpr std::int64_t T = 5, N = 2, I = 6, H = 8;
  GraphBuilder graph("sequence");
  std::uint64_t seed = 50;
  const auto weights = [&](Shape shape) {
    return std::optional(filled({Type::float32, std::move(shape)}, Fill::real, ++seed));
  };
  const TensorId x = graph.add_input("x", {Type::float32, {T, N, I}});
  const TensorId normed =
      graph
          .add_step(Normalization{Normalization::Rows::layer, 2}, {x}, {weights({I}), weights({I})},
                    "/norm/LayerNormalization", {"norm.y"}, "LayerNormalization")
          .front();
  const auto layer = [&](Recurrent op, TensorId from, const std::string& name, bool from_state) {
    const std::int64_t features = graph.type(from).shape[2], rows = op.gates() * H;
    const std::string type(op.kind());
    if (from_state) op.state = Recurrent::Initial::parameter;
    const TensorId y =
        graph
            .add_step(op, {from},
                      {weights({1, rows, features}), weights({1, rows, H}), weights({1, 2 * rows}),
                       from_state ? weights({1, N, H}) : std::nullopt, std::nullopt, std::nullopt},
                      "/" + name + "/" + type, {name + ".y"}, type)
            .front();
    const Movement squeeze{Movement::Function::squeeze, {1}};
    return graph
        .add_step(squeeze, {y}, {}, "/" + name + "/Squeeze", {name + ".squeezed"}, "Squeeze")
        .front();
  };
  const TensorId first =
      layer({.cell = Recurrent::Cell::gru, .reset = Recurrent::Reset::after_the_product}, normed,
            "first", true);
  const TensorId second = layer({.cell = Recurrent::Cell::gru}, first, "second", false);
  const TensorId third = layer({.cell = Recurrent::Cell::lstm}, second, "third", false);
  graph.add_output(graph
                       .add_step(Softmax{Softmax::Function::softmax, 2}, {third}, {},
                                 "/head/Softmax", {"y"}, "Softmax")
                       .front());
  return graph.finish();
}

/// Numerics by name, as the specs of the program mean them.
inline Numerics fp32() { return {}; }
inline Numerics fp64() {
  Numerics n;
  n.conv = n.matmul = n.rnn = Math::fp64;
  n.promise = Determinism::run_to_run;
  return n;
}
inline Numerics exact() {
  Numerics n;
  n.conv = n.matmul = n.rnn = Math::exact;
  n.promise = Determinism::run_to_run;
  return n;
}
inline Numerics tf32(Arch arch, Rounding rounding = Rounding::rna) {
  Numerics n;
  n.conv = n.matmul = n.rnn = Math::tf32;
  n.arch = arch;
  n.rounding = rounding;
  return n;
}
inline Numerics folded() {
  Numerics n;
  n.batch_norm = BatchNormalisation::folded;
  return n;
}
inline Numerics eigen() {
  Numerics n;
  n.algorithm = Algorithm::gemm_eigen;
  n.promise = Determinism::run_to_run;
  return n;
}

/// A diff of one graph on one CPU backend, B perhaps with a fault.
struct Bench {
  explicit Bench(Graph g) : graph(std::move(g)), stages(cut(graph)) {
    for (const TensorId id : graph.inputs)
      inputs.push_back(filled(graph.tensor(id).type, Fill::real, 7));
  }

  RunRecord run(const Numerics& a, const Numerics& b, const std::optional<Injection>& fault = {},
                std::optional<double> tolerance = {}) {
    const std::unique_ptr<Backend> faulty = fault ? inject(cpu, *fault) : nullptr;
    Backend& on_b = faulty ? *faulty : static_cast<Backend&>(cpu);
    const Plan plan_a = make_plan(stages, a, cpu, "a"), plan_b = make_plan(stages, b, on_b, "b");
    return diff({.graph = graph,
                 .stages = stages,
                 .a = {cpu, plan_a, execution},
                 .b = {on_b, plan_b, execution},
                 .referee = {cpu, cpu, execution},
                 .inputs = inputs,
                 .tolerance = tolerance});
  }

  /// The stages that a record calls diverged.
  static std::vector<int> named(const RunRecord& record) {
    std::vector<int> ids;
    for (const StageResult& stage : record.stages)
      if (stage.verdict == Verdict::diverged) ids.push_back(stage.id);
    return ids;
  }

  cpu::CpuBackend cpu;
  Graph graph;
  std::vector<Stage> stages;
  std::vector<Tensor> inputs;
  Execution execution{1};
};

inline Numerics chunked() {
  Numerics n;
  n.algorithm = Algorithm::chunk256;
  return n;
}

inline Numerics named(const std::string& what) {
  if (what == "fp64") return fp64();
  if (what == "exact") return exact();
  if (what == "folded") return folded();
  if (what == "eigen") return eigen();
  if (what == "chunk256") return chunked();
  if (what == "sm_80") return tf32(Arch::sm_80);
  if (what == "sm_90") return tf32(Arch::sm_90);
  if (what == "sm_90/truncate") return tf32(Arch::sm_90, Rounding::truncate);
  return fp32();
}

}  // namespace parity
