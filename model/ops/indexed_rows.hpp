#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/tensor.hpp"

namespace parity {

/// How a tensor of indices addresses rows of neighbouring elements of a row-major tensor x: what the
/// Gather and Scatter functions have in common. Row r starts at the sum over `axes` of its index
/// times x_step, plus the sum over `components` of one index each times their step; the row's first
/// index stands at the sum of its index times index_step, the others behind it. A negative index
/// counts from the back.
struct IndexedRows {
  struct Axis {
    std::int64_t extent, x_step, index_step;
  };
  struct Component {
    std::int64_t extent, step;  ///< of an axis of x
  };
  std::vector<Axis> axes;             ///< of the rows, outermost first
  std::vector<Component> components;  ///< of an index
  std::int64_t run = 1;               ///< elements of a row

  std::int64_t rows() const;
};

/// `Gather`: rows along `axis`; {x before axis} + {indices} + {x behind axis}.
IndexedRows rows_along(const Shape& x, const Shape& indices, std::size_t axis);
/// `GatherElements`, `ScatterElements`: every element by itself, its place on `axis` given.
IndexedRows rows_of_elements(const Shape& x, const Shape& indices, std::size_t axis);
/// `GatherND`, `ScatterND`: the last axis of `indices` holds places on the axes of x behind
/// `batch_axes`.
IndexedRows rows_at_points(const Shape& x, const Shape& indices, std::size_t batch_axes);

/// Position of the first index that lies outside its axis; -1 when none does.
std::int64_t first_outside(const IndexedRows& rows, std::span<const std::int64_t> indices);
/// Throws Fault::bad_input, with outside_sentence(), when some index lies outside its axis.
void require_inside(const IndexedRows& rows, std::span<const std::int64_t> indices,
                    const std::string& what);
/// "Gather reads index 7 at position 3 of its indices, outside an axis of 5 elements; …".
std::string outside_sentence(const IndexedRows& rows, std::int64_t position, std::int64_t index,
                             const std::string& what);

/// Where each row starts in x; every index lies inside its axis.
std::vector<std::int64_t> row_starts(const IndexedRows& rows,
                                     std::span<const std::int64_t> indices);

}  // namespace parity
