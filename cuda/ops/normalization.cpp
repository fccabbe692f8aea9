#include "model/ops/normalization.hpp"

#include <vector>

#include "cuda/ops.hpp"
#include "cuda/ops/normalization.hpp"

// One launch, a warp per row.
//
//   lanes32      mean and variance
//   magnitudes   the bound of model/arithmetic/normalization_bound.hpp, in double

namespace parity::cuda {

std::vector<Value> run(const Normalization& op, const Job& job) {
  const NormalizationExtents e = extents(op, job.inputs[0].shape());
  const Elements<float> x = elements<float>(job.inputs[0], Layout::row_major, job.session);
  // Signs matter to the bound: as given in either reading.
  const auto parameter = [&](std::size_t i) -> const float* {
    if (!job.parameters[i]) return nullptr;
    return job.packs.get({job.parameters[i]}, "as given", job.session, [&] {
      const auto values = job.parameters[i]->values<float>();
      return std::vector<float>(values.begin(), values.end());
    });
  };
  std::vector<Fresh> made;
  float* places[3] = {};
  for (std::size_t k = 0; k < op.outputs.size(); ++k) {
    made.emplace_back(job.outputs[k], Layout::row_major, job.session);
    places[op.outputs[k]] = made.back().data<float>();
  }
  job.check(launch_normalization(
                job.queue(), {x.data, parameter(0), parameter(1), places[0], places[1], places[2],
                              e.rows(), e.G, e.C, e.P, static_cast<float>(e.n()), op.epsilon,
                              job.magnitudes(), normalization_bound(op, job.inputs[0].shape())}),
            "launching a normalization");
  std::vector<Value> values;
  for (Fresh& each : made) values.push_back(std::move(each).value());
  return values;
}

}  // namespace parity::cuda
