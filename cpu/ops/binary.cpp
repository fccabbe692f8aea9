#include "model/ops/binary.hpp"

#include <limits>

#include "cpu/broadcast.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"
#include "model/arithmetic/elementary.hpp"

// One rounded operation per element and pair of operands.
//
//   elementwise   a constant that is a scalar or one per channel runs as an epilogue step, fused or
//                 alone; everything else by the broadcasting loop below, in the layout of the
//                 operands when they share one
//   fp64          the same in double
//   magnitudes    |a| + |b|, |a||b|, max(|a|, |b|), |a| max(1, |b|), |a|/|b|; |y| of a power or a quotient
//                 of a constant

namespace parity::cpu {
namespace {

template <class T, class F>
Value combine(const Value& left, const Value& right, const Job& job, F f) {
  const Shape shape = broadcast(left.shape(), right.shape(), "a binary operation");
  const bool last =
      left.shape().size() == shape.size() && right.shape().size() == shape.size() &&
      (layout_of(left) == Layout::channels_last || layout_of(right) == Layout::channels_last);
  const Layout layout = last ? Layout::channels_last : Layout::row_major;
  const Elements<T> a = elements<T>(left, layout, job.execution),
                    b = elements<T>(right, layout, job.execution);
  Fresh fresh({type_of<T>(), shape}, layout, &job.memory);
  T* const y = fresh.data<T>();
  for_each_run<2>(shape, layout, {left.shape(), right.shape()}, job.execution.threads,
                  [&](const Run<2>& run) { combine_run(run, a.data, b.data, y, f); });
  return std::move(fresh).value();
}

/// The operands in the order of the formula.
template <class T>
std::vector<Value> operands_of(const Binary& op, const Job& job, Reading reading) {
  std::vector<Value> operands(job.inputs.begin(), job.inputs.end());
  if (!job.parameters.empty())
    operands.insert(op.constant == Binary::Side::left ? operands.begin() : operands.end(),
                    parameter_value<T>(*job.parameters[0], reading));
  return operands;
}

/// f over the operands, the result so far on the left.
template <class T, class F>
Value folded(const std::vector<Value>& operands, const Job& job, F f) {
  if (operands.size() == 1)
    return combine<T>(operands[0], operands[0], job, [](T a, T) { return a; });
  Value y = operands[0];
  for (std::size_t i = 1; i < operands.size(); ++i) y = combine<T>(y, operands[i], job, f);
  return y;
}

template <class T>
T step(EpilogueKind kind, T a, T b) {
  return elementary::step(kind, a, b, T{0});
}

template <class T>
Value computed(const Binary& op, const Job& job) {
  using Kind = EpilogueKind;
  const std::vector<Value> operands = operands_of<T>(op, job, Reading::values);
  const auto fold = [&](auto f) { return folded<T>(operands, job, f); };
  switch (op.function) {
    case Binary::Function::add:
      return fold([](T a, T b) { return a + b; });
    case Binary::Function::sub:
      return fold([](T a, T b) { return a - b; });
    case Binary::Function::mul:
      return fold([](T a, T b) { return a * b; });
    case Binary::Function::div:
      return fold([](T a, T b) { return a / b; });
    case Binary::Function::max:
      return fold([](T a, T b) { return step(Kind::max, a, b); });
    case Binary::Function::min:
      return fold([](T a, T b) { return step(Kind::min, a, b); });
    case Binary::Function::pow:
      return fold([](T a, T b) { return step(Kind::pow, a, b); });
    case Binary::Function::prelu:
      return fold([](T a, T b) { return step(Kind::leaky_relu, a, b); });
    case Binary::Function::mean:
      break;
  }
  const T n = static_cast<T>(operands.size());
  return combine<T>(fold([](T a, T b) { return a + b; }), operands[0], job,
                    [=](T sum, T) { return sum / n; });
}

Value magnitudes(const Binary& op, const Job& job) {
  const std::vector<Value> operands = operands_of<float>(op, job, Reading::magnitudes);
  const auto fold = [&](auto f) { return folded<float>(operands, job, f); };
  switch (op.function) {
    case Binary::Function::add:
    case Binary::Function::sub:
    case Binary::Function::mean:
      return fold([](float a, float b) { return a + b; });
    case Binary::Function::mul:
      return fold([](float a, float b) { return a * b; });
    case Binary::Function::max:
    case Binary::Function::min:
      return fold([](float a, float b) { return step(EpilogueKind::max, a, b); });
    case Binary::Function::prelu:
      return fold([](float a, float b) { return b > 1 ? a * b : a; });
    case Binary::Function::div:
      // Magnitudes are read as 2^-126 at least: a divisor that small bounds nothing.
      if (job.parameters.empty())
        return fold([](float a, float b) {
          return b > 0x1p-126F ? a / b : std::numeric_limits<float>::infinity();
        });
      return fold([](float a, float b) { return a / b; });
    case Binary::Function::pow:
      break;
  }
  throw Error(Fault::internal, "a power makes its magnitude from its operands");
}

/// Integers wrap around, as unsigned ones do; a quotient is cut toward zero, of 0 it is 0.
Value integers(const Binary& op, const Job& job) {
  using T = std::int64_t;
  using U = std::uint64_t;
  const std::vector<Value> operands = operands_of<T>(op, job, Reading::values);
  const auto fold = [&](auto f) { return folded<T>(operands, job, f); };
  switch (op.function) {
    case Binary::Function::add:
      return fold([](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    case Binary::Function::sub:
      return fold([](T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
    case Binary::Function::mul:
      return fold([](T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); });
    case Binary::Function::div:
      return fold([](T a, T b) {
        if (b == -1) return static_cast<T>(U{0} - static_cast<U>(a));
        return b == 0 ? 0 : a / b;
      });
    case Binary::Function::max:
      return fold([](T a, T b) { return std::max(a, b); });
    case Binary::Function::min:
      return fold([](T a, T b) { return std::min(a, b); });
    default:
      throw Error(Fault::internal, std::string(op.kind()) + " takes no integers");
  }
}

}  // namespace

Value run(const Binary& op, const Job& job) {
  const Shape& shape = job.output.shape;
  if (job.output.type == Type::int64) return integers(op, job);
  const std::int64_t channels = shape.size() >= 2 ? shape[1] : 1;
  const bool one_step =
      job.inputs.size() == 1 && job.inputs[0].shape() == shape &&
      as_epilogue<float>(op, job.parameters, channels, job.reading, job.contract).has_value();
  if (one_step) return run_as_epilogue(op, job);
  if (!job.magnitudes())
    return job.in_double() ? computed<double>(op, job) : computed<float>(op, job);
  if (!op.bounds_itself()) return magnitudes(op, job);
  const Value y = computed<float>(op, job);
  return combine<float>(y, y, job, [](float a, float) { return std::abs(a); });
}

}  // namespace parity::cpu
