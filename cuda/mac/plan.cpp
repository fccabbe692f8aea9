#include "cuda/mac/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>

namespace parity::cuda {
namespace {

constexpr std::int64_t most_int = std::numeric_limits<std::int32_t>::max();

struct AxisExtents {
  std::int64_t inputs, outputs, taps, stride, pad, dilation;
};

/// The classes of one axis; none when it is too long.
std::vector<MacAxis> axis_classes(Window::Direction direction, const AxisExtents& e) {
  const auto axis = [](std::int64_t first, std::int64_t step, std::int64_t count,
                       std::int64_t input_step, std::int64_t taps, std::int64_t tap,
                       std::int64_t tap_step, std::int64_t offset, std::int64_t offset_step) {
    const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    return MacAxis{i(first), i(step),     i(count),  i(input_step), i(taps),
                   i(tap),   i(tap_step), i(offset), i(offset_step)};
  };
  const std::int64_t reach = e.pad + e.taps * e.dilation + (e.outputs + 1) * e.stride + e.inputs;
  if (reach > most_int) return {};
  if (direction == Window::Direction::forward)
    return {axis(0, 1, e.outputs, e.stride, e.taps, 0, 1, -e.pad, e.dilation)};
  std::vector<MacAxis> axes;
  const std::int64_t classes = std::min(e.stride, e.outputs);
  // Taps whose k*dilation agrees with the residue mod stride come in even steps.
  const std::int64_t tap_step = e.stride / std::gcd(e.stride, e.dilation);
  for (std::int64_t residue = 0; residue < classes; ++residue) {
    std::int64_t tap = 0;
    while (tap < e.taps && (residue + e.pad - tap * e.dilation) % e.stride != 0) ++tap;
    const std::int64_t taps = tap < e.taps ? (e.taps - 1 - tap) / tap_step + 1 : 0;
    axes.push_back(axis(residue, e.stride, (e.outputs - residue + e.stride - 1) / e.stride, 1, taps,
                        tap, tap_step, (residue + e.pad - tap * e.dilation) / e.stride,
                        -tap_step * e.dilation / e.stride));
  }
  return axes;
}

/// How many there are when they fit into `axes` with all their taps, else 0.
int fitted(const std::vector<MacAxis>& classes, MacAxis* axes) {
  const bool fits = classes.size() <= most_mac_classes &&
                    std::all_of(classes.begin(), classes.end(),
                                [](const MacAxis& axis) { return axis.taps <= most_mac_taps; });
  if (!fits) return 0;
  std::copy(classes.begin(), classes.end(), axes);
  return static_cast<int>(classes.size());
}

/// The outputs of a tile, and how well it makes them.
struct Tile {
  int pixels, width;
  double share;  ///< of the peak that its inner loop can reach, relative to the best tile
};

double blocks_of(const TiledMacArgument& a, int pixels, int width) {
  double blocks = 0;
  for (int r = 0; r < a.row_classes; ++r)
    for (int c = 0; c < a.column_classes; ++c)
      blocks += std::ceil(static_cast<double>(a.N) * a.rows[r].count * a.columns[c].count / pixels);
  return blocks * std::ceil(static_cast<double>(a.OC) / width) * a.G * a.matrix_count;
}

/// The position in `tiles` of the one that needs the least time, taking blocks to come in waves.
std::size_t cheapest(const TiledMacArgument& a, std::span<const Tile> tiles, int multiprocessors) {
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const Tile& tile = tiles[i];
    const double blocks = blocks_of(a, tile.pixels, tile.width);
    // Blocks of one multiprocessor share it: the last wave costs what its fullest multiprocessor has.
    const double per_multiprocessor = std::ceil(blocks / multiprocessors);
    const double time = per_multiprocessor * tile.pixels * tile.width / tile.share;
    if (time < least) {
      least = time;
      best = i;
    }
  }
  return best;
}

}  // namespace

std::optional<MacClasses> classes_of(const Window& window) {
  if (window.N * window.OH * window.OW > most_int ||
      window.N * (window.IH + window.KH * window.dh) * (window.IW + window.KW * window.dw) >
          most_int ||
      window.G * window.OC > most_int || window.G * window.IC > most_int)
    return std::nullopt;
  MacClasses classes{axis_classes(window.direction, {window.IH, window.OH, window.KH, window.sh,
                                                     window.ph, window.dh}),
                     axis_classes(window.direction, {window.IW, window.OW, window.KW, window.sw,
                                                     window.pw, window.dw})};
  if (classes.rows.empty() || classes.columns.empty()) return std::nullopt;
  return classes;
}

std::optional<TiledMacArgument> tiled(const Window& window) {
  const std::int64_t taps = window.KH * window.KW;
  if (window.IC == 0 || taps == 0) return std::nullopt;  // nothing to tile
  if (mac_packed_rows(window.IC, taps) * mac_panel > most_int) return std::nullopt;
  const std::optional<MacClasses> classes = classes_of(window);
  if (!classes) return std::nullopt;
  TiledMacArgument a{};
  a.row_classes = fitted(classes->rows, a.rows);
  a.column_classes = fitted(classes->columns, a.columns);
  if (a.row_classes == 0 || a.column_classes == 0) return std::nullopt;
  const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  a.N = i(window.N), a.G = i(window.G);
  a.IC = i(window.IC), a.IH = i(window.IH), a.IW = i(window.IW);
  a.OC = i(window.OC), a.OH = i(window.OH), a.OW = i(window.OW);
  a.KW = i(window.KW), a.taps = i(taps);
  a.x_pixel = i(window.G * window.IC);
  a.y_pixel = window.G * window.OC;
  a.matrix_count = 1;
  return a;
}

bool fits_one_launch(const TiledMacArgument& argument) {
  // Every class is launched with as many tiles as the largest has.
  TiledMacArgument largest = argument;
  for (int r = 1; r < largest.row_classes; ++r)
    largest.rows[0].count = std::max(largest.rows[0].count, largest.rows[r].count);
  for (int c = 1; c < largest.column_classes; ++c)
    largest.columns[0].count = std::max(largest.columns[0].count, largest.columns[c].count);
  largest.row_classes = largest.column_classes = 1;
  return blocks_of(largest, 64, 64) * argument.row_classes * argument.column_classes <=
         static_cast<double>(most_mac_blocks);
}

bool wide(const void* data, std::int64_t pixel_stride, std::int64_t channels_per_group) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && pixel_stride % 4 == 0 &&
         channels_per_group % 4 == 0;
}

SimtTile simt_tile(const TiledMacArgument& argument, MacOrder order,
                   const DeviceProperties& device) {
  if (!simt_takes(SimtTile::m128n64, order, argument)) return SimtTile::m64n64;
  // Shares: multiply-adds among the instructions of the inner loop (bench/README.md).
  constexpr Tile tiles[] = {{128, 128, 1.00}, {128, 64, 0.97}, {64, 64, 0.86}};
  constexpr SimtTile names[] = {SimtTile::m128n128, SimtTile::m128n64, SimtTile::m64n64};
  const bool largest =
      simt_takes(SimtTile::m128n128, order, argument) &&
      simt_shared_bytes(SimtTile::m128n128) <= device.shared_bytes_per_block;  // not on sm_75
  const std::size_t first = largest ? 0 : 1;
  return names[first + cheapest(argument, std::span<const Tile>(tiles).subspan(first),
                                device.multiprocessors)];
}

TensorTile tensor_tile(const TiledMacArgument& argument, const DeviceProperties& device) {
  if (!tensor_takes(TensorTile::m128n128, argument)) return TensorTile::m64n64;
  constexpr Tile tiles[] = {{128, 128, 1.00}, {128, 64, 0.90}, {64, 64, 0.75}};
  constexpr TensorTile names[] = {TensorTile::m128n128, TensorTile::m128n64, TensorTile::m64n64};
  return names[cheapest(argument, tiles, device.multiprocessors)];
}

}  // namespace parity::cuda
