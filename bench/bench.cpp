#include "bench/bench.hpp"

#include <algorithm>
#include <chrono>

#include "model/generator.hpp"
#include "model/onnx/import.hpp"
#include "model/samples/samples.hpp"

namespace parity::bench {

double seconds(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Graph load(const std::string& model, Backend& settler, const Execution& execution) {
  constexpr std::string_view prefix = "sample:";
  if (model.starts_with(prefix))
    return sample_graph(model.substr(prefix.size()), settler, execution);
  return import_onnx(std::filesystem::path(model));
}

std::vector<Tensor> make_inputs(const Graph& graph, const std::string& generator) {
  std::vector<Tensor> inputs;
  for (const TensorId id : graph.inputs) {
    const TensorInfo& tensor = graph.tensor(id);
    inputs.push_back(generate(parse_generator(generator), tensor.type, tensor.name));
  }
  return inputs;
}

}  // namespace parity::bench
