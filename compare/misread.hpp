#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/backend.hpp"

namespace parity {

/// Faults that real backends had (NUMERICS section 5.2). The first group misreads a stage: the
/// faulty backend computes another stage than the one it was given, so that the same misreading
/// both seats the fault (compare/inject) and proves it (compare/diagnosis). The second group spoils
/// what a stage made.
enum class Bug {
  kernel_axes_swapped,
  kernel_flipped,
  weights_transposed,
  weights_misordered,
  window_shifted,
  pads_misordered,
  padding_replicated,
  padding_not_zero,
  stride_swapped,
  dilation_swapped,
  dilation_ignored,
  groups_misread,
  tail_dropped,
  bias_dropped,
  bias_misscaled,
  bias_misplaced,
  folded_twice,
  shift_dropped,
  wrong_epsilon,
  batch_statistics,
  variance_unbiased,
  scale_shift_swapped,
  mean_variance_swapped,
  constants_misread,
  activation_dropped,
  constant_misapplied,
  relu_in_place,
  sigmoid_hardened,
  gelu_by_another_formula,
  relu_leaks,
  relu_capped,
  pool_pads_zero,
  pool_ceil_lost,
  mean_undivided,
  pads_miscounted,
  resize_misplaced,
  resize_rounded,
  resize_interpolated,
  inputs_reversed,
  input_dropped,
  channels_reversed,
  flattened_channels_last,
  transpose_dropped,
  reset_misplaced,
  gates_misordered,
  initial_state_ignored,
  initial_state_stale,
  sequence_reversed,
  directions_swapped,
  recurrence_transposed,
  recurrence_dropped,
  forget_bias_misread,
  cell_functions_misread,
  cell_clip_misread,
  row_epsilon,
  softmax_axis,
  tf32_unnoticed,
  tf32_truncated,
  half_operands,
  bfloat_operands,
  weights_narrowed,
  operand_truncated,
  subnormals_flushed,
  order_changed,

  bit_flipped,
  ulp_bumped,
  element_moved,
  channel_scaled,
  channel_offset,
  channel_replaced,
  channels_permuted,
  stale_buffer,
  border_garbage,
  lane_corrupted,
  tile_tail_garbage,
  index_overflow,
  batch_item_repeated,
  nan_swallowed,
  output_zeroed,
  output_constant,
  input_returned,
  run_to_run,
  race,
  batch_dependent
};
std::string_view name(Bug bug);

/// A stage in its place: what a misreading may look at.
struct Seat {
  const PlannedStage& planned;
  Backend& backend;
  std::span<const Value> inputs;  ///< readable by `backend`
  const Execution& execution;
};

/// A stage as a faulty backend understands it: perhaps other parameters, attributes or contracts,
/// perhaps other operands, perhaps another last operation.
struct Misread {
  PlannedStage stage;
  /// What becomes of input `index`, given as float32; null: inputs stay as they are.
  std::function<Tensor(std::size_t index, const Tensor&)> operand = {};
  /// What becomes of each element of the outputs; null: nothing.
  std::function<double(double)> element = {};
  /// What becomes of output 0 as a whole, row-major; null: nothing.
  std::function<void(const Shape&, std::vector<double>&)> result = {};
};

/// Whether a misreading's amount names one of a few choices or is a number that can be fitted.
enum class Amount { choice, real };

/// One way to misread a stage.
struct Misreading {
  Bug bug;
  int zoo;                 ///< its number in NUMERICS section 5.2; 0: not listed there
  std::string_view means;  ///< "the kernel is read with rows and columns exchanged"
  bool (*applies)(const PlannedStage& planned);
  /// The amounts worth trying when nothing is known; their meaning stands at each row.
  std::vector<double> (*amounts)(const PlannedStage& planned);
  Misread (*make)(const Seat& seat, double amount);
  Amount amount = Amount::choice;
  /// What the amount adds to `means`, " (off by +0.001)"; null: nothing.
  std::string (*says)(const PlannedStage& planned, double amount) = nullptr;
};
/// All rows (compare/misread/), in the order in which a diagnosis tries them: the first that fits wins.
std::span<const Misreading> misreadings();
/// The row of a bug; null for one that spoils outputs.
const Misreading* misreading_of(Bug bug);

/// Runs the stage as it was misread. What was packed for it is forgotten.
std::vector<Value> run_misread(const Seat& seat, const Misread& misread, Reading reading);

/// The first `steps` steps of a stage, as a stage; it gives the value of the last of them.
PlannedStage prefix_of(const PlannedStage& planned, std::size_t steps);

/// The steps from `first` on, as a stage that reads what the step before them made.
PlannedStage suffix_of(const PlannedStage& planned, std::size_t first);

/// Position of the first BatchNorm among the steps; their number when there is none.
std::size_t batch_norm_of(const Stage& stage);

/// How many items of a batch the stage computes, each by itself: the first extent, where its first
/// input has the same; 1 where that may be time (recurrent layers).
std::int64_t batch_items(const Stage& stage);

/// A tensor's elements widened, and the way back (rounded once where the type is float32).
std::vector<double> widened(const Tensor& tensor);
Tensor narrowed(const TensorType& type, std::span<const double> elements);

}  // namespace parity
