#include "model/ops/binary.hpp"

#include "cuda/broadcast.hpp"
#include "cuda/elementwise.hpp"
#include "cuda/ops.hpp"
#include "cuda/ops/binary.hpp"

// One rounded operation per element and pair of operands.
//
//   elementwise   a constant that is a scalar or one per channel runs as an epilogue step, fused or
//                 alone; everything else by a strided kernel, in the layout of the operands when they
//                 share one
//   magnitudes    |a| + |b|, |a||b|, max(|a|, |b|), |a| max(1, |b|), |a|/|b|; |y| of a power or a quotient
//                 of a constant

namespace parity::cuda {
namespace {

template <class T>
Value combine(const Value& left, const Value& right, BinaryFunction function, const Job& job) {
  const Shape shape = broadcast(left.shape(), right.shape(), "a binary operation");
  const bool last =
      left.shape().size() == shape.size() && right.shape().size() == shape.size() &&
      (layout_of(left) == Layout::channels_last || layout_of(right) == Layout::channels_last);
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const Elements<T> a = elements<T>(left, layout, job.session),
                    b = elements<T>(right, layout, job.session);
  Fresh fresh({type_of<T>(), shape}, layout, job.session);
  const Walked walked = broadcast_walk(shape, layout, {left.shape(), right.shape()},
                                       "a binary operation with broadcasting");
  job.check(
      launch_binary(job.queue(),
                    BinaryArgument<T>{a.data, b.data, fresh.data<T>(), element_count(shape),
                                      walked.walk, walked.steps[0], walked.steps[1], function}),
      "launching a binary operation");
  return std::move(fresh).value();
}

BinaryFunction function_of(const Binary& op, const Job& job) {
  // An integer is its own magnitude.
  const bool magnitudes = job.magnitudes() && !op.bounds_itself() && job.output.type != Type::int64;
  switch (op.function) {
    case Binary::Function::add:
    case Binary::Function::mean:
      return BinaryFunction::sum;
    case Binary::Function::sub:
      return magnitudes ? BinaryFunction::sum : BinaryFunction::difference;
    case Binary::Function::mul:
      return BinaryFunction::product;
    case Binary::Function::div:
      // Magnitudes are read as 2^-126 at least: a divisor that small bounds nothing.
      return magnitudes && job.parameters.empty() ? BinaryFunction::bounded_quotient
                                                  : BinaryFunction::quotient;
    case Binary::Function::max:
      return BinaryFunction::maximum;
    case Binary::Function::min:
      return magnitudes ? BinaryFunction::maximum : BinaryFunction::minimum;
    case Binary::Function::pow:
      return BinaryFunction::power;
    case Binary::Function::prelu:
      break;
  }
  return magnitudes ? BinaryFunction::largest_slope : BinaryFunction::leaky;
}

/// One step on every element.
Value stepped(const Value& x, EpilogueKind kind, std::vector<float> a, const Job& job) {
  Epilogue epilogue;
  epilogue.count = 1;
  epilogue.steps[0] =
      on_device({kind, std::move(a), {}}, makers(job.op, {}), job.reading, job.packs, job.session);
  const Layout layout = layout_of(x);
  const Elements<float> from = elements<float>(x, layout, job.session);
  Fresh fresh(x.type(), layout, job.session);
  const std::int64_t count = element_count(x.shape());
  job.check(
      launch_elementwise(job.queue(), {from.data, fresh.data<float>(), count, 1, 1, epilogue}),
      "launching an elementwise step");
  return std::move(fresh).value();
}

/// The operands folded, the result so far on the left.
template <class T>
Value folded(const Binary& op, const Job& job) {
  std::vector<Value> operands(job.inputs.begin(), job.inputs.end());
  if (!job.parameters.empty())
    operands.insert(op.constant == Binary::Side::left ? operands.begin() : operands.end(),
                    parameter_value(job.parameters[0], job,
                                    op.bounds_itself() ? Reading::values : job.reading));
  if (operands.size() == 1) return operands[0];
  const BinaryFunction function = function_of(op, job);
  Value y = operands[0];
  for (std::size_t i = 1; i < operands.size(); ++i) y = combine<T>(y, operands[i], function, job);
  return y;
}

}  // namespace

Value run(const Binary& op, const Job& job) {
  if (job.output.type == Type::int64) return folded<std::int64_t>(op, job);
  if (std::optional<Value> value = run_as_epilogue(op, job)) return *std::move(value);
  const Value y = folded<float>(op, job);
  if (op.function == Binary::Function::mean && !job.magnitudes())
    return stepped(y, EpilogueKind::div, {static_cast<float>(job.inputs.size())}, job);
  if (job.magnitudes() && op.bounds_itself()) return stepped(y, EpilogueKind::abs, {}, job);
  return y;
}

}  // namespace parity::cuda
