#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/cast.hpp"
#include "model/arithmetic/conversion.hpp"

namespace parity::cuda {
namespace {

constexpr std::int64_t least64 = -0x7fffffffffffffff - 1, most64 = 0x7fffffffffffffff;

template <class From>
__device__ __forceinline__ void write(const CastArgument& a, std::int64_t i, From x) {
  switch (a.to_type) {
    case CastTo::float32: {
      const float y = static_cast<float>(x);
      static_cast<float*>(a.to)[i] = a.magnitudes != 0 ? DeviceArithmetic::abs(y) : y;
      return;
    }
    case CastTo::boolean:
      static_cast<std::uint8_t*>(a.to)[i] = x != 0 ? 1 : 0;
      return;
    case CastTo::int32:
    case CastTo::int64:
      static_cast<std::int64_t*>(a.to)[i] = a.to_type == CastTo::int32
                                                ? low_32_bits(static_cast<std::int64_t>(x))
                                                : static_cast<std::int64_t>(x);
      return;
  }
}
/// A float is cut toward zero and held to the range.
__device__ __forceinline__ void write(const CastArgument& a, std::int64_t i, float x) {
  switch (a.to_type) {
    case CastTo::float32:
      static_cast<float*>(a.to)[i] = a.magnitudes != 0 ? DeviceArithmetic::abs(x) : x;
      return;
    case CastTo::boolean:
      static_cast<std::uint8_t*>(a.to)[i] = x != 0 ? 1 : 0;
      return;
    case CastTo::int32:
      static_cast<std::int64_t*>(a.to)[i] = truncated(x, -0x80000000LL, 0x7fffffffLL);
      return;
    case CastTo::int64:
      static_cast<std::int64_t*>(a.to)[i] = truncated(x, least64, most64);
      return;
  }
}

template <class From>
__global__ void __launch_bounds__(threads_per_block) cast(CastArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    write(a, i, static_cast<const From*>(a.from)[i]);
}

}  // namespace

Status launch_cast(const Queue& queue, const CastArgument& argument) {
  const Extent blocks = blocks_for(argument.count), threads{threads_per_block};
  switch (argument.from_type) {
    case ElementType::float32:
      return launch(queue, "cast", cast<float>, blocks, threads, 0, argument);
    case ElementType::int64:
      return launch(queue, "cast", cast<std::int64_t>, blocks, threads, 0, argument);
    case ElementType::boolean:
      return launch(queue, "cast", cast<std::uint8_t>, blocks, threads, 0, argument);
    case ElementType::float64:
      break;
  }
  return not_supported;
}

}  // namespace parity::cuda
