#include "model/ops/gather.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"
#include "cpu/threads.hpp"

// Rows of neighbouring elements, row-major, each from where its index says. The indices are checked
// before anything is read.

namespace parity::cpu {
namespace {

/// A constant as a value, where it lies.
Value constant_value(const std::shared_ptr<const Tensor>& constant) {
  return {constant->type(),
          std::make_shared<const CpuStorage>(constant, constant->data(), constant->size_bytes(),
                                             Layout::row_major)};
}

template <class Word>
void copy_rows(const IndexedRows& rows, const std::vector<std::int64_t>& starts, const void* x,
               void* y, int threads) {
  const auto* const from = static_cast<const Word*>(x);
  auto* const to = static_cast<Word*>(y);
  const std::int64_t run = rows.run;
  parallel_for(static_cast<std::int64_t>(starts.size()),
               std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(run, 1)), threads,
               [&](std::int64_t first, std::int64_t last) {
                 if (run == 1) {
                   for (std::int64_t r = first; r < last; ++r)
                     to[r] = from[starts[static_cast<std::size_t>(r)]];
                   return;
                 }
                 for (std::int64_t r = first; r < last; ++r)
                   std::memcpy(to + r * run, from + starts[static_cast<std::size_t>(r)],
                               static_cast<std::size_t>(run) * sizeof(Word));
               });
}

}  // namespace

Value run(const Gather& op, const Job& job) {
  using Operand = Gather::Operand;
  std::size_t next = 0;
  const Value data = op.data == Operand::value ? job.inputs[next++]
                     : job.magnitudes() && job.parameters[0]->type().type == Type::float32
                         ? parameter_value<float>(*job.parameters[0], job.reading)
                         : constant_value(job.parameters[0]);
  const Value indices =
      op.indices == Operand::value ? job.inputs[next] : constant_value(job.parameters[1]);
  const Value x = with_layout(data, Layout::row_major, job.execution, &job.memory);
  const Value given = with_layout(indices, Layout::row_major, job.execution, &job.memory);
  const std::span<const std::int64_t> places(
      static_cast<const std::int64_t*>(storage_of(given).data()),
      static_cast<std::size_t>(element_count(given.shape())));
  const IndexedRows rows = op.rows(x.shape(), given.shape());
  require_inside(rows, places, std::string(op.kind()));
  const std::vector<std::int64_t> starts = row_starts(rows, places);
  Fresh fresh(job.output, Layout::row_major, &job.memory);
  const void* const from = storage_of(x).data();
  switch (byte_width(job.output.type)) {
    case 1:
      copy_rows<std::uint8_t>(rows, starts, from, fresh.data<void>(), job.execution.threads);
      break;
    case 4:
      copy_rows<std::uint32_t>(rows, starts, from, fresh.data<void>(), job.execution.threads);
      break;
    default:
      copy_rows<std::uint64_t>(rows, starts, from, fresh.data<void>(), job.execution.threads);
  }
  return std::move(fresh).value();
}

}  // namespace parity::cpu
