#include "model/ops/choice.hpp"

#include "cuda/broadcast.hpp"
#include "cuda/ops.hpp"
#include "cuda/ops/choice.hpp"

// Bits of one operand or the other, in ONNX order. Magnitudes: those of the operand that is chosen.

namespace parity::cuda {

Value run(const Choice& op, const Job& job) {
  std::vector<Value> operands;
  std::size_t next_value = 0, next_parameter = 0;
  for (const bool constant : op.constant)
    operands.push_back(
        with_layout(constant ? parameter_value(job.parameters[next_parameter++], job, job.reading)
                             : job.inputs[next_value++],
                    Layout::row_major, job.session));
  Fresh fresh = job.fresh(Layout::row_major);
  const Walked walked = broadcast_walk(
      job.output.shape, Layout::row_major,
      {operands[0].shape(), operands[1].shape(), operands[2].shape()}, "a selection by a mask");
  const auto data = [&](std::size_t i) { return storage_of(operands[i]).data(); };
  job.check(
      launch_choice(job.queue(), {static_cast<const std::uint8_t*>(data(0)), data(1), data(2),
                                  fresh.data<void>(), element_count(job.output.shape), walked.walk,
                                  walked.steps[0], walked.steps[1], walked.steps[2],
                                  static_cast<int>(byte_width(job.output.type))}),
      "launching a selection by a mask");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
