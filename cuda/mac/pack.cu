#include "cuda/grid.hpp"
#include "cuda/mac/mac.hpp"
#include "model/arithmetic/magnitude.hpp"
#include "model/arithmetic/tf32.hpp"

// One thread per packed element at a time, writes coalesced. Done once per weights, or once per run
// for a right operand that is itself a value.

namespace parity::cuda {
namespace {

__global__ void __launch_bounds__(threads_per_block) pack(PackArgument a) {
  const std::int64_t rows = mac_packed_rows(a.IC, a.taps), panels = mac_panels(a.OC);
  const std::int64_t count = a.G * panels * rows * mac_panel;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t panel = i / (rows * mac_panel), inside = i % (rows * mac_panel);
    const bool by_rows = a.layout == PackedAs::rows;
    const std::int64_t row = by_rows ? inside / mac_panel : inside % rows;
    const std::int64_t oc =
        panel % panels * mac_panel + (by_rows ? inside % mac_panel : inside / rows);
    // row = block * taps + tap * length + (ic mod 32), length = the block's channels filled up
    const std::int64_t block = row / (channel_block * a.taps) * channel_block;
    const std::int64_t left = (a.IC - block + 7) / 8 * 8;
    const std::int64_t length = left < channel_block ? left : channel_block;
    const std::int64_t within = row - block * a.taps;
    const std::int64_t tap = within / length, ic = block + within % length;
    float value = 0;
    if (ic < a.IC && oc < a.OC)
      value = a.w[panel / panels * a.strides.g + tap * a.strides.tap + ic * a.strides.ic +
                  oc * a.strides.oc];
    // The zeros that fill up are no operands: they stay zeros.
    if (a.magnitudes && ic < a.IC && oc < a.OC) value = magnitude_operand(value);
    if (a.rounds) value = device::float_of(round_to_tf32(device::bits_of(value), a.rounding));
    a.to[i] = value;
  }
}

}  // namespace

Status launch_pack(const Queue& queue, const PackArgument& a) {
  const std::int64_t count = a.G * mac_panels(a.OC) * mac_packed_rows(a.IC, a.taps) * mac_panel;
  return launch(queue, "mac pack", pack, blocks_for(count), {threads_per_block}, 0, a);
}

}  // namespace parity::cuda
