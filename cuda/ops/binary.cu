#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/binary.hpp"
#include "cuda/walk.hpp"

namespace parity::cuda {
namespace {

__device__ __forceinline__ float combined(BinaryFunction function, float a, float b) {
  using A = DeviceArithmetic;
  switch (function) {
    case BinaryFunction::sum:
      return device::add_rn(a, b);
    case BinaryFunction::difference:
      return device::sub_rn(a, b);
    case BinaryFunction::product:
      return device::mul_rn(a, b);
    case BinaryFunction::quotient:
      return device::div_rn(a, b);
    case BinaryFunction::maximum:
      return sequences::maximum<A>(a, b);
    case BinaryFunction::minimum:
      return sequences::minimum<A>(a, b);
    case BinaryFunction::power:
      return sequences::pow<A>(a, b);
    case BinaryFunction::leaky:
      return sequences::leaky_relu<A>(a, b);
    case BinaryFunction::largest_slope:
      return b > 1.0F ? device::mul_rn(a, b) : a;
    case BinaryFunction::bounded_quotient:
      return b > 0x1p-126F ? device::div_rn(a, b) : device::float_of(0x7f800000U);
  }
  return a;
}

__device__ __forceinline__ std::int64_t combined(BinaryFunction function, std::int64_t a,
                                                 std::int64_t b) {
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  switch (function) {
    case BinaryFunction::sum:
      return static_cast<std::int64_t>(x + y);
    case BinaryFunction::difference:
      return static_cast<std::int64_t>(x - y);
    case BinaryFunction::product:
      return static_cast<std::int64_t>(x * y);
    case BinaryFunction::quotient:
      if (b == -1) return static_cast<std::int64_t>(0 - x);
      return b == 0 ? 0 : a / b;
    case BinaryFunction::maximum:
      return a > b ? a : b;
    case BinaryFunction::minimum:
      return a < b ? a : b;
    default:
      return a;
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) binary(BinaryArgument<T> a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    a.y[i] = combined(a.function, a.a[offset_of(a.walk, a.a_steps, i)],
                      a.b[offset_of(a.walk, a.b_steps, i)]);
}

}  // namespace

Status launch_binary(const Queue& queue, const BinaryArgument<float>& argument) {
  return launch(queue, "binary", binary<float>, blocks_for(argument.count), {threads_per_block}, 0,
                argument);
}
Status launch_binary(const Queue& queue, const BinaryArgument<std::int64_t>& argument) {
  return launch(queue, "binary", binary<std::int64_t>, blocks_for(argument.count),
                {threads_per_block}, 0, argument);
}

}  // namespace parity::cuda
