#include "model/ops/choice.hpp"

#include "cpu/broadcast.hpp"
#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"

// Bits of one operand or the other, in ONNX order. Magnitudes: those of the operand that is chosen.

namespace parity::cpu {
namespace {

template <class T>
Value chosen(const Choice& op, const Job& job) {
  std::size_t next_value = 0, next_parameter = 0;
  const auto operand = [&](std::size_t i, auto zero) {
    using Element = decltype(zero);
    return op.constant[i] ? parameter_value<Element>(*job.parameters[next_parameter++], job.reading)
                          : job.inputs[next_value++];
  };
  const Value mask = operand(0, std::uint8_t{}), yes = operand(1, T{}), no = operand(2, T{});
  const auto c = elements<std::uint8_t>(mask, Layout::row_major, job.execution);
  const Elements<T> a = elements<T>(yes, Layout::row_major, job.execution),
                    b = elements<T>(no, Layout::row_major, job.execution);
  Fresh fresh(job.output, Layout::row_major, &job.memory);
  T* const y = fresh.data<T>();
  for_each_run<3>(job.output.shape, Layout::row_major, {mask.shape(), yes.shape(), no.shape()},
                  job.execution.threads, [&](const Run<3>& run) {
                    for (std::int64_t i = 0; i < run.count; ++i)
                      y[run.first + i] = c.data[run.at[0] + i * run.step[0]] != 0
                                             ? a.data[run.at[1] + i * run.step[1]]
                                             : b.data[run.at[2] + i * run.step[2]];
                  });
  return std::move(fresh).value();
}

}  // namespace

Value run(const Choice& op, const Job& job) {
  switch (job.output.type) {
    case Type::float32:
      return chosen<float>(op, job);
    case Type::float64:
      return chosen<double>(op, job);
    case Type::int64:
      return chosen<std::int64_t>(op, job);
    case Type::boolean:
      break;
  }
  return chosen<std::uint8_t>(op, job);
}

}  // namespace parity::cpu
