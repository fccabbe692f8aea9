#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/layout.hpp"
#include "model/tensor.hpp"

namespace parity {

/// Where each element of a tensor y lies in a tensor x, or that it is a constant: what a slice, a
/// padding, a repetition, a transpose and a resize to the nearest element have in common, so that a
/// backend has one room that moves them all.
struct Places {
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
  static constexpr std::int64_t outside = -1;

  /// A part of an axis of y. Its index i stands for the place first + i * step, or table[i], on an
  /// axis of x. Places that several parts give on one axis of x add up.
  struct Part {
    std::size_t axis;     ///< of y; the parts of one axis stand together, outermost first
    std::size_t from;     ///< axis of x; `nowhere`: the same element for every i
    std::int64_t extent;  ///< the extents of an axis' parts multiply to the axis' own
    std::int64_t first = 0, step = 1;
    /// In place of first and step when not empty; where it says `outside`, y has the fill.
    std::vector<std::int64_t> table = {};
  };
  std::vector<Part> parts;  ///< row-major over y

  /// y's extents.
  Shape shape() const;
  /// Whether axis 0 of y is axis 0 of an x of this shape, item by item, and no other axis reads it.
  bool keep_items(const Shape& x) const;
};

/// `Places` as a walk over y's memory: what is left when both layouts are known.
struct PlacedWalk {
  struct Axis {
    std::int64_t extent;
    std::int64_t step = 0;                 ///< elements of x
    std::vector<std::int64_t> table = {};  ///< offsets in x in place of step; Places::outside
    bool even() const { return table.empty(); }
  };
  /// Elements of the last axis that are copied at once.
  struct Run {
    std::int64_t begin, length;
    std::int64_t from;  ///< offset in x, or Places::outside
    std::int64_t step;
  };
  std::int64_t start = 0;  ///< offset in x that is added to all others
  std::vector<Axis> axes;  ///< y's memory, outermost first; at least one
  std::vector<Run> runs;   ///< the last axis

  std::int64_t columns() const { return axes.back().extent; }
  std::int64_t rows() const;
  /// Whether y's memory is that of an x of so many elements, one by one.
  bool moves_nothing(std::int64_t elements_of_x) const;
};
/// Axes that lie evenly one in the other are made one.
PlacedWalk placed_walk(const Places& places, const Shape& x, Layout of_x, Layout of_y);

/// The layout that y gets: x's own where y's channels are x's, so that channels-last stays;
/// channels-last for a transpose that only renames the layout ({N, …, C} to {N, C, …}).
Layout placed_layout(const Places& places, const Shape& x, Layout of_x, const Shape& y);

/// An element of the type as a word of its width, the rest of the word 0.
std::uint64_t word_of(Type type, double value);

/// Copies the rows [first, last) of the walk. Words of 1, 4 or 8 bytes; `fill` points to one.
void copy_placed(const PlacedWalk& walk, std::size_t word_bytes, const void* x, void* y,
                 const void* fill, std::int64_t first, std::int64_t last);

}  // namespace parity
