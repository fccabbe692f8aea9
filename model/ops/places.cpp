#include "model/ops/places.hpp"

#include <algorithm>
#include <cstring>

#include "model/error.hpp"

namespace parity {
namespace {

/// A table that is a line after all becomes an even axis; what it starts at goes to `start`.
void straighten(PlacedWalk::Axis& axis, std::int64_t& start) {
  const std::vector<std::int64_t>& at = axis.table;
  if (std::find(at.begin(), at.end(), Places::outside) != at.end()) return;
  const std::int64_t step = at.size() > 1 ? at[1] - at[0] : 0;
  for (std::size_t i = 1; i < at.size(); ++i)
    if (at[i] - at[i - 1] != step) return;
  start += at[0];
  axis.step = step;
  axis.table.clear();
}

/// Runs of one step, as long as they go.
std::vector<PlacedWalk::Run> runs_of(const PlacedWalk::Axis& axis) {
  if (axis.even()) return {{0, axis.extent, 0, axis.step}};
  const std::vector<std::int64_t>& at = axis.table;
  const auto inside = [&](std::size_t i) { return at[i] != Places::outside; };
  std::vector<PlacedWalk::Run> runs;
  for (std::size_t i = 0; i < at.size();) {
    std::size_t end = i + 1;
    std::int64_t step = 1;
    if (!inside(i)) {
      while (end < at.size() && !inside(end)) ++end;
    } else if (end < at.size() && inside(end)) {
      step = at[end] - at[i];
      while (end < at.size() && inside(end) && at[end] - at[end - 1] == step) ++end;
    }
    runs.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(end - i), at[i], step});
    i = end;
  }
  return runs;
}

template <class Word>
void copy_run(const PlacedWalk::Run& run, const Word* x, Word* y, Word fill) {
  if (run.from == Places::outside) {
    std::fill_n(y, run.length, fill);
  } else if (run.step == 1) {
    std::memcpy(y, x + run.from, static_cast<std::size_t>(run.length) * sizeof(Word));
  } else if (run.step == 0) {
    std::fill_n(y, run.length, x[run.from]);
  } else {
    const Word* from = x + run.from;
    for (std::int64_t i = 0; i < run.length; ++i, from += run.step) y[i] = *from;
  }
}

/// Where the walk stands in x: the sum of what its outer axes give, and how many say `outside`.
class Odometer {
 public:
  Odometer(const PlacedWalk& walk, std::int64_t row) : walk_(walk), at_(walk.start) {
    index_.resize(walk.axes.size() - 1);
    for (std::size_t k = index_.size(); k-- > 0;) {
      index_[k] = row % walk.axes[k].extent;
      row /= walk.axes[k].extent;
      enter(k);
    }
  }
  bool outside() const { return outside_ > 0; }
  std::int64_t at() const { return at_; }
  void next() {
    for (std::size_t k = index_.size(); k-- > 0;) {
      leave(k);
      const bool wraps = ++index_[k] == walk_.axes[k].extent;
      if (wraps) index_[k] = 0;
      enter(k);
      if (!wraps) return;
    }
  }

 private:
  std::int64_t place(std::size_t k) const {
    const PlacedWalk::Axis& axis = walk_.axes[k];
    return axis.even() ? index_[k] * axis.step : axis.table[static_cast<std::size_t>(index_[k])];
  }
  bool says_outside(std::size_t k, std::int64_t place) const {
    return place == Places::outside && !walk_.axes[k].even();
  }
  void enter(std::size_t k) {
    const std::int64_t here = place(k);
    if (says_outside(k, here))
      ++outside_;
    else
      at_ += here;
  }
  void leave(std::size_t k) {
    const std::int64_t here = place(k);
    if (says_outside(k, here))
      --outside_;
    else
      at_ -= here;
  }

  const PlacedWalk& walk_;
  std::vector<std::int64_t> index_;
  std::int64_t at_;
  int outside_ = 0;
};

template <class Word>
void copy_rows(const PlacedWalk& walk, const Word* x, Word* y, Word fill, std::int64_t first,
               std::int64_t last) {
  const std::int64_t columns = walk.columns();
  // Runs this short cost more than they save.
  const bool by_table = static_cast<std::int64_t>(walk.runs.size()) * 4 > columns;
  const std::vector<std::int64_t>& table = walk.axes.back().table;
  Odometer odometer(walk, first);
  for (std::int64_t row = first; row < last; ++row, odometer.next()) {
    Word* const to = y + row * columns;
    const Word* const from = x + odometer.at();
    if (odometer.outside()) {
      std::fill_n(to, columns, fill);
    } else if (by_table && !table.empty()) {
      for (std::int64_t i = 0; i < columns; ++i) {
        const std::int64_t at = table[static_cast<std::size_t>(i)];
        to[i] = at == Places::outside ? fill : from[at];
      }
    } else {
      for (const PlacedWalk::Run& run : walk.runs) copy_run(run, from, to + run.begin, fill);
    }
  }
}

template <class Word>
void copy_words(const PlacedWalk& walk, const void* x, void* y, const void* fill,
                std::int64_t first, std::int64_t last) {
  Word word;
  std::memcpy(&word, fill, sizeof word);
  copy_rows(walk, static_cast<const Word*>(x), static_cast<Word*>(y), word, first, last);
}

template <class T>
std::uint64_t word_of(double value) {
  const auto element = static_cast<T>(value);
  std::uint64_t word = 0;
  std::memcpy(&word, &element, sizeof element);
  return word;
}

}  // namespace

Shape Places::shape() const {
  Shape shape;
  for (const Part& part : parts) {
    if (part.axis == shape.size()) shape.push_back(1);
    shape.back() *= part.extent;
  }
  return shape;
}

bool Places::keep_items(const Shape& x) const {
  if (x.empty() || parts.empty()) return false;
  bool kept = x[0] == 1;
  for (const Part& part : parts) {
    if (part.extent == 1 && part.first == 0 && part.table.empty()) continue;
    const bool reads = part.from == 0;
    if (part.axis != 0 && !reads) continue;
    if (part.axis != 0 || !reads || !part.table.empty()) return false;
    if (part.first != 0 || part.step != 1 || part.extent != x[0]) return false;
    kept = true;
  }
  return kept;
}

std::int64_t PlacedWalk::rows() const {
  std::int64_t count = 1;
  for (std::size_t k = 0; k + 1 < axes.size(); ++k) count *= axes[k].extent;
  return count;
}

PlacedWalk placed_walk(const Places& places, const Shape& x, Layout of_x, Layout of_y) {
  const std::vector<std::int64_t> strides = memory_strides(x, of_x);
  PlacedWalk walk;
  const std::size_t rank = places.parts.empty() ? 0 : places.parts.back().axis + 1;
  for (const std::size_t axis : memory_order(rank, of_y))
    for (const Places::Part& part : places.parts) {
      if (part.axis != axis) continue;
      const std::int64_t stride = part.from == Places::nowhere ? 0 : strides[part.from];
      PlacedWalk::Axis next{part.extent};
      if (part.table.empty()) {
        walk.start += part.first * stride;
        next.step = part.step * stride;
      } else {
        for (const std::int64_t at : part.table)
          next.table.push_back(at == Places::outside ? at : at * stride);
        straighten(next, walk.start);
      }
      if (next.extent == 1 && next.even()) continue;
      const bool joins = !walk.axes.empty() && next.even() && walk.axes.back().even() &&
                         walk.axes.back().step == next.step * next.extent;
      if (joins) {
        walk.axes.back().extent *= next.extent;
        walk.axes.back().step = next.step;
      } else {
        walk.axes.push_back(std::move(next));
      }
    }
  if (walk.axes.empty()) walk.axes.push_back({1, 1});
  walk.runs = runs_of(walk.axes.back());
  return walk;
}

bool PlacedWalk::moves_nothing(std::int64_t elements_of_x) const {
  const Axis& axis = axes.front();
  return axes.size() == 1 && axis.even() && start == 0 && axis.extent == elements_of_x &&
         (axis.step == 1 || axis.extent == 1);
}

Layout placed_layout(const Places& places, const Shape& x, Layout of_x, const Shape& y) {
  std::vector<std::size_t> axes;
  for (const Places::Part& part : places.parts) axes.push_back(part.from);
  if (brings_channels_forward(axes, of_x)) return Layout::channels_last;
  if (x.size() != y.size()) return Layout::row_major;
  std::size_t channels = Places::nowhere;  // what y's innermost memory reads, channels-last
  for (const Places::Part& part : places.parts)
    if (part.axis == 1) channels = part.from;
  return channels == 1 ? of_x : Layout::row_major;
}

std::uint64_t word_of(Type type, double value) {
  switch (type) {
    case Type::float32:
      return word_of<float>(value);
    case Type::float64:
      return word_of<double>(value);
    case Type::int64:
      return word_of<std::int64_t>(value);
    case Type::boolean:
      return word_of<std::uint8_t>(value);
  }
  return 0;
}

void copy_placed(const PlacedWalk& walk, std::size_t word_bytes, const void* x, void* y,
                 const void* fill, std::int64_t first, std::int64_t last) {
  switch (word_bytes) {
    case 1:
      return copy_words<std::uint8_t>(walk, x, y, fill, first, last);
    case 4:
      return copy_words<std::uint32_t>(walk, x, y, fill, first, last);
    case 8:
      return copy_words<std::uint64_t>(walk, x, y, fill, first, last);
    default:
      throw Error(Fault::internal,
                  "a copy of words of " + std::to_string(word_bytes) + " bytes was asked for");
  }
}

}  // namespace parity
