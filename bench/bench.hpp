#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/backend.hpp"
#include "model/graph.hpp"

namespace parity::bench {

/// Seconds that a call takes.
double seconds(const std::function<void()>& call);

double median(std::vector<double> values);

/// A model to measure: an ONNX file, or `sample:NAME`, whose BatchNorms are settled on `settler`.
Graph load(const std::string& model, Backend& settler, const Execution& execution);

/// One tensor per graph input, from `generator` ("pillars:7").
std::vector<Tensor> make_inputs(const Graph& graph, const std::string& generator);

}  // namespace parity::bench
