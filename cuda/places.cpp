#include "cuda/places.hpp"

#include <cmath>

#include "cuda/movement.hpp"

namespace parity::cuda {

Value placed(const Places& places, const Value& x, const TensorType& y, double fill,
             const std::string& what, const Job& job) {
  const Layout of_x = layout_of(x), of_y = placed_layout(places, x.shape(), of_x, y.shape);
  const PlacedWalk walk = placed_walk(places, x.shape(), of_x, of_y);
  if (walk.moves_nothing(element_count(x.shape())))
    return {y, std::make_shared<const CudaStorage>(storage_of(x).memory(), &job.session,
                                                   meaningful(y.shape, of_y))};
  if (walk.axes.size() > Walk::most_axes)
    throw Error(Fault::bad_request, "a movement needs a walk over " +
                                        std::to_string(walk.axes.size()) +
                                        " axes; kernels walk at most " +
                                        std::to_string(Walk::most_axes) + ". Run it on cpu.");
  Fresh fresh(y, of_y, job.session);
  PlacedCopyArgument a{};
  a.from = storage_of(x).data();
  a.to = fresh.data<void>();
  a.count = element_count(y.shape);
  a.start = walk.start;
  a.walk.rank = static_cast<int>(walk.axes.size());
  for (std::size_t k = 0; k < walk.axes.size(); ++k) {
    const PlacedWalk::Axis& axis = walk.axes[k];
    a.walk.extents[k] = axis.extent;
    a.steps.of[k] = axis.step;
    if (axis.even()) continue;
    const std::string packing = what + ", table " + std::to_string(k) +
                                (of_x == Layout::channels_last ? ", channels-last" : "");
    a.tables[k] = numbers_on_device({job.op}, packing, axis.table, job);
  }
  a.fill = word_of(y.type, job.magnitudes() ? std::abs(fill) : fill);
  a.word_bytes = static_cast<int>(byte_width(y.type));
  job.check(launch_placed_copy(job.queue(), a), "launching a movement");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
