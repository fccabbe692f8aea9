#include "model/ops/predicate.hpp"

#include "cpu/broadcast.hpp"
#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"

// One answer per element, in ONNX order: nothing is rounded, so there is nothing else to choose. In double
// the operands are compared as doubles; a predicate's magnitude is its answer.

namespace parity::cpu {
namespace {

template <class T, class F>
Value answered(const Value& left, const Value& right, const Job& job, F f) {
  const Elements<T> a = elements<T>(left, Layout::row_major, job.execution),
                    b = elements<T>(right, Layout::row_major, job.execution);
  Fresh fresh(job.output, Layout::row_major, &job.memory);
  auto* const y = fresh.data<std::uint8_t>();
  for_each_run<2>(job.output.shape, Layout::row_major, {left.shape(), right.shape()},
                  job.execution.threads,
                  [&](const Run<2>& run) { combine_run(run, a.data, b.data, y, f); });
  return std::move(fresh).value();
}

template <class T>
Value run_on(const Predicate& op, const Job& job) {
  using Function = Predicate::Function;
  const bool constant = !job.parameters.empty();
  const Value other = constant ? parameter_value<T>(*job.parameters[0], Reading::values)
                      : job.inputs.size() > 1 ? job.inputs[1]
                                              : job.inputs[0];
  const bool exchanged = constant && op.constant == Predicate::Side::left;
  const Value &a = exchanged ? other : job.inputs[0], &b = exchanged ? job.inputs[0] : other;
  const auto answer = [&](auto f) {
    return answered<T>(a, b, job, [=](T x, T y) -> std::uint8_t { return f(x, y) ? 1 : 0; });
  };
  switch (op.function) {
    case Function::both:
      return answer([](T x, T y) { return x != 0 && y != 0; });
    case Function::either:
      return answer([](T x, T y) { return x != 0 || y != 0; });
    case Function::exactly_one:
      return answer([](T x, T y) { return (x != 0) != (y != 0); });
    case Function::negation:
      return answer([](T x, T) { return x == 0; });
    case Function::is_nan:
      return answer([](T x, T) { return x != x; });
    case Function::equal:
      return answer([](T x, T y) { return x == y; });
    case Function::greater:
      return answer([](T x, T y) { return x > y; });
    case Function::greater_or_equal:
      return answer([](T x, T y) { return x >= y; });
    case Function::less:
      return answer([](T x, T y) { return x < y; });
    case Function::less_or_equal:
      break;
  }
  return answer([](T x, T y) { return x <= y; });
}

}  // namespace

Value run(const Predicate& op, const Job& job) {
  switch (job.inputs[0].type().type) {
    case Type::int64:
      return run_on<std::int64_t>(op, job);
    case Type::boolean:
      return run_on<std::uint8_t>(op, job);
    case Type::float32:
      if (job.inputs.size() == 1 || job.inputs[1].type().type == Type::float32)
        return run_on<float>(op, job);
      break;  // beside a double
    case Type::float64:
      break;
  }
  return run_on<double>(op, job);
}

}  // namespace parity::cpu
