#include "cpu/mac/instruction_set.hpp"

#include <hwy/targets.h>

#include <string>

#include "model/error.hpp"

namespace parity::cpu {
namespace {

constexpr InstructionSet widest_first[] = {InstructionSet::avx512, InstructionSet::avx2,
                                           InstructionSet::neon, InstructionSet::scalar};

std::int64_t target_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return HWY_AVX3;
    case InstructionSet::avx2:
      return HWY_AVX2;
    case InstructionSet::neon:
      return HWY_NEON;
    case InstructionSet::best:
    case InstructionSet::scalar:
      break;
  }
  return 0;
}

}  // namespace

bool has(InstructionSet set) {
  // Asked once: on a virtual machine each cpuid instruction is a trap of tens of microseconds.
  static const std::int64_t supported = hwy::SupportedTargets();
  const std::int64_t target = target_of(set);
  return (supported & target) == target;
}

InstructionSet resolve(InstructionSet set) {
  if (set == InstructionSet::best) {
    for (const InstructionSet candidate : widest_first)
      if (has(candidate)) return candidate;
  }
  if (!has(set))
    throw Error(Fault::device,
                "kernels of width '" + std::string(name(set)) +
                    "' were asked for, but this processor lacks them; ask for 'best' or 'scalar'");
  return set;
}

}  // namespace parity::cpu
