#pragma once

#include <optional>
#include <vector>

#include "cuda/mac/mac.hpp"

namespace parity::cuda {

/// The classes of a window's output pixels: each pair of a row and a column axis is one.
struct MacClasses {
  std::vector<MacAxis> rows, columns;
};
/// Nothing for extents beyond 31 bits.
std::optional<MacClasses> classes_of(const Window& window);

/// A window as the tiled kernels take it, operands and epilogue still to be filled in; nothing when
/// only the plain kernels do: more classes of pixels or more taps than they have room for, or extents
/// beyond 31 bits.
std::optional<TiledMacArgument> tiled(const Window& window);

/// Whether the smallest tiles, and so all, take the problem in one launch.
bool fits_one_launch(const TiledMacArgument& argument);

/// Whether x (y) of the problem can be read (written) by four channels at once.
bool wide(const void* data, std::int64_t pixel_stride, std::int64_t channels_per_group);

/// The tile by which a problem is likely done first on the device: the largest that fits and fills
/// its multiprocessors, small ones where blocks are few. It decides no bit.
SimtTile simt_tile(const TiledMacArgument& argument, MacOrder order,
                   const DeviceProperties& device);
TensorTile tensor_tile(const TiledMacArgument& argument, const DeviceProperties& device);

}  // namespace parity::cuda
