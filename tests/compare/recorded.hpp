#pragma once

#include <memory>
#include <optional>
#include <span>

#include "compare/capture.hpp"
#include "compare/inject.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {

/// Every stage output of one run, by ONNX tensor name, as another program would record it.
inline Capture recorded(Bench& bench, const Numerics& numerics,
                        const std::optional<Injection>& fault = {}) {
  const std::unique_ptr<Backend> faulty = fault ? inject(bench.cpu, *fault) : nullptr;
  Backend& backend = faulty ? *faulty : static_cast<Backend&>(bench.cpu);
  const Plan plan = make_plan(bench.stages, numerics, backend, "recorded");
  Capture capture{"other.npz", {}};
  run({.graph = bench.graph,
       .plan = plan,
       .backend = backend,
       .execution = bench.execution,
       .inputs = bench.inputs,
       .tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
         for (std::size_t k = 0; k < outputs.size(); ++k) {
           const Tensor made = backend.download(outputs[k], bench.execution);
           capture.tensors.emplace_back(
               planned.stage.output_names[k],
               made.type().type == Type::float64 ? to_float32(made) : made);
         }
       }});
  return capture;
}

/// What else is asked of a comparison with a recording.
struct AskedBeside {
  std::span<const Decision> decisions = {};
  std::size_t attribute = attribute_none;
};

inline RunRecord judged(Bench& bench, const Capture& capture, const Numerics& may = {},
                        const Numerics& own = {}, const AskedBeside& beside = {}) {
  const Plan plan = make_plan(bench.stages, own, bench.cpu, "a");
  return diff_capture({.graph = bench.graph,
                       .stages = bench.stages,
                       .a = {bench.cpu, plan, bench.execution},
                       .referee = {bench.cpu, bench.cpu, bench.execution},
                       .inputs = bench.inputs,
                       .capture = capture,
                       .spec = "capture:other.npz",
                       .numerics = may,
                       .decisions = beside.decisions,
                       .attribute = beside.attribute});
}

/// Both at once.
inline RunRecord recorded_and_judged(Bench& bench, const Numerics& numerics,
                                     const std::optional<Injection>& fault) {
  return judged(bench, recorded(bench, numerics, fault));
}

}  // namespace parity
