#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/arithmetic/fill.hpp"
#include "model/graph.hpp"
#include "model/ops.hpp"

namespace parity {

/// Conv 3x3 (seeded weights) on `x`, as the step `node` that makes the tensor `output`.
inline TensorId add_conv(GraphBuilder& graph, TensorId x, std::int64_t channels,
                         const std::string& node, const std::string& output, std::uint64_t seed) {
  Conv2d op;
  op.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  const std::int64_t in = graph.type(x).shape[1];
  return graph
      .add_step(op, {x},
                {filled({Type::float32, {channels, in, 3, 3}}, Fill::real, seed), std::nullopt},
                node, {output}, "Conv")
      .front();
}

/// BatchNorm with seeded constants and positive variances.
inline TensorId add_norm(GraphBuilder& graph, TensorId x, const std::string& node,
                         const std::string& output, std::uint64_t seed) {
  const std::int64_t channels = graph.type(x).shape[1];
  const TensorType type{Type::float32, {channels}};
  std::vector<float> variance(static_cast<std::size_t>(channels));
  const Counter counter(seed, "variance");
  for (std::size_t c = 0; c < variance.size(); ++c)
    variance[c] = static_cast<float>(10 + 20 * counter.uniform(c));
  return graph
      .add_step(BatchNorm{1e-3F}, {x},
                {filled(type, Fill::real, seed), filled(type, Fill::real, seed + 1),
                 filled(type, Fill::real, seed + 2), Tensor::of(type.shape, std::move(variance))},
                node, {output}, "BatchNormalization")
      .front();
}

inline TensorId add_relu(GraphBuilder& graph, TensorId x, const std::string& node,
                         const std::string& output) {
  return graph.add_step(Unary{EpilogueKind::relu}, {x}, {}, node, {output}, "Relu").front();
}

}  // namespace parity
