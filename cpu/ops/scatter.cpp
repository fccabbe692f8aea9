#include "model/ops/scatter.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/maximum.hpp"
#include "cpu/ops.hpp"

// A copy of x, then the updates one after the other: their order is the contract's, so that threads
// share nothing here. The indices are checked before anything is written.
//
//   elementwise   replace, add, mul, max, min: one rounded operation per update
//   fp64          the same in double
//   magnitudes    the same on |x|, |u|; mul on max(|x|, 1), max(|u|, 1)

namespace parity::cpu {
namespace {

template <class T>
Value scatter(const Scatter& op, const Job& job) {
  using Reduction = Scatter::Reduction;
  const bool known = op.indices == Scatter::Operand::parameter;
  const Elements<T> x = elements<T>(job.inputs.front(), Layout::row_major, job.execution),
                    updates = elements<T>(job.inputs.back(), Layout::row_major, job.execution);
  std::span<const std::int64_t> places;
  Value given;
  Shape shape;
  if (known) {
    places = job.parameters[0]->values<std::int64_t>();
    shape = job.parameters[0]->shape();
  } else {
    given = with_layout(job.inputs[1], Layout::row_major, job.execution, &job.memory);
    shape = given.shape();
    places = {static_cast<const std::int64_t*>(storage_of(given).data()),
              static_cast<std::size_t>(element_count(shape))};
  }
  const IndexedRows rows = op.rows(x.value.shape(), shape);
  if (!known) require_inside(rows, places, std::string(op.kind()));
  const std::vector<std::int64_t> starts = row_starts(rows, places);

  Fresh fresh(job.output, Layout::row_major, &job.memory);
  T* const y = fresh.data<T>();
  const std::int64_t count = element_count(job.output.shape), run = rows.run;
  std::copy_n(x.data, count, y);
  const bool grows = job.magnitudes() && op.reduction == Reduction::mul;
  const auto read = [&](T value) { return grows && value < T{1} ? T{1} : value; };
  if (grows) std::transform(y, y + count, y, read);
  const auto update = [&](auto join) {
    for (std::size_t r = 0; r < starts.size(); ++r) {
      T* const to = y + starts[r];
      const T* const u = updates.data + static_cast<std::int64_t>(r) * run;
      for (std::int64_t j = 0; j < run; ++j) to[j] = join(to[j], u[j]);
    }
  };
  switch (op.reduction) {
    case Reduction::replace:
      update([](T, T u) { return u; });
      break;
    case Reduction::add:
      update([](T a, T u) { return a + u; });
      break;
    case Reduction::mul:
      update([&](T a, T u) { return a * read(u); });
      break;
    case Reduction::max:
      update([](T a, T u) { return maximum(a, u); });
      break;
    case Reduction::min:
      update([](T a, T u) { return minimum(a, u); });
      break;
  }
  return std::move(fresh).value();
}

}  // namespace

Value run(const Scatter& op, const Job& job) {
  return job.in_double() ? scatter<double>(op, job) : scatter<float>(op, job);
}

}  // namespace parity::cpu
