#pragma once

#include <utility>
#include <vector>

#include "compare/differ.hpp"
#include "cpu/backend.hpp"
#include "cuda/backend.hpp"
#include "tests/compare/small_net.hpp"

namespace parity::test {

/// A diff of a network between the processor and a GPU.
struct TwinDiff {
  explicit TwinDiff(Graph the_graph = small_net()) : graph(std::move(the_graph)) {}

  Graph graph;
  std::vector<Stage> stages = cut(graph);
  std::vector<Tensor> inputs{filled(graph.tensor(graph.inputs[0]).type, Fill::real, 7)};
  cpu::CpuBackend cpu;
  Execution execution{1};

  RunRecord run(cuda::CudaBackend& gpu, const Numerics& on_cpu, const Numerics& on_gpu,
                std::size_t attribute = attribute_none) {
    const Plan a = make_plan(stages, on_cpu, cpu, "a"), b = make_plan(stages, on_gpu, gpu, "b");
    return diff({.graph = graph,
                 .stages = stages,
                 .a = {cpu, a, execution},
                 .b = {gpu, b, execution, &cpu},
                 .referee = {cpu, cpu, execution},
                 .inputs = inputs,
                 .attribute = attribute});
  }
};

}  // namespace parity::test
