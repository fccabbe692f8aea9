#include "cuda/walk_of.hpp"

namespace parity::cuda {

Walked walk_of(std::span<const std::int64_t> extents,
               const std::vector<std::vector<std::int64_t>>& steps, const std::string& what) {
  // From the last axis to the first; each row: extent, then the steps of the operands.
  std::vector<std::vector<std::int64_t>> axes;
  for (std::size_t axis = extents.size(); axis-- > 0;) {
    if (extents[axis] == 1) continue;
    std::vector<std::int64_t> row{extents[axis]};
    for (const auto& each : steps) row.push_back(each[axis]);
    bool joins = !axes.empty();
    for (std::size_t i = 1; joins && i < row.size(); ++i)
      joins = row[i] == axes.back()[i] * axes.back()[0];
    if (joins)
      axes.back()[0] *= row[0];
    else
      axes.push_back(std::move(row));
  }
  if (axes.size() > Walk::most_axes)
    throw Error(Fault::bad_request, what + " needs a walk over " + std::to_string(axes.size()) +
                                        " axes; kernels walk at most " +
                                        std::to_string(Walk::most_axes) + ". Run it on cpu.");
  Walked result;
  result.walk.rank = static_cast<int>(axes.size());
  result.steps.resize(steps.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto& row = axes[axes.size() - 1 - i];
    result.walk.extents[i] = row[0];
    for (std::size_t s = 0; s < steps.size(); ++s) result.steps[s].of[i] = row[s + 1];
  }
  return result;
}

}  // namespace parity::cuda
