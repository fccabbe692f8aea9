#include "model/ops/predicate.hpp"

#include "cuda/broadcast.hpp"
#include "cuda/ops.hpp"
#include "cuda/ops/predicate.hpp"

// One answer per element, in ONNX order: nothing is rounded, so there is nothing else to choose. A
// predicate's magnitude is its answer.

namespace parity::cuda {

Value run(const Predicate& op, const Job& job) {
  std::vector<Value> operands(job.inputs.begin(), job.inputs.end());
  if (!job.parameters.empty())
    operands.insert(op.constant == Predicate::Side::left ? operands.begin() : operands.end(),
                    parameter_value(job.parameters[0], job, Reading::values));
  if (op.takes_one()) operands.push_back(operands[0]);
  for (Value& operand : operands) operand = with_layout(operand, Layout::row_major, job.session);
  Fresh fresh = job.fresh(Layout::row_major);
  const Walked walked =
      broadcast_walk(job.output.shape, Layout::row_major,
                     {operands[0].shape(), operands[1].shape()}, "a predicate with broadcasting");
  job.check(
      launch_predicate(job.queue(), {storage_of(operands[0]).data(), storage_of(operands[1]).data(),
                                     fresh.data<std::uint8_t>(), element_count(job.output.shape),
                                     walked.walk, walked.steps[0], walked.steps[1],
                                     static_cast<PredicateFunction>(op.function),
                                     element_type(operands[0].type().type)}),
      "launching a predicate");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
