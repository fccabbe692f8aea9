#pragma once

#include "cuda/movement.hpp"

namespace parity::cuda {

/// Rows of neighbouring elements that indices address, model/ops/indexed_rows.hpp as the device reads it.
/// The indices lie inside their axes; negative ones count from the back.
struct RowsArgument {
  const std::int64_t* indices;
  std::int64_t rows, run;
  Walk walk;  ///< over the rows
  Steps x_steps, index_steps;
  int components;
  std::int64_t extents[Walk::most_axes], steps[Walk::most_axes];  ///< of each component
};

/// `first`, which is all ones before, becomes the position of the first index outside its axis, if any.
struct CheckArgument {
  const std::int64_t* indices;
  std::int64_t count;
  int components;
  std::int64_t extents[Walk::most_axes];
  std::uint64_t* first;
};
Status launch_check_indices(const Queue& queue, const CheckArgument& argument);

/// y[row, j] = x[start of row + j], words of 1, 4 or 8 bytes.
struct GatherRowsArgument {
  RowsArgument rows;
  const void* x;
  void* y;
  int word_bytes;
};
Status launch_gather_rows(const Queue& queue, const GatherRowsArgument& argument);

enum class ScatterFunction { replace, add, mul, max, min };

/// winners[start of row / run] becomes the number of the last row that starts there, from 1; 0 before.
struct WinnersArgument {
  RowsArgument rows;
  std::uint64_t* winners;
};
Status launch_winners(const Queue& queue, const WinnersArgument& argument);

/// y[start of row + j] = f(y[start of row + j], updates[row, j]), rows ascending. `replace` reads winners,
/// and every row is written by itself; the others go through the rows one after the other, one thread for
/// each place in a row.
struct ScatterArgument {
  RowsArgument rows;
  const float* updates;
  float* y;
  const std::uint64_t* winners;
  ScatterFunction function;
  bool grow;  ///< read max(u, 1) for u
};
Status launch_scatter(const Queue& queue, const ScatterArgument& argument);

/// to[i] = max(from[i], 1), NaN kept.
struct GrowArgument {
  const float* from;
  float* to;
  std::int64_t count;
};
Status launch_grow(const Queue& queue, const GrowArgument& argument);

}  // namespace parity::cuda
