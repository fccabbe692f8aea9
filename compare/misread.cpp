#include "compare/misread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/error.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

constexpr std::array bug_names = std::to_array<std::string_view>({"kernel_axes_swapped",
                                                                  "kernel_flipped",
                                                                  "weights_transposed",
                                                                  "weights_misordered",
                                                                  "window_shifted",
                                                                  "pads_misordered",
                                                                  "padding_replicated",
                                                                  "padding_not_zero",
                                                                  "stride_swapped",
                                                                  "dilation_swapped",
                                                                  "dilation_ignored",
                                                                  "groups_misread",
                                                                  "tail_dropped",
                                                                  "bias_dropped",
                                                                  "bias_misscaled",
                                                                  "bias_misplaced",
                                                                  "folded_twice",
                                                                  "shift_dropped",
                                                                  "wrong_epsilon",
                                                                  "batch_statistics",
                                                                  "variance_unbiased",
                                                                  "scale_shift_swapped",
                                                                  "mean_variance_swapped",
                                                                  "constants_misread",
                                                                  "activation_dropped",
                                                                  "constant_misapplied",
                                                                  "relu_in_place",
                                                                  "sigmoid_hardened",
                                                                  "gelu_by_another_formula",
                                                                  "relu_leaks",
                                                                  "relu_capped",
                                                                  "pool_pads_zero",
                                                                  "pool_ceil_lost",
                                                                  "mean_undivided",
                                                                  "pads_miscounted",
                                                                  "resize_misplaced",
                                                                  "resize_rounded",
                                                                  "resize_interpolated",
                                                                  "inputs_reversed",
                                                                  "input_dropped",
                                                                  "channels_reversed",
                                                                  "flattened_channels_last",
                                                                  "transpose_dropped",
                                                                  "reset_misplaced",
                                                                  "gates_misordered",
                                                                  "initial_state_ignored",
                                                                  "initial_state_stale",
                                                                  "sequence_reversed",
                                                                  "directions_swapped",
                                                                  "recurrence_transposed",
                                                                  "recurrence_dropped",
                                                                  "forget_bias_misread",
                                                                  "cell_functions_misread",
                                                                  "cell_clip_misread",
                                                                  "row_epsilon",
                                                                  "softmax_axis",
                                                                  "tf32_unnoticed",
                                                                  "tf32_truncated",
                                                                  "half_operands",
                                                                  "bfloat_operands",
                                                                  "weights_narrowed",
                                                                  "operand_truncated",
                                                                  "subnormals_flushed",
                                                                  "order_changed",
                                                                  "bit_flipped",
                                                                  "ulp_bumped",
                                                                  "element_moved",
                                                                  "channel_scaled",
                                                                  "channel_offset",
                                                                  "channel_replaced",
                                                                  "channels_permuted",
                                                                  "stale_buffer",
                                                                  "border_garbage",
                                                                  "lane_corrupted",
                                                                  "tile_tail_garbage",
                                                                  "index_overflow",
                                                                  "batch_item_repeated",
                                                                  "nan_swallowed",
                                                                  "output_zeroed",
                                                                  "output_constant",
                                                                  "input_returned",
                                                                  "run_to_run",
                                                                  "race",
                                                                  "batch_dependent"});
static_assert(bug_names.size() == static_cast<std::size_t>(Bug::batch_dependent) + 1);

/// Puts the row of one bug right before the row of another.
void move_before(std::vector<Misreading>& rows, Bug moved, Bug next) {
  const auto at = [&](Bug bug) {
    return std::find_if(rows.begin(), rows.end(),
                        [=](const Misreading& row) { return row.bug == bug; });
  };
  const auto from = at(moved), to = at(next);
  if (from < to)
    std::rotate(from, from + 1, to);
  else
    std::rotate(to, from, from + 1);
}

/// The rows of all rooms, in the order in which a diagnosis tries them: the first that fits gives the name.
std::vector<Misreading> assembled() {
  std::vector<Misreading> rows;
  for (const std::span<const Misreading> room :
       {misread_rows::windows(), misread_rows::weights(), misread_rows::biases_and_norms(),
        misread_rows::activations(), misread_rows::movement(), misread_rows::recurrent_cells(),
        misread_rows::recurrent_sequences()})
    rows.insert(rows.end(), room.begin(), room.end());
  std::sort(rows.begin(), rows.end(),
            [](const Misreading& x, const Misreading& y) { return x.bug < y.bug; });
  std::size_t counted = 0;
  while (counted < rows.size() && rows[counted].bug == static_cast<Bug>(counted)) ++counted;
  if (counted != rows.size() || counted != static_cast<std::size_t>(Bug::order_changed) + 1)
    throw Error(
        Fault::internal,
        fmt::format("The table of misreadings lacks a row of {} or has two of one bug: write "
                    "one row in compare/misread/ for each bug up to order_changed.",
                    name(static_cast<Bug>(counted))));
  // Two are tried elsewhere than their enumerators stand, by whose order the selftest draws its faults:
  // moving either would change what is named or what is drawn.
  move_before(rows, Bug::constant_misapplied, Bug::activation_dropped);
  move_before(rows, Bug::relu_in_place, Bug::reset_misplaced);
  return rows;
}

}  // namespace

std::string_view name(Bug bug) { return bug_names.at(static_cast<std::size_t>(bug)); }

std::span<const Misreading> misreadings() {
  static const std::vector<Misreading> rows = assembled();
  return rows;
}

const Misreading* misreading_of(Bug bug) {
  for (const Misreading& row : misreadings())
    if (row.bug == bug) return &row;
  return nullptr;
}

std::size_t batch_norm_of(const Stage& stage) {
  std::size_t i = 0;
  while (i < stage.steps.size() && !std::holds_alternative<BatchNorm>(*stage.steps[i].op)) ++i;
  return i;
}

std::int64_t batch_items(const Stage& stage) {
  if (stage.inputs.empty() || std::holds_alternative<Recurrent>(*stage.steps.front().op)) return 1;
  const Shape &x = stage.input_types[0].shape, &y = stage.output_types[0].shape;
  return x.empty() || y.empty() || x[0] != y[0] ? 1 : y[0];
}

PlannedStage prefix_of(const PlannedStage& planned, std::size_t steps) {
  PlannedStage first = planned;
  Stage& stage = first.stage;
  stage.steps.resize(steps);
  first.contracts.resize(steps);
  if (steps == 0 || steps == planned.stage.steps.size()) return first;
  const Step& last = stage.steps.back();
  const std::vector<OperandTypes> types = step_operand_types(stage);
  stage.outputs = last.outputs;
  stage.output_types = visit([&](const auto& o) { return o.infer(types.back()); }, *last.op);
  stage.output_names.resize(1);
  return first;
}

PlannedStage suffix_of(const PlannedStage& planned, std::size_t first) {
  PlannedStage last = planned;
  if (first == 0) return last;
  Stage& stage = last.stage;
  const Step& before = planned.stage.steps[first - 1];
  stage.inputs = before.outputs;
  stage.input_types =
      visit([&](const auto& o) { return o.infer(step_operand_types(planned.stage)[first - 1]); },
            *before.op);
  stage.input_names.assign(stage.inputs.size(), {});
  stage.macs = 0;
  const auto count = static_cast<std::ptrdiff_t>(first);
  stage.steps.erase(stage.steps.begin(), stage.steps.begin() + count);
  last.contracts.erase(last.contracts.begin(), last.contracts.begin() + count);
  return last;
}

std::vector<double> widened(const Tensor& tensor) {
  const auto all = [](const auto values) {
    std::vector<double> wide(values.size());
    std::transform(values.begin(), values.end(), wide.begin(),
                   [](auto value) { return static_cast<double>(value); });
    return wide;
  };
  switch (tensor.type().type) {
    case Type::float64:
      return all(tensor.values<double>());
    case Type::int64:
      return all(tensor.values<std::int64_t>());
    case Type::boolean:
      return all(tensor.values<std::uint8_t>());
    case Type::float32:
      break;
  }
  return all(tensor.values<float>());
}

Tensor narrowed(const TensorType& type, std::span<const double> elements) {
  const auto as = [&]<class T>(T) {
    std::vector<T> values(elements.size());
    std::transform(elements.begin(), elements.end(), values.begin(),
                   [](double value) { return static_cast<T>(value); });
    return Tensor::of(type.shape, std::move(values));
  };
  switch (type.type) {
    case Type::float64:
      return as(double{});
    case Type::int64:
      return as(std::int64_t{});
    case Type::boolean:
      return as(std::uint8_t{});
    case Type::float32:
      break;
  }
  return as(float{});
}

std::vector<Value> run_misread(const Seat& seat, const Misread& misread, Reading reading) {
  std::vector<Value> inputs(seat.inputs.begin(), seat.inputs.end());
  if (misread.operand)
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Type type = inputs[i].type().type;
      if (type != Type::float32 && type != Type::float64) continue;  // integers are no operands
      inputs[i] = seat.backend.upload(
          misread.operand(i, to_float32(seat.backend.download(inputs[i], seat.execution))),
          seat.execution);
    }
  // Copies of its own, so that nothing packed for the right stage is taken for this one.
  PlannedStage stage = misread.stage;
  for (Step& step : stage.stage.steps)
    for (auto& parameter : step.parameters)
      if (parameter) parameter = std::make_shared<const Tensor>(*parameter);
  std::vector<Value> outputs = seat.backend.run(stage, inputs, reading, seat.execution);
  seat.backend.forget(stage);
  if (reading == Reading::magnitudes || (!misread.element && !misread.result)) return outputs;
  const Tensor made = seat.backend.download(outputs[0], seat.execution);
  std::vector<double> y = widened(made);
  if (misread.element)
    for (double& value : y) value = misread.element(value);
  if (misread.result) misread.result(made.shape(), y);
  outputs[0] = seat.backend.upload(narrowed(made.type(), y), seat.execution);
  return outputs;
}

}  // namespace parity
