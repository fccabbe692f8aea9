#include "cpu/places.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/threads.hpp"

namespace parity::cpu {
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
  parallel_for(walk.rows(), std::max<std::int64_t>(1, 16384 / walk.columns()),
               job.execution.threads, [&](std::int64_t first, std::int64_t last) {
                 copy_placed(walk, byte_width(y.type), storage.data(), to, &word, first, last);
               });
  return std::move(fresh).value();
}

}  // namespace parity::cpu
