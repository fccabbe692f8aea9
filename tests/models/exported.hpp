#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "cpu/backend.hpp"
#include "model/files/npz.hpp"
#include "model/onnx/import.hpp"
#include "model/plan.hpp"
#include "model/spec.hpp"

namespace parity {

/// A committed export: NETWORK.VARIANT under tests/data/models.
struct Exported {
  std::string network, variant;
  std::string name() const { return network + "." + variant; }
};
/// GoogleTest's hook for the parameter of a test.
inline void PrintTo(const Exported& exported, std::ostream* out) { *out << exported.name(); }

inline std::string models_file(const std::string& name) {
  return std::string(PARITYLAB_SOURCE) + "/tests/data/models/" + name;
}

/// An export, cut, with its committed inputs in the graph's order.
struct Loaded {
  Graph graph;
  std::vector<Stage> stages;
  std::vector<Tensor> inputs;

  Plan plan(const std::string& spec, const Backend& backend) const {
    return make_plan(stages, parse_spec(spec).numerics, backend, spec);
  }
};

inline std::map<std::string, Tensor> npz_by_name(const std::string& file) {
  std::map<std::string, Tensor> all;
  for (const NamedTensor& each : read_npz(models_file(file))) all.emplace(each.name, each.tensor);
  return all;
}

inline Loaded load(const Exported& exported) {
  const std::map<std::string, Tensor> inputs = npz_by_name(exported.network + ".inputs.npz");
  ImportOptions options;
  options.bindings = inputs;  // open extents are those of the inputs
  Loaded loaded{import_onnx(models_file(exported.name() + ".onnx"), options), {}, {}};
  loaded.stages = cut(loaded.graph);
  for (const TensorId id : loaded.graph.inputs)
    loaded.inputs.push_back(inputs.at(loaded.graph.tensor(id).name));
  return loaded;
}

}  // namespace parity
