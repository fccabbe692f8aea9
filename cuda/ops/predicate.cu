#include "cuda/grid.hpp"
#include "cuda/ops/predicate.hpp"
#include "cuda/walk.hpp"

namespace parity::cuda {
namespace {

template <class T>
__device__ __forceinline__ bool answer(PredicateFunction function, T a, T b) {
  switch (function) {
    case PredicateFunction::both:
      return a != 0 && b != 0;
    case PredicateFunction::equal:
      return a == b;
    case PredicateFunction::greater:
      return a > b;
    case PredicateFunction::greater_or_equal:
      return a >= b;
    case PredicateFunction::is_nan:
      return a != a;
    case PredicateFunction::less:
      return a < b;
    case PredicateFunction::less_or_equal:
      return a <= b;
    case PredicateFunction::negation:
      return a == 0;
    case PredicateFunction::either:
      return a != 0 || b != 0;
    case PredicateFunction::exactly_one:
      return (a != 0) != (b != 0);
  }
  return false;
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) predicate(PredicateArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    const T x = static_cast<const T*>(a.a)[offset_of(a.walk, a.a_steps, i)];
    const T y = static_cast<const T*>(a.b)[offset_of(a.walk, a.b_steps, i)];
    a.y[i] = answer(a.function, x, y) ? 1 : 0;
  }
}

}  // namespace

Status launch_predicate(const Queue& queue, const PredicateArgument& argument) {
  const Extent blocks = blocks_for(argument.count), threads{threads_per_block};
  switch (argument.type) {
    case ElementType::float32:
      return launch(queue, "predicate", predicate<float>, blocks, threads, 0, argument);
    case ElementType::int64:
      return launch(queue, "predicate", predicate<std::int64_t>, blocks, threads, 0, argument);
    case ElementType::boolean:
      return launch(queue, "predicate", predicate<std::uint8_t>, blocks, threads, 0, argument);
    case ElementType::float64:
      break;
  }
  return not_supported;
}

}  // namespace parity::cuda
