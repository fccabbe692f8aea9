#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "compare/misread.hpp"
#include "model/ops.hpp"

// Private to compare/misread/ and compare/misread.cpp: the rooms of the table of misreadings, one for
// each kind of fault, and what rows of more than one room need.

namespace parity::misread_rows {

/// The rooms of the table, a file each. Within a room the rows stand in the order of `Bug`.
std::span<const Misreading> activations();
std::span<const Misreading> biases_and_norms();
std::span<const Misreading> movement();
std::span<const Misreading> recurrent_cells();
std::span<const Misreading> recurrent_sequences();
std::span<const Misreading> weights();
std::span<const Misreading> windows();

/// Of an element, one number for each axis.
using Index = std::vector<std::int64_t>;

/// The op of the first step.
const Op& head_of(const PlannedStage& planned);

/// The op of the first step when it is a T, else null.
template <class T>
const T* head_as(const PlannedStage& planned) {
  return std::get_if<T>(&head_of(planned));
}

/// The groups of a convolution; 1 for any other head.
std::int64_t groups_of(const PlannedStage& planned);

bool is_convolution(const PlannedStage& planned);

/// Whether the head is a convolution or a matrix product.
bool is_mac(const PlannedStage& planned);

/// Weights known at import; null for an op without.
const Tensor* weights_of(const PlannedStage& planned);

/// The stage with its head's op replaced by a changed copy.
template <class Change>
PlannedStage with_head(const PlannedStage& planned, Change change) {
  PlannedStage wrong = planned;
  Op op = head_of(planned);
  std::visit([&](auto& o) { change(o); }, static_cast<Op::variant&>(op));
  wrong.stage.steps.front().op = std::make_shared<const Op>(std::move(op));
  return wrong;
}

/// The stage with other weights in its head.
PlannedStage with_weights(const PlannedStage& planned, Tensor weights);

/// The tensor of `shape` whose element at `at` is from's element at source(at).
template <class Source>
Tensor gathered(const Tensor& from, const Shape& shape, Source source) {
  const std::span<const float> values = from.values<float>();
  std::vector<float> made(static_cast<std::size_t>(element_count(shape)));
  std::vector<std::int64_t> at(shape.size(), 0);
  for (float& element : made) {
    const std::optional<std::vector<std::int64_t>> index = source(at);
    std::int64_t offset = 0;
    if (index)
      for (std::size_t axis = 0; axis < from.shape().size(); ++axis)
        offset = offset * from.shape()[axis] + (*index)[axis];
    element = index ? values[static_cast<std::size_t>(offset)] : 0.0F;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return Tensor::of(shape, std::move(made));
}

/// The same shape, read with other indices.
template <class Change>
Tensor reindexed(const Tensor& from, Change change) {
  return gathered(from, from.shape(), [&](Index at) {
    change(at);
    return std::optional(std::move(at));
  });
}

/// f of each element.
template <class F>
Tensor mapped(const Tensor& from, F f) {
  const std::span<const float> values = from.values<float>();
  std::vector<float> made(values.begin(), values.end());
  for (float& value : made) value = f(value);
  return Tensor::of(from.shape(), std::move(made));
}

/// The one amount of a row that has no use for amounts.
std::vector<double> once(const PlannedStage&);

/// The amounts 0 to count - 1, of one that says which.
std::vector<double> numbered(std::size_t count);

/// An id that no tensor of the stage has.
std::int32_t unused_tensor(const Stage& stage);

/// A tensor of the same shape whose elements all have that value.
std::shared_ptr<const Tensor> constant_like(const Tensor& tensor, float value);

/// Whether all inputs are float32.
bool float_inputs(const PlannedStage& planned);

/// The stage with its recurrent layer changed.
template <class Change>
PlannedStage with_recurrent(const PlannedStage& planned, Change change) {
  return with_head(planned, [&](auto& o) {
    if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Recurrent>) change(o);
  });
}

}  // namespace parity::misread_rows
