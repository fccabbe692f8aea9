#include "model/ops/resize.hpp"

#include <cmath>

#include "cuda/ops/resize.hpp"
#include "cuda/places.hpp"

// One launch per resized axis, the last axis first, in the layout that x has.
//
//   elementwise   nearest: a tabled copy (cuda/places.cpp); else mul by the first weight, fma by the
//                 others, weights rounded to float
//   magnitudes    the same on |x|, |w|

namespace parity::cuda {
namespace {

Value along(const Resize& op, std::size_t number, const Value& x, const Job& job) {
  const Resize::Axis& axis = op.axes[number];
  const auto at = static_cast<std::size_t>(axis.axis);
  const Layout layout = layout_of(x);
  TensorType type = x.type();
  const std::int64_t I = type.shape[at], inner = memory_strides(type.shape, layout)[at];
  const std::int64_t outer = element_count(type.shape) / (inner * I);
  type.shape[at] = axis.extent;
  const Resize::Table table = op.table(axis, I);
  const std::string name = "resize, axis " + std::to_string(axis.axis);
  const float* const weights = job.packs.get(
      {job.op}, name + (job.magnitudes() ? ", magnitudes" : ", values"), job.session, [&] {
        std::vector<float> read;
        for (const double weight : table.weights)
          read.push_back(static_cast<float>(job.magnitudes() ? std::abs(weight) : weight));
        return read;
      });
  Fresh fresh(type, layout, job.session);
  job.check(launch_resize(job.queue(),
                          {static_cast<const float*>(storage_of(x).data()), fresh.data<float>(),
                           outer, I, axis.extent, inner, static_cast<int>(table.taps),
                           numbers_on_device({job.op}, name + ", places", table.at, job), weights}),
            "launching a resize");
  return std::move(fresh).value();
}

}  // namespace

Value run(const Resize& op, const Job& job) {
  Value y = elements<float>(job.inputs[0], layout_of(job.inputs[0]), job.session).value;
  if (op.mode == Resize::Mode::nearest)
    return placed(op.places(y.shape()), y, job.output, 0, "places", job);
  for (std::size_t k = op.axes.size(); k-- > 0;) y = along(op, k, y, job);
  return y;
}

}  // namespace parity::cuda
