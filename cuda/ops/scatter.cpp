#include "model/ops/scatter.hpp"

#include "cuda/rows_of.hpp"

// A copy of x, then the updates (cuda/indexed_rows.cu). Indices that the device computed are checked
// before anything is written, which waits for them.
//
//   replace     the last row of each place is found first and alone is written
//   others      row after row: the order is the contract's
//   magnitudes  the same on |x|, |u|; mul on max(|x|, 1), max(|u|, 1)

namespace parity::cuda {
namespace {

ScatterFunction function_of(const Scatter& op) {
  switch (op.reduction) {
    case Scatter::Reduction::replace:
      return ScatterFunction::replace;
    case Scatter::Reduction::add:
      return ScatterFunction::add;
    case Scatter::Reduction::mul:
      return ScatterFunction::mul;
    case Scatter::Reduction::max:
      return ScatterFunction::max;
    case Scatter::Reduction::min:
      return ScatterFunction::min;
  }
  return ScatterFunction::replace;
}

}  // namespace

Value run(const Scatter& op, const Job& job) {
  const std::string what(op.kind());
  const bool known = op.indices == Scatter::Operand::parameter;
  const Elements<float> x = elements<float>(job.inputs.front(), Layout::row_major, job.session),
                        updates =
                            elements<float>(job.inputs.back(), Layout::row_major, job.session);
  Value given;
  const std::int64_t* indices = nullptr;
  Shape shape;
  if (known) {
    shape = job.parameters[0]->shape();
    indices = numbers_on_device({job.parameters[0]}, "numbers",
                                job.parameters[0]->values<std::int64_t>(), job);
  } else {
    given = with_layout(job.inputs[1], Layout::row_major, job.session);
    shape = given.shape();
    indices = static_cast<const std::int64_t*>(storage_of(given).data());
  }
  const IndexedRows rows = op.rows(job.output.shape, shape);
  if (!known) require_inside(rows, indices, element_count(shape), what, job);

  Fresh fresh = job.fresh(Layout::row_major);
  ScatterArgument a{rows_of(rows, indices, what),
                    updates.data,
                    fresh.data<float>(),
                    nullptr,
                    function_of(op),
                    job.magnitudes() && op.reduction == Scatter::Reduction::mul};
  const std::int64_t count = element_count(job.output.shape);
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  const std::string action = "launching a scatter";
  Api& api = job.session.api();
  job.check(a.grow ? launch_grow(job.queue(), {x.data, a.y, count})
                   : api.copy_within(a.y, x.data, bytes, job.queue().stream),
            action);
  std::optional<Fresh> winners;
  if (a.function == ScatterFunction::replace) {
    winners.emplace(TensorType{Type::int64, {count / rows.run}}, Layout::row_major, job.session);
    auto* const numbers = winners->data<std::uint64_t>();
    job.check(api.fill(numbers, 0, static_cast<std::size_t>(count / rows.run) * sizeof *numbers,
                       job.queue().stream),
              action);
    job.check(launch_winners(job.queue(), {a.rows, numbers}), action);
    a.winners = numbers;
  }
  job.check(launch_scatter(job.queue(), a), action);
  return std::move(fresh).value();
}

}  // namespace parity::cuda
