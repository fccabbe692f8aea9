#include "cpu/mac/walk.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/threads.hpp"

namespace parity::cpu {
namespace {

/// One axis of a class of output pixels: the i-th of them lies at output first + i*step and reads, by its t-th
/// tap, input i*input_step + offset[t].
struct Axis {
  std::int64_t first = 0, step = 1, count = 0;
  std::int64_t input_step = 1;
  std::vector<std::int64_t> tap, offset;
};

/// Output pixels that share a tap list, and where their tiles stand among those of a panel.
struct PixelClass {
  Axis rows, columns;
  std::vector<std::int32_t> tap;
  std::int64_t pixels = 0, first_tile = 0;
};

std::vector<Axis> axis_classes(Window::Direction direction, std::int64_t outputs, std::int64_t taps,
                               std::int64_t stride, std::int64_t pad, std::int64_t dilation) {
  std::vector<Axis> classes;
  if (direction == Window::Direction::forward) {
    Axis all{0, 1, outputs, stride, {}, {}};
    for (std::int64_t k = 0; k < taps; ++k) {
      all.tap.push_back(k);
      all.offset.push_back(k * dilation - pad);
    }
    classes.push_back(std::move(all));
    return classes;
  }
  for (std::int64_t residue = 0; residue < std::min(stride, outputs); ++residue) {
    Axis axis{residue, stride, (outputs - residue + stride - 1) / stride, 1, {}, {}};
    for (std::int64_t k = 0; k < taps; ++k) {
      const std::int64_t numerator = residue + pad - k * dilation;
      if (numerator % stride != 0) continue;
      axis.tap.push_back(k);
      axis.offset.push_back(numerator / stride);
    }
    classes.push_back(std::move(axis));
  }
  return classes;
}

std::vector<PixelClass> pixel_classes(const Window& window, std::int64_t pixels_per_tile) {
  const auto rows = axis_classes(window.direction, window.OH, window.KH, window.sh, window.ph, window.dh);
  const auto columns =
      axis_classes(window.direction, window.OW, window.KW, window.sw, window.pw, window.dw);
  std::vector<PixelClass> classes;
  std::int64_t tiles = 0;
  for (const Axis& row : rows) {
    for (const Axis& column : columns) {
      PixelClass c{row, column, {}, window.N * row.count * column.count, tiles};
      for (const std::int64_t kh : row.tap)
        for (const std::int64_t kw : column.tap)
          c.tap.push_back(static_cast<std::int32_t>(kh * window.KW + kw));
      tiles += (c.pixels + pixels_per_tile - 1) / pixels_per_tile;
      if (c.pixels > 0) classes.push_back(std::move(c));
    }
  }
  return classes;
}

/// Builds tiles one after the other; one per worker.
template <class T>
class TileBuilder {
 public:
  TileBuilder(const Window& window, const T* x, T* y, const T* zeros, int pixels)
      : window_(window), x_(x), y_(y), zeros_(zeros), pixels_(pixels) {
    inputs_.resize(static_cast<std::size_t>(window.KH * window.KW * pixels));
    outputs_.resize(static_cast<std::size_t>(pixels));
  }

  /// The tile of pixels [first, first + pixels) of the class, for one panel.
  Tile<T> build(const PixelClass& c, std::int64_t tile, const Panel& panel) {
    const std::int64_t first = tile * pixels_;
    const std::int64_t count = std::min<std::int64_t>(pixels_, c.pixels - first);
    // pixel = (n * rows.count + i) * columns.count + j
    std::int64_t j = first % c.columns.count;
    std::int64_t i = first / c.columns.count % c.rows.count;
    std::int64_t n = first / c.columns.count / c.rows.count;
    const std::int64_t x_pixel = window_.G * window_.IC, y_pixel = window_.G * window_.OC;
    const std::int64_t taps_h = static_cast<std::int64_t>(c.rows.tap.size());
    const std::int64_t taps_w = static_cast<std::int64_t>(c.columns.tap.size());
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t oh = c.rows.first + i * c.rows.step;
      const std::int64_t ow = c.columns.first + j * c.columns.step;
      // y[n, oh, ow, g*OC + oc], x[n, ih, iw, g*IC + ic]
      outputs_[p] = y_ + ((n * window_.OH + oh) * window_.OW + ow) * y_pixel +
                    panel.group * window_.OC + panel.channel;
      const T* const image = x_ + n * window_.IH * window_.IW * x_pixel + panel.group * window_.IC;
      const T** input = inputs_.data() + p;
      for (std::int64_t r = 0; r < taps_h; ++r) {
        const std::int64_t ih = i * c.rows.input_step + c.rows.offset[r];
        const bool row_inside = ih >= 0 && ih < window_.IH;
        for (std::int64_t s = 0; s < taps_w; ++s) {
          const std::int64_t iw = j * c.columns.input_step + c.columns.offset[s];
          const bool inside = row_inside && iw >= 0 && iw < window_.IW;
          *input = inside ? image + (ih * window_.IW + iw) * x_pixel : zeros_;
          input += count;
        }
      }
      if (++j == c.columns.count) {
        j = 0;
        if (++i == c.rows.count) {
          i = 0;
          ++n;
        }
      }
    }
    return {static_cast<int>(count), static_cast<int>(c.tap.size()), c.tap.data(), inputs_.data(),
            outputs_.data()};
  }

 private:
  const Window& window_;
  const T* x_;
  T* y_;
  const T* zeros_;
  std::int64_t pixels_;
  std::vector<const T*> inputs_;
  std::vector<T*> outputs_;
};

}  // namespace

template <class T>
void walk(const Window& window, const T* x, T* y, std::span<const Panel> panels, int pixels,
          const Execution& execution, const TileKernel<T>& kernel) {
  const std::vector<PixelClass> classes = pixel_classes(window, pixels);
  if (classes.empty() || panels.empty()) return;
  const std::int64_t tiles =
      classes.back().first_tile + (classes.back().pixels + pixels - 1) / pixels;
  const std::int64_t total = tiles * static_cast<std::int64_t>(panels.size());
  const std::vector<T> zeros(static_cast<std::size_t>(window.IC + 64), T{0});

  const std::int64_t workers = std::min<std::int64_t>(std::max(execution.threads, 1), total);
  // Sixteen runs per worker: short enough that a worker held up by another process costs little, long enough
  // that neighbouring tiles find each other's input rows in the cache.
  const std::int64_t run = workers == 1 ? total : std::max<std::int64_t>(1, total / (workers * 16));
  std::atomic<std::int64_t> next{0};
  parallel_for(workers, 1, static_cast<int>(workers), [&](std::int64_t worker, std::int64_t) {
    TileBuilder<T> builder(window, x, y, zeros.data(), pixels);
    for (std::int64_t first = next.fetch_add(run); first < total; first = next.fetch_add(run)) {
      std::size_t panel = static_cast<std::size_t>(first / tiles);
      std::int64_t tile = first % tiles;
      auto c = std::prev(std::upper_bound(
          classes.begin(), classes.end(), tile,
          [](std::int64_t t, const PixelClass& one) { return t < one.first_tile; }));
      for (std::int64_t i = first; i < std::min(first + run, total); ++i) {
        kernel(builder.build(*c, tile - c->first_tile, panels[panel]), panel,
               static_cast<int>(worker));
        if (++tile == tiles) {
          tile = 0;
          ++panel;
          c = classes.begin();
        } else if (std::next(c) != classes.end() && tile == std::next(c)->first_tile) {
          ++c;
        }
      }
    }
  });
}

template void walk<float>(const Window&, const float*, float*, std::span<const Panel>, int,
                          const Execution&, const TileKernel<float>&);
template void walk<double>(const Window&, const double*, double*, std::span<const Panel>, int,
                           const Execution&, const TileKernel<double>&);

}  // namespace parity::cpu
