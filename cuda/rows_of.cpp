#include "cuda/rows_of.hpp"

#include "cuda/walk_of.hpp"

namespace parity::cuda {
namespace {

void require_few(const IndexedRows& rows, const std::string& what) {
  if (rows.components.size() > Walk::most_axes)
    throw Error(Fault::bad_request, what + " has indices of " +
                                        std::to_string(rows.components.size()) +
                                        " components; kernels read at most " +
                                        std::to_string(Walk::most_axes) + ". Run it on cpu.");
}

}  // namespace

RowsArgument rows_of(const IndexedRows& rows, const std::int64_t* indices,
                     const std::string& what) {
  require_few(rows, what);
  std::vector<std::int64_t> extents, x_steps, index_steps;
  for (const IndexedRows::Axis& axis : rows.axes) {
    extents.push_back(axis.extent);
    x_steps.push_back(axis.x_step);
    index_steps.push_back(axis.index_step);
  }
  const Walked walked = walk_of(extents, {x_steps, index_steps}, what);
  RowsArgument a{};
  a.indices = indices;
  a.rows = rows.rows();
  a.run = rows.run;
  a.walk = walked.walk;
  a.x_steps = walked.steps[0];
  a.index_steps = walked.steps[1];
  a.components = static_cast<int>(rows.components.size());
  for (std::size_t c = 0; c < rows.components.size(); ++c) {
    a.extents[c] = rows.components[c].extent;
    a.steps[c] = rows.components[c].step;
  }
  return a;
}

void require_inside(const IndexedRows& rows, const std::int64_t* indices, std::int64_t count,
                    const std::string& what, const Job& job) {
  require_few(rows, what);
  Fresh first({Type::int64, {1}}, Layout::row_major, job.session);
  CheckArgument a{
      indices, count, static_cast<int>(rows.components.size()), {}, first.data<std::uint64_t>()};
  for (std::size_t c = 0; c < rows.components.size(); ++c) a.extents[c] = rows.components[c].extent;
  Api& api = job.session.api();
  const Stream stream = job.queue().stream;
  const std::string action = "checking indices";
  job.check(api.fill(a.first, 0xff, sizeof *a.first, stream), action);
  job.check(launch_check_indices(job.queue(), a), action);
  std::int64_t position = -1, index = 0;
  job.check(api.copy_out(&position, a.first, sizeof position, stream), action);
  job.session.wait(action);
  if (position < 0) return;
  job.check(api.copy_out(&index, indices + position, sizeof index, stream), action);
  job.session.wait(action);
  throw Error(Fault::bad_input, outside_sentence(rows, position, index, what));
}

}  // namespace parity::cuda
