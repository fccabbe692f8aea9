#include "cpu/places.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "cpu/threads.hpp"
#include "cpu/transpose.hpp"

namespace parity::cpu {
namespace {

/// An axis along which x's neighbours lie side by side while the last axis of y strides through x: the two
/// are a matrix to transpose. Nothing when there is none, or too little of it to gain.
std::optional<std::size_t> turned_axis(const PlacedWalk& walk) {
  constexpr std::int64_t least = 8;
  const PlacedWalk::Axis& last = walk.axes.back();
  const bool even = std::all_of(walk.axes.begin(), walk.axes.end(),
                                [](const PlacedWalk::Axis& axis) { return axis.even(); });
  if (!even || last.step <= 1) return std::nullopt;
  for (std::size_t k = 0; k + 1 < walk.axes.size(); ++k)
    if (walk.axes[k].step == 1 && walk.axes[k].extent >= least) return k;
  return std::nullopt;
}

/// The walk as transposed matrices of its `turned` and its last axis, one for every index of the others.
/// Bits pass, so that words of a width are moved as the floats of that width.
template <class T>
void transpose_all(const PlacedWalk& walk, std::size_t turned, const T* x, T* y,
                   const Execution& execution) {
  const PlacedWalk::Axis &rows = walk.axes.back(), &columns = walk.axes[turned];
  std::vector<std::int64_t> steps(walk.axes.size());  // of y
  std::int64_t step = 1, matrices = 1;
  for (std::size_t k = walk.axes.size(); k-- > 0;) {
    steps[k] = step;
    step *= walk.axes[k].extent;
    if (k != turned && k + 1 != walk.axes.size()) matrices *= walk.axes[k].extent;
  }
  constexpr std::int64_t large = std::int64_t{8} << 20;  // bytes that no second-level cache holds
  const Into into =
      step * static_cast<std::int64_t>(sizeof(T)) >= large ? Into::memory : Into::cache;
  // Bands of columns, so that one matrix occupies all threads.
  constexpr std::int64_t band = 256;
  const std::int64_t bands = (columns.extent + band - 1) / band;
  parallel_for(matrices * bands, 1, execution.threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t job = first; job < last; ++job) {
      const std::int64_t column = job % bands * band,
                         some = std::min(band, columns.extent - column);
      std::int64_t rest = job / bands, from = walk.start + column, to = column * steps[turned];
      for (std::size_t k = walk.axes.size() - 1; k-- > 0;) {
        if (k == turned) continue;
        const std::int64_t index = rest % walk.axes[k].extent;
        rest /= walk.axes[k].extent;
        from += index * walk.axes[k].step;
        to += index * steps[k];
      }
      transpose(x + from, rows.step, y + to, steps[turned], rows.extent, some, into,
                execution.instruction_set);
    }
  });
}

}  // namespace

Value placed(const Places& places, const Value& x, const TensorType& y, double fill,
             const Job& job) {
  const Layout of_x = layout_of(x), of_y = placed_layout(places, x.shape(), of_x, y.shape);
  const PlacedWalk walk = placed_walk(places, x.shape(), of_x, of_y);
  const CpuStorage& storage = storage_of(x);
  if (walk.moves_nothing(element_count(x.shape())))
    return {y, std::make_shared<const CpuStorage>(x.storage(), storage.data(), storage.bytes(),
                                                  meaningful(y.shape, of_y))};
  Fresh fresh(y, of_y, &job.memory);
  if (element_count(y.shape) == 0) return std::move(fresh).value();
  const std::uint64_t word = word_of(y.type, job.magnitudes() ? std::abs(fill) : fill);
  void* const to = fresh.data<void>();
  const std::size_t width = byte_width(y.type);
  if (const auto turned = turned_axis(walk); turned && width >= sizeof(float)) {
    if (width == sizeof(float))
      transpose_all(walk, *turned, static_cast<const float*>(storage.data()),
                    static_cast<float*>(to), job.execution);
    else
      transpose_all(walk, *turned, static_cast<const double*>(storage.data()),
                    static_cast<double*>(to), job.execution);
    return std::move(fresh).value();
  }
  parallel_for(walk.rows(), std::max<std::int64_t>(1, 16384 / walk.columns()),
               job.execution.threads, [&](std::int64_t first, std::int64_t last) {
                 copy_placed(walk, width, storage.data(), to, &word, first, last);
               });
  return std::move(fresh).value();
}

}  // namespace parity::cpu
