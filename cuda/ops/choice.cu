#include "cuda/grid.hpp"
#include "cuda/ops/choice.hpp"
#include "cuda/walk.hpp"

namespace parity::cuda {
namespace {

template <class Word>
__global__ void __launch_bounds__(threads_per_block) choice(ChoiceArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    static_cast<Word*>(a.y)[i] =
        a.c[offset_of(a.walk, a.c_steps, i)] != 0
            ? static_cast<const Word*>(a.a)[offset_of(a.walk, a.a_steps, i)]
            : static_cast<const Word*>(a.b)[offset_of(a.walk, a.b_steps, i)];
}

}  // namespace

Status launch_choice(const Queue& queue, const ChoiceArgument& argument) {
  const Extent blocks = blocks_for(argument.count), threads{threads_per_block};
  if (argument.word_bytes == 8)
    return launch(queue, "choice", choice<std::uint64_t>, blocks, threads, 0, argument);
  if (argument.word_bytes == 4)
    return launch(queue, "choice", choice<std::uint32_t>, blocks, threads, 0, argument);
  return launch(queue, "choice", choice<std::uint8_t>, blocks, threads, 0, argument);
}

}  // namespace parity::cuda
