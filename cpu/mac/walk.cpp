#include "cpu/mac/walk.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <type_traits>
#include <vector>

#include "cpu/threads.hpp"

namespace parity::cpu {
namespace {

/// One axis of a class of output pixels: the i-th of them lies at output first + i*step and reads,
/// by its t-th tap, input i*input_step + offset[t].
struct Axis {
  std::int64_t first = 0, step = 1, count = 0;
  std::int64_t input_step = 1;
  std::vector<std::int64_t> tap, offset;
  std::int64_t inside_first = 0,
               inside_last = 0;  ///< the i for which every tap lies inside the input

  void find_inside(std::int64_t inputs) {
    const auto inside = [&](std::int64_t i) {
      return std::all_of(offset.begin(), offset.end(), [&](std::int64_t o) {
        return i * input_step + o >= 0 && i * input_step + o < inputs;
      });
    };
    while (inside_first < count && !inside(inside_first)) ++inside_first;
    inside_last = count;
    while (inside_last > inside_first && !inside(inside_last - 1)) --inside_last;
  }
};

/// Output pixels that share a tap list, and where their tiles stand among those of a panel.
struct PixelClass {
  Axis rows, columns;
  std::vector<std::int32_t> tap;
  std::int64_t pixels = 0, first_tile = 0;
};

std::vector<Axis> axis_classes(Window::Direction direction, std::int64_t inputs,
                               std::int64_t outputs, std::int64_t taps, std::int64_t stride,
                               std::int64_t pad, std::int64_t dilation) {
  std::vector<Axis> classes;
  if (direction == Window::Direction::forward) {
    Axis all{0, 1, outputs, stride, {}, {}, 0, 0};
    for (std::int64_t k = 0; k < taps; ++k) {
      all.tap.push_back(k);
      all.offset.push_back(k * dilation - pad);
    }
    all.find_inside(inputs);
    classes.push_back(std::move(all));
    return classes;
  }
  for (std::int64_t residue = 0; residue < std::min(stride, outputs); ++residue) {
    Axis axis{residue, stride, (outputs - residue + stride - 1) / stride, 1, {}, {}, 0, 0};
    for (std::int64_t k = 0; k < taps; ++k) {
      const std::int64_t numerator = residue + pad - k * dilation;
      if (numerator % stride != 0) continue;
      axis.tap.push_back(k);
      axis.offset.push_back(numerator / stride);
    }
    axis.find_inside(inputs);
    classes.push_back(std::move(axis));
  }
  return classes;
}

std::vector<PixelClass> pixel_classes(const Window& window, std::int64_t pixels_per_tile) {
  const auto rows = axis_classes(window.direction, window.IH, window.OH, window.KH, window.sh,
                                 window.ph, window.dh);
  const auto columns = axis_classes(window.direction, window.IW, window.OW, window.KW, window.sw,
                                    window.pw, window.dw);
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

/// Whether all channels of a pixel are zeros of either sign.
template <class T>
bool is_zero(const T* pixel, std::int64_t channels) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  Bits any = 0;
  for (std::int64_t c = 0; c < channels; ++c) any |= std::bit_cast<Bits>(pixel[c]);
  return static_cast<Bits>(any << 1) == 0;
}

/// For each pixel of the input (n, ih, iw) whether it is zero; empty when fewer than three in four
/// of a few pixels are: then hardly a tile has a tap without anything to read.
template <class T>
std::vector<std::uint8_t> zero_pixels(const Window& window, const T* x, int threads) {
  constexpr std::int64_t looked_at = 256;
  const std::int64_t pixels = window.N * window.IH * window.IW, channels = window.G * window.IC;
  const std::int64_t samples = std::min(looked_at, pixels);
  if (channels == 0) return {};
  std::int64_t others = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    others += is_zero(x + pixels * i / samples * channels, channels) ? 0 : 1;
    if (4 * others > samples) return {};
  }
  std::vector<std::uint8_t> zero(static_cast<std::size_t>(pixels));
  parallel_for(pixels, 1024, threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      zero[static_cast<std::size_t>(i)] = is_zero(x + i * channels, channels) ? 1 : 0;
  });
  return zero;
}

/// Builds tiles one after the other; one per worker.
template <class T>
class TileBuilder {
 public:
  /// `zero_pixels` empty: every tap is listed.
  TileBuilder(const Window& window, const T* x, T* y, const T* zeros,
              std::span<const std::uint8_t> zero_pixels, int pixels)
      : window_(window),
        zero_pixels_(zero_pixels),
        x_(x),
        y_(y),
        zeros_(zeros),
        pixels_(pixels),
        x_pixel_(window.G * window.IC),
        y_pixel_(window.G * window.OC) {
    inputs_.resize(static_cast<std::size_t>(window.KH * window.KW * pixels));
    outputs_.resize(static_cast<std::size_t>(pixels));
    taps_.resize(static_cast<std::size_t>(window.KH * window.KW));
  }

  /// The tile-th tile of the class, for one panel. Cheapest when asked for in ascending order.
  Tile<T> build(const PixelClass& c, std::int64_t tile, const Panel& panel) {
    const std::int64_t first = tile * pixels_;
    const std::int64_t count = std::min<std::int64_t>(pixels_, c.pixels - first);
    if (&c != class_ || first != next_) {
      // pixel = (n * rows.count + i) * columns.count + j
      j_ = first % c.columns.count;
      i_ = first / c.columns.count % c.rows.count;
      n_ = first / c.columns.count / c.rows.count;
      class_ = &c;
    }
    next_ = first + count;
    if (j_ >= c.columns.inside_first && j_ + count <= c.columns.inside_last) {
      inside_row(c, count, panel);
    } else {
      anywhere(c, count, panel);
    }
    const int pixels = static_cast<int>(count);
    if (zero_pixels_.empty())
      return {pixels, static_cast<int>(c.tap.size()), c.tap.data(), inputs_.data(),
              outputs_.data()};
    return {pixels, leave_out_zeros(c, count), taps_.data(), inputs_.data(), outputs_.data()};
  }

 private:
  const T* image(const Panel& panel) const {
    // x[n, ih, iw, g*IC + ic]
    return x_ + n_ * window_.IH * window_.IW * x_pixel_ + panel.group * window_.IC;
  }
  T* output(const PixelClass& c, const Panel& panel) const {
    // y[n, oh, ow, g*OC + oc]
    const std::int64_t oh = c.rows.first + i_ * c.rows.step;
    const std::int64_t ow = c.columns.first + j_ * c.columns.step;
    return y_ + ((n_ * window_.OH + oh) * window_.OW + ow) * y_pixel_ + panel.group * window_.OC +
           panel.channel;
  }
  /// Keeps the taps at which some pixel is not zero, in their order; returns how many.
  int leave_out_zeros(const PixelClass& c, std::int64_t count) {
    int kept = 0;
    for (std::size_t t = 0; t < c.tap.size(); ++t) {
      const T* const* from = inputs_.data() + static_cast<std::int64_t>(t) * count;
      const bool zero = std::all_of(from, from + count, [&](const T* pixel) {
        // zeros_ stands for every pixel outside; x[n, ih, iw, g*IC + ic] else
        return pixel == zeros_ || zero_pixels_[static_cast<std::size_t>((pixel - x_) / x_pixel_)];
      });
      if (zero) continue;
      std::copy_n(from, count, inputs_.data() + kept * count);
      taps_[static_cast<std::size_t>(kept++)] = c.tap[t];
    }
    return kept;
  }
  bool row_inside(std::int64_t ih) const { return ih >= 0 && ih < window_.IH; }

  /// All pixels lie in one row, and no tap of theirs left or right of the image: pointers in even
  /// steps.
  void inside_row(const PixelClass& c, std::int64_t count, const Panel& panel) {
    T* const y = output(c, panel);
    for (std::int64_t p = 0; p < count; ++p) outputs_[p] = y + p * c.columns.step * y_pixel_;
    const T** input = inputs_.data();
    const std::int64_t step = c.columns.input_step * x_pixel_;
    for (const std::int64_t row : c.rows.offset) {
      const std::int64_t ih = i_ * c.rows.input_step + row;
      if (row_inside(ih)) {
        const T* const start =
            image(panel) + (ih * window_.IW + j_ * c.columns.input_step) * x_pixel_;
        for (const std::int64_t column : c.columns.offset) {
          const T* const x = start + column * x_pixel_;
          for (std::int64_t p = 0; p < count; ++p) input[p] = x + p * step;
          input += count;
        }
      } else {
        const std::int64_t outside = count * static_cast<std::int64_t>(c.columns.offset.size());
        std::fill_n(input, outside, zeros_);
        input += outside;
      }
    }
    j_ += count;
    if (j_ == c.columns.count) next_row(c);
  }

  void anywhere(const PixelClass& c, std::int64_t count, const Panel& panel) {
    for (std::int64_t p = 0; p < count; ++p) {
      outputs_[p] = output(c, panel);
      const T** input = inputs_.data() + p;
      for (const std::int64_t row : c.rows.offset) {
        const std::int64_t ih = i_ * c.rows.input_step + row;
        for (const std::int64_t column : c.columns.offset) {
          const std::int64_t iw = j_ * c.columns.input_step + column;
          const bool inside = row_inside(ih) && iw >= 0 && iw < window_.IW;
          *input = inside ? image(panel) + (ih * window_.IW + iw) * x_pixel_ : zeros_;
          input += count;
        }
      }
      if (++j_ == c.columns.count) next_row(c);
    }
  }

  void next_row(const PixelClass& c) {
    j_ = 0;
    if (++i_ == c.rows.count) {
      i_ = 0;
      ++n_;
    }
  }

  const Window& window_;
  std::span<const std::uint8_t> zero_pixels_;
  const T* x_;
  T* y_;
  const T* zeros_;
  std::int64_t pixels_, x_pixel_, y_pixel_;
  std::vector<const T*> inputs_;
  std::vector<T*> outputs_;
  std::vector<std::int32_t> taps_;     ///< those kept, when some are left out
  const PixelClass* class_ = nullptr;  ///< of the tile built last
  std::int64_t next_ = 0;              ///< the pixel after it, which is (n_, i_, j_)
  std::int64_t n_ = 0, i_ = 0, j_ = 0;
};

/// Bytes of the weights that one tile meets, over all panels.
template <class T>
std::int64_t tile_weight_bytes(const Window& window, const std::vector<PixelClass>& classes) {
  std::size_t taps = 0;
  for (const PixelClass& c : classes) taps = std::max(taps, c.tap.size());
  return static_cast<std::int64_t>(taps * sizeof(T)) * window.G * window.IC * window.OC;
}

/// A place in the order of the walk: groups of `at_once` tiles, in each the panels, in each the
/// tiles.
class Position {
 public:
  Position(std::int64_t index, std::int64_t at_once, std::int64_t tiles, std::int64_t panels,
           const std::vector<PixelClass>& classes)
      : at_once_(at_once), tiles_(tiles), panels_(panels), classes_(classes) {
    first_ = index / (at_once * panels) * at_once;
    const std::int64_t inside = index - first_ * panels, count = last() - first_;
    panel_ = inside / count;
    tile_ = first_ + inside % count;
    find_class();
  }
  std::size_t panel() const { return static_cast<std::size_t>(panel_); }
  const PixelClass& pixel_class() const { return *class_; }
  std::int64_t tile_of_class() const { return tile_ - class_->first_tile; }

  void advance() {
    if (++tile_ < last()) {
      if (std::next(class_) != classes_.end() && tile_ == std::next(class_)->first_tile) ++class_;
      return;
    }
    if (++panel_ == panels_) {
      panel_ = 0;
      first_ = last();
    }
    tile_ = first_;
    if (tile_ < tiles_) find_class();
  }

 private:
  std::int64_t last() const { return std::min(first_ + at_once_, tiles_); }
  void find_class() {
    class_ = std::prev(
        std::upper_bound(classes_.begin(), classes_.end(), tile_,
                         [](std::int64_t t, const PixelClass& one) { return t < one.first_tile; }));
  }

  std::int64_t at_once_, tiles_, panels_;
  const std::vector<PixelClass>& classes_;
  std::vector<PixelClass>::const_iterator class_;
  std::int64_t first_ = 0, panel_ = 0, tile_ = 0;
};

}  // namespace

template <class T>
void walk(const Window& window, const T* x, T* y, std::span<const Panel> panels, int pixels,
          ZeroTaps zero_taps, const Execution& execution, const TileKernel<T>& kernel) {
  const std::vector<PixelClass> classes = pixel_classes(window, pixels);
  if (classes.empty() || panels.empty()) return;
  const std::int64_t tiles =
      classes.back().first_tile + (classes.back().pixels + pixels - 1) / pixels;
  const std::int64_t total = tiles * static_cast<std::int64_t>(panels.size());
  const std::vector<T> zeros(static_cast<std::size_t>(window.IC + 64), T{0});

  const std::vector<std::uint8_t> zero = zero_taps == ZeroTaps::left_out
                                             ? zero_pixels(window, x, execution.threads)
                                             : std::vector<std::uint8_t>();

  // Where all panels' weights stay in the second-level cache together, a few tiles go through all
  // panels before the next: what they read is then in the cache too.
  const std::int64_t at_once = tile_weight_bytes<T>(window, classes) <= 256 * 1024 ? 16 : tiles;

  const std::int64_t workers = std::min<std::int64_t>(std::max(execution.threads, 1), total);
  // Sixteen runs per worker: short enough that a worker held up by another process costs little,
  // long enough that neighbouring tiles find each other's input rows in the cache.
  const std::int64_t run = workers == 1 ? total : std::max<std::int64_t>(1, total / (workers * 16));
  std::atomic<std::int64_t> next{0};
  parallel_for(workers, 1, static_cast<int>(workers), [&](std::int64_t worker, std::int64_t) {
    TileBuilder<T> builder(window, x, y, zeros.data(), zero, pixels);
    for (std::int64_t first = next.fetch_add(run); first < total; first = next.fetch_add(run)) {
      Position at(first, at_once, tiles, std::ssize(panels), classes);
      for (std::int64_t i = first; i < std::min(first + run, total); ++i, at.advance())
        kernel(builder.build(at.pixel_class(), at.tile_of_class(), panels[at.panel()]), at.panel(),
               static_cast<int>(worker));
    }
  });
}

template void walk<float>(const Window&, const float*, float*, std::span<const Panel>, int,
                          ZeroTaps, const Execution&, const TileKernel<float>&);
template void walk<double>(const Window&, const double*, double*, std::span<const Panel>, int,
                           ZeroTaps, const Execution&, const TileKernel<double>&);

}  // namespace parity::cpu
