#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/graph.hpp"

namespace parity {

/// The ways in which networks are put together, each as a family of small networks: extents,
/// channels, strides, groups, pads and constants follow from a seed.
enum class Topology {
  plain,          ///< convolutions in a row, a sigmoid head
  strided,        ///< strides, dilations, oblong kernels, lopsided pads, pools
  residual,       ///< additions around pairs of convolutions
  neck,           ///< branches at two scales, brought together by Concat
  grouped,        ///< grouped and depthwise convolutions
  deconv,         ///< transposed convolutions
  mlp,            ///< a pooled and a flattened image through products of matrices
  pyramid,        ///< average pools, a resized branch, channels split and joined
  preactivation,  ///< additions around a value that a ReLU reads as well
  mobile,         ///< inverted bottlenecks under activations that have constants
  recurrent       ///< a GRU, an LSTM, a normalization and a softmax over a sequence
};
std::string_view name(Topology topology);
std::span<const Topology> all_topologies();

/// bare: no BatchNorm and no bias, so that a small input stays small all the way.
enum class Dressing { normalised, bare };

/// A network of some 5 to 9 stages, of 1 or 2 items, with fewer than 200,000 multiply-adds per stage.
Graph small_network(Topology topology, std::uint64_t seed, Dressing dressing);

}  // namespace parity
