#include "model/ops/gather.hpp"

#include "cuda/rows_of.hpp"

// Rows of neighbouring elements, row-major, each from where its index says (cuda/indexed_rows.cu).
// Indices that the device computed are checked before anything is read, which waits for them.

namespace parity::cuda {

Value run(const Gather& op, const Job& job) {
  using Operand = Gather::Operand;
  const std::string what(op.kind());
  std::size_t next = 0;
  Value data;
  const void* x = nullptr;
  Shape shape;
  if (op.data == Operand::value) {
    data = with_layout(job.inputs[next++], Layout::row_major, job.session);
    x = storage_of(data).data();
    shape = data.shape();
  } else {
    const Tensor& constant = *job.parameters[0];
    shape = constant.shape();
    x = constant.type().type == Type::int64
            ? static_cast<const void*>(numbers_on_device({job.parameters[0]}, "numbers",
                                                         constant.values<std::int64_t>(), job))
            : parameter_data(job.parameters[0], job);
  }
  Value given;
  const std::int64_t* indices = nullptr;
  Shape index_shape;
  if (op.indices == Operand::value) {
    given = with_layout(job.inputs[next], Layout::row_major, job.session);
    indices = static_cast<const std::int64_t*>(storage_of(given).data());
    index_shape = given.shape();
  } else {
    index_shape = job.parameters[1]->shape();
    indices = numbers_on_device({job.parameters[1]}, "numbers",
                                job.parameters[1]->values<std::int64_t>(), job);
  }
  const IndexedRows rows = op.rows(shape, index_shape);
  if (op.indices == Operand::value)
    require_inside(rows, indices, element_count(index_shape), what, job);
  Fresh fresh = job.fresh(Layout::row_major);
  job.check(launch_gather_rows(job.queue(), {rows_of(rows, indices, what), x, fresh.data<void>(),
                                             static_cast<int>(byte_width(job.output.type))}),
            "launching a gather");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
