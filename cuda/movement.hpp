#pragma once

#include <cstdint>

#include "cuda/api.hpp"

namespace parity::cuda {

// Kernels that move, convert and read elements.

/// to[n][column][row] = from[n][row][column], words of 1, 4 or 8 bytes.
struct TransposeArgument {
  const void* from;
  void* to;
  std::int64_t N, rows, columns;
  int word_bytes;
};
Status launch_transpose(const Queue& queue, const TransposeArgument& argument);

enum class ElementType { float32, float64, int64, boolean };

/// to[i] = from[i] converted, to nearest even where it does not fit; `to_type` is float32 or float64.
struct ConvertArgument {
  const void* from;
  void* to;
  std::int64_t count;
  ElementType from_type, to_type;
};
Status launch_convert(const Queue& queue, const ConvertArgument& argument);

/// Axes that a kernel walks, the last one fastest.
struct Walk {
  static constexpr int most_axes = 8;
  int rank;
  std::int64_t extents[most_axes];
};
/// Elements to step over per index of each axis of a Walk.
struct Steps {
  std::int64_t of[Walk::most_axes];
};

/// to[index . to_steps] = from[index . from_steps] for every index of the walk, words of 4 or 8 bytes.
struct StridedCopyArgument {
  const void* from;
  void* to;
  std::int64_t count;  ///< of the walk
  Walk walk;
  Steps from_steps, to_steps;
  int word_bytes;
};
Status launch_strided_copy(const Queue& queue, const StridedCopyArgument& argument);

/// to[i] = from[start + the sum over the walk's axes of index * step, or of tables[axis][index] where there
/// is one], or the fill where a table says -1. Words of 1, 4 or 8 bytes.
struct PlacedCopyArgument {
  const void* from;
  void* to;
  std::int64_t count;  ///< of the walk
  std::int64_t start;
  Walk walk;
  Steps steps;
  const std::int64_t* tables[Walk::most_axes];
  std::uint64_t fill;
  int word_bytes;
};
Status launch_placed_copy(const Queue& queue, const PlacedCopyArgument& argument);

/// to[i] = magnitude_operand(from[i]).
struct MagnitudeArgument {
  const float* from;
  float* to;
  std::int64_t count;
};
Status launch_magnitude(const Queue& queue, const MagnitudeArgument& argument);

}  // namespace parity::cuda
