#include "model/ops/cast.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/ops.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/conversion.hpp"

// One conversion per element, in the layout that x has; in double from and to double. Magnitudes: |y|.

namespace parity::cpu {
namespace {

template <class To, class From>
To converted(From x, Cast::To to) {
  if constexpr (std::is_same_v<To, std::uint8_t>) {
    return x != 0 ? 1 : 0;
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_floating_point_v<From>) {
    if (to == Cast::To::int32)
      return truncated(x, std::numeric_limits<std::int32_t>::min(),
                       std::numeric_limits<std::int32_t>::max());
    return truncated(x, std::numeric_limits<std::int64_t>::min(),
                     std::numeric_limits<std::int64_t>::max());
  } else {
    return to == Cast::To::int32 ? low_32_bits(x) : x;
  }
}

template <class To, class From>
Value cast(const Cast& op, const Job& job) {
  // Integers and booleans lie in ONNX order.
  const Layout layout = std::is_floating_point_v<To> && std::is_floating_point_v<From>
                            ? layout_of(job.inputs[0])
                            : Layout::row_major;
  const Elements<From> x = elements<From>(job.inputs[0], layout, job.execution);
  Fresh fresh(job.output, layout, &job.memory);
  To* const y = fresh.data<To>();
  parallel_for(element_count(job.output.shape), std::int64_t{1} << 14, job.execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) {
                   y[i] = converted<To>(x.data[i], op.to);
                   if constexpr (std::is_floating_point_v<To>)
                     if (job.magnitudes()) y[i] = std::abs(y[i]);
                 }
               });
  return std::move(fresh).value();
}

template <class From>
Value cast_from(const Cast& op, const Job& job) {
  switch (job.output.type) {
    case Type::float32:
      return cast<float, From>(op, job);
    case Type::float64:
      return cast<double, From>(op, job);
    case Type::int64:
      return cast<std::int64_t, From>(op, job);
    case Type::boolean:
      break;
  }
  return cast<std::uint8_t, From>(op, job);
}

}  // namespace

Value run(const Cast& op, const Job& job) {
  switch (job.inputs[0].type().type) {
    case Type::float32:
      return cast_from<float>(op, job);
    case Type::float64:
      return cast_from<double>(op, job);
    case Type::int64:
      return cast_from<std::int64_t>(op, job);
    case Type::boolean:
      break;
  }
  return cast_from<std::uint8_t>(op, job);
}

}  // namespace parity::cpu
