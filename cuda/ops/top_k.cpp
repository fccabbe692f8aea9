#include "model/ops/top_k.hpp"

#include "cuda/ops/top_k.hpp"
#include "cuda/places.hpp"
#include "model/shapes.hpp"

// Row-major, one launch. On magnitudes the same on |x|, and every value is the largest of its axis.

namespace parity::cuda {

std::vector<Value> run(const TopK& op, const Job& job) {
  const Elements<float> x = elements<float>(job.inputs[0], Layout::row_major, job.session);
  const Shape& shape = job.inputs[0].shape();
  const std::size_t axis = normalised_axis(op.axis, shape.size(), "TopK");
  std::vector<Fresh> made;
  for (const TensorType& output : job.outputs)
    made.emplace_back(output, Layout::row_major, job.session);
  const bool values = op.results == TopK::Results::values_and_indices;
  job.check(launch_top_k(job.queue(),
                         {x.data, values ? made.front().data<float>() : nullptr,
                          made.back().data<std::int64_t>(), element_count(shape, 0, axis),
                          shape[axis], element_count(shape, axis + 1, shape.size()), op.count,
                          op.first == TopK::First::smallest, op.tie == TopK::Tie::highest}),
            "launching a selection");
  std::vector<Value> outputs;
  for (Fresh& each : made) outputs.push_back(std::move(each).value());
  if (values && job.magnitudes()) {
    // Every value is the largest |x|, which bounds whichever is selected.
    const std::int64_t outer = element_count(shape, 0, axis),
                       inner = element_count(shape, axis + 1, shape.size());
    Fresh most({Type::float32, {outer, 1, inner}}, Layout::row_major, job.session),
        place({Type::int64, {outer, 1, inner}}, Layout::row_major, job.session);
    job.check(launch_top_k(job.queue(), {x.data, most.data<float>(), place.data<std::int64_t>(),
                                         outer, shape[axis], inner, 1, false, false}),
              "launching a selection");
    const Places spread{{{0, 0, outer}, {1, 1, op.count, 0, 0}, {2, 2, inner}}};
    const Value all = placed(spread, std::move(most).value(),
                             {Type::float32, {outer, op.count, inner}}, 0, "spread", job);
    outputs.front() = {job.output, all.storage()};
  }
  return outputs;
}

}  // namespace parity::cuda
