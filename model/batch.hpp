#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/graph.hpp"
#include "model/tensor.hpp"

namespace parity {

/// A network on more items, or the sentence that says why there is no such network.
struct Rebatched {
  std::optional<Graph> graph;
  std::string why;
};

/// The network on `times` as many items of axis 0, every item as it was: the first extent of every
/// input and of every tensor computed from one is multiplied, all other extents stay. A Reshape
/// whose target begins with the old extent gets the new one. Names stay, so the cut stays. There is
/// no such network where an input is a scalar, inputs disagree about the number of items, or a step
/// mixes items or moves them off axis 0: `why` names it.
Rebatched with_items(const Graph& graph, std::int64_t times);

/// Items `first` to `first + count` of axis 0; shares the elements.
Tensor items_of(const Tensor& tensor, std::int64_t first, std::int64_t count);

}  // namespace parity
