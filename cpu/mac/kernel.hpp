#pragma once

#include <cstdint>
#include <span>

#include "cpu/epilogue.hpp"
#include "cpu/mac/panels.hpp"
#include "cpu/mac/tile.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// An epilogue step whose operands lie like the panel: `width` elements from its first channel.
template <class T>
struct TileStep {
  typename EpilogueStep<T>::Kind kind;
  const T* a;
  const T* b;
};

/// How the terms of one output are summed, in MAC order.
enum class Summation {
  chain,    ///< one chain of fused multiply-adds
  chunk256  ///< a chain from +0 for every 256 terms of this output, their sums added in order
};

/// What a kernel reads beside the tile.
template <class T>
struct PanelWork {
  const T* weights;             ///< Panels::weights
  std::int64_t width;           ///< elements of a k row
  std::int64_t channels;        ///< of the panel, <= width
  std::int64_t IC;              ///< of the window walked
  std::int64_t taps;            ///< KH*KW of the weights
  std::int64_t channel;         ///< the panel's first channel among all outputs, for the epilogue
  const Epilogue<T>* epilogue;  ///< all steps
  std::span<const TileStep<T>> steps;  ///< the first of them, ready to be taken in registers
};

/// One tile times one panel in MAC order, closed by add(acc, +0), then the epilogue.
template <class T>
using PanelKernel = void (*)(const Tile<T>& tile, const PanelWork<T>& work);

/// The kernel of a resolved width (instruction_set.hpp). All of one summation give the same bits.
/// double has Summation::chain only.
template <class T>
PanelKernel<T> panel_kernel(InstructionSet set, Lanes lanes, Summation summation);

/// The pixels per tile at which that kernel is fastest for panels of `strips` strips; it takes no
/// more than these.
int panel_kernel_pixels(InstructionSet set, Lanes lanes, std::int64_t strips);

/// Runs whole problems with these kernels: what `chain`, `chunk256` and `fp64` share.
template <class T>
void run_panels(const Window& window, const T* x, const Panels<T>& weights, Summation summation,
                const Epilogue<T>& epilogue, T* y, const Execution& execution);

}  // namespace parity::cpu
