#include "cpu/mac/tensor.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <new>
#include <string>

#include "cpu/mac/instruction_set.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"
#include "model/error.hpp"

namespace parity::cpu {
namespace {

constexpr std::align_val_t alignment{64};
constexpr std::int64_t row_elements = tensor_core_group * tensor_panel;  ///< of one group

/// Pixels of a tile: a stretch of weights is read from the cache once for all of them.
constexpr int tile_pixels = 16;
/// Groups of a stretch: 20 KiB of weights and exponents, which stay in the first-level cache for a
/// tile.
constexpr std::int64_t stretch_groups = 8;

int exponent_field(std::uint32_t bits) { return static_cast<int>((bits >> 23) & 0xffU); }
bool is_zero(std::uint32_t bits) { return (bits & 0x7fffffffU) == 0; }

/// 2^exponent, for normal results.
float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

}  // namespace

void PackedTensor::Free::operator()(void* data) const { ::operator delete(data, alignment); }

PackedTensor::PackedTensor(const Window& window, const Weights<float>& w, Algorithm algorithm,
                           Rounding rounding)
    : algorithm_(algorithm),
      rounding_(rounding),
      G_(window.G),
      IC_(window.IC),
      OC_(window.OC),
      taps_(window.KH * window.KW) {
  groups_ = (IC_ + 7) / 8 * taps_;
  for (std::int64_t g = 0; g < G_; ++g) {
    for (std::int64_t oc = 0; oc < OC_; oc += tensor_panel) {
      panels_.push_back({g, oc, std::min(tensor_panel, OC_ - oc)});
    }
  }
  const auto elements = static_cast<std::size_t>(groups_ * row_elements) * panels_.size();
  b_.reset(static_cast<float*>(::operator new(elements * sizeof(float), alignment)));
  deficit_.reset(static_cast<std::uint8_t*>(::operator new(elements, alignment)));
  facts_.resize(panels_.size());
  outside_.assign(panels_.size() * static_cast<std::size_t>(groups_), 0);
  for (std::size_t panel = 0; panel < panels_.size(); ++panel) pack_panel(w, panel);
}

std::int64_t PackedTensor::groups_of(std::int64_t block) const {
  return (std::min<std::int64_t>(IC_ - block * 32, 32) + 7) / 8;
}

TensorRows PackedTensor::rows(std::size_t panel, std::int64_t group) const {
  const std::int64_t first = (static_cast<std::int64_t>(panel) * groups_ + group) * row_elements;
  return {b_.get() + first, deficit_.get() + first};
}

void PackedTensor::require_fits(const Window& window) const {
  if (window.G != G_ || window.IC != IC_ || window.OC != OC_ || window.KH * window.KW != taps_) {
    throw Error(Fault::internal, "weights packed for " + std::to_string(G_) + " groups of " +
                                     std::to_string(IC_) + "x" + std::to_string(OC_) +
                                     " channels and " + std::to_string(taps_) +
                                     " taps were used for a window of other extents");
  }
}

void PackedTensor::pack_panel(const Weights<float>& w, std::size_t panel) {
  const Panel& where = panels_[panel];
  const TensorRows target = rows(panel, 0);
  auto* const b = const_cast<float*>(target.b);
  auto* const deficit = const_cast<std::uint8_t*>(target.deficit);
  std::fill_n(b, groups_ * row_elements, 0.0F);
  std::fill_n(deficit, groups_ * row_elements, std::uint8_t{255});

  int largest = 0;
  for (std::int64_t block = 0; block < blocks(); ++block) {
    for (std::int64_t tap = 0; tap < taps_; ++tap) {
      for (std::int64_t ic = block * 32; ic < std::min(IC_, block * 32 + 32); ++ic) {
        const std::int64_t row = group(block, tap) * tensor_core_group + ic % 32;
        const float* const from = w.data + where.group * w.stride_g + tap * w.stride_tap +
                                  ic * w.stride_ic + where.channel * w.stride_oc;
        for (std::int64_t j = 0; j < where.channels; ++j) {
          const std::uint32_t bits =
              round_to_tf32(std::bit_cast<std::uint32_t>(from[j * w.stride_oc]), rounding_);
          b[row * tensor_panel + j] = std::bit_cast<float>(bits);
          if (exponent_field(bits) != 255) largest = std::max(largest, exponent_field(bits));
        }
      }
    }
  }

  Facts& facts = facts_[panel];
  facts.exponent = largest == 0 ? 0 : largest - 127;
  facts.in_reach = std::abs(facts.exponent) <= tensor_window::weight_reference;
  for (std::int64_t row = 0; row < groups_ * tensor_core_group; ++row) {
    for (std::int64_t j = 0; j < where.channels; ++j) {
      const auto bits = std::bit_cast<std::uint32_t>(b[row * tensor_panel + j]);
      if (is_zero(bits)) continue;
      const int field = exponent_field(bits);
      const int relative = field - 127 - facts.exponent;
      if (field == 0 || field == 255 || relative < tensor_window::lowest_weight) {
        outside_[panel * groups_ + row / tensor_core_group] = 1;
        facts.any_outside = true;
      } else {
        deficit[row * tensor_panel + place(j)] = static_cast<std::uint8_t>(-relative);
      }
    }
  }
}

namespace {

/// Groups of one (block, tap) of a tile: neighbours in the pixel's operands and in the panel's
/// weights.
struct Run {
  int tap;                ///< position in the tile's list
  std::int64_t channel;   ///< first input channel
  std::int64_t channels;  ///< how many, not filled up
  std::int64_t first;     ///< group among the pixel's operands
  std::int64_t weights;   ///< group among the panel's weights
  std::int64_t groups;
};

/// What is known of one pixel while its groups are added.
struct PixelState {
  /// fast: `acc` holds the accumulators divided by 2^shift. exact: the accumulators themselves.
  enum class Path { fast, exact } path = Path::fast;
  int shift = 0;
  bool any_outside = false;  ///< some group of its operands lies outside the window
};

/// Computes tiles; one per worker, since it holds scratch memory.
class TileWorker {
 public:
  TileWorker(const Window& window, const PackedTensor& weights,
             const std::optional<TensorKernel>& kernel, const Epilogue<float>& epilogue,
             InstructionSet set)
      : window_(window),
        weights_(weights),
        core_(tensor_core(weights.algorithm())),
        kernel_(kernel),
        epilogue_(epilogue),
        set_(set) {}

  void run(const Tile<float>& tile, std::size_t panel);

 private:
  void list_runs(const Tile<float>& tile);
  void prepare(const Tile<float>& tile, int pixel, std::size_t panel);
  void advance(const Tile<float>& tile, int pixel, std::size_t panel, std::int64_t first,
               std::int64_t weights, std::int64_t groups);
  void exact_group(const Tile<float>& tile, int pixel, std::size_t panel, std::int64_t group,
                   std::int64_t weights);
  void finish(const Tile<float>& tile, int pixel, const Panel& panel);

  float* acc(int pixel) { return acc_.data() + pixel * tensor_panel; }
  TensorPixel operands(int pixel, std::int64_t group = 0) {
    const std::int64_t at = pixel * groups_ + group;
    return {a_.data() + at * tensor_core_group, exponent_.data() + at * tensor_core_group,
            nonzero_.data() + at, outside_.data() + at};
  }

  const Window& window_;
  const PackedTensor& weights_;
  const TensorCore& core_;
  const std::optional<TensorKernel>& kernel_;
  const Epilogue<float>& epilogue_;
  InstructionSet set_;

  std::int64_t groups_ = 0;  ///< of a pixel of the tile at hand
  std::vector<Run> runs_;
  std::vector<PixelState> state_;
  std::vector<float> a_, acc_;
  std::vector<std::uint8_t> exponent_, nonzero_, outside_;
};

void TileWorker::list_runs(const Tile<float>& tile) {
  runs_.clear();
  groups_ = 0;
  for (std::int64_t block = 0; block < weights_.blocks(); ++block) {
    const std::int64_t groups = weights_.groups_of(block);
    for (int t = 0; t < tile.taps; ++t) {
      runs_.push_back({t, block * 32, std::min<std::int64_t>(window_.IC - block * 32, 32), groups_,
                       weights_.group(block, tile.tap[t]), groups});
      groups_ += groups;
    }
  }
  const auto all = static_cast<std::size_t>(groups_ * tile.pixels);
  if (nonzero_.size() < all) {
    a_.resize(all * tensor_core_group);
    exponent_.resize(all * tensor_core_group);
    nonzero_.resize(all);
    outside_.resize(all);
  }
  state_.assign(static_cast<std::size_t>(tile.pixels), {});
  acc_.assign(static_cast<std::size_t>(tile.pixels * tensor_panel), 0.0F);
}

void TileWorker::prepare(const Tile<float>& tile, int pixel, std::size_t panel) {
  PixelState& state = state_[pixel];
  state.path = PixelState::Path::exact;
  if (!kernel_ || !weights_.in_reach(panel)) return;

  const TensorPixel to = operands(pixel);
  std::uint32_t largest = 0;
  for (const Run& run : runs_) {
    const float* const from = tile.x[run.tap * tile.pixels + pixel] + run.channel;
    largest = std::max(largest, kernel_->gather(from, run.channels, weights_.rounding(),
                                                to.a + run.first * tensor_core_group));
  }
  const int top = tensor_window::highest_sum -
                  std::bit_width(static_cast<std::uint64_t>(groups_ * tensor_core_group - 1));
  const int weight = weights_.exponent(panel);
  const int shift =
      std::max(static_cast<int>(largest) - 127 - top + weight, tensor_window::lowest_shift);
  if (shift > tensor_window::highest_shift) return;

  state.path = PixelState::Path::fast;
  state.shift = shift;
  // An activation of exponent e counts as e - (shift - weight), and its byte is that plus 127.
  const int reference = shift - weight;
  state.any_outside = kernel_->encode(
      to, groups_, reference, std::max(1, 127 + reference + tensor_window::lowest_activation),
      power_of_two(-shift));
}

void TileWorker::exact_group(const Tile<float>& tile, int pixel, std::size_t panel,
                             std::int64_t group, std::int64_t weights) {
  const auto run = std::prev(std::upper_bound(
      runs_.begin(), runs_.end(), group, [](std::int64_t g, const Run& r) { return g < r.first; }));
  const std::int64_t channel = (group - run->first) * tensor_core_group;
  const float* const from = tile.x[run->tap * tile.pixels + pixel] + run->channel + channel;
  std::array<std::uint32_t, tensor_core_group> x{}, w;
  for (std::int64_t k = 0; k < std::min<std::int64_t>(tensor_core_group, run->channels - channel);
       ++k) {
    x[k] = round_to_tf32(std::bit_cast<std::uint32_t>(from[k]), weights_.rounding());
  }
  const float* const rows = weights_.rows(panel, weights).b;
  for (std::int64_t j = 0; j < weights_.panels()[panel].channels; ++j) {
    for (std::int64_t k = 0; k < tensor_core_group; ++k) {
      w[k] = std::bit_cast<std::uint32_t>(rows[k * tensor_panel + j]);
    }
    auto d = std::bit_cast<std::uint32_t>(acc(pixel)[j]);
    for (int k = 0; k < tensor_core_group; k += core_.block) {
      d = tensor_core_step(core_, x.data() + k, w.data() + k, d);
    }
    acc(pixel)[j] = std::bit_cast<float>(d);
  }
}

void TileWorker::advance(const Tile<float>& tile, int pixel, std::size_t panel, std::int64_t first,
                         std::int64_t weights, std::int64_t groups) {
  PixelState& state = state_[pixel];
  const std::int64_t channels = weights_.panels()[panel].channels;
  const int quarters = static_cast<int>((channels + 15) / 16);
  if (state.path == PixelState::Path::fast && !state.any_outside && !weights_.any_outside(panel)) {
    kernel_->accumulate(operands(pixel, first), weights_.rows(panel, weights), groups, quarters,
                        acc(pixel));
    return;
  }
  const auto scale = [&](int exponent) {
    for (std::int64_t j = 0; j < channels; ++j) acc(pixel)[j] *= power_of_two(exponent);
  };
  // Exact in both directions wherever it is used: see tensor_window.
  const auto fits_the_window = [&] {
    return std::all_of(acc(pixel), acc(pixel) + channels, [&](float c) {
      const auto bits = std::bit_cast<std::uint32_t>(c);
      const int exponent = exponent_field(bits) - 127 - state.shift;
      return is_zero(bits) || (exponent_field(bits) != 0 && exponent_field(bits) != 255 &&
                               exponent >= tensor_window::lowest_accumulator &&
                               exponent <= tensor_window::highest_accumulator);
    });
  };
  for (std::int64_t g = 0; g < groups; ++g) {
    const bool fast = state.path == PixelState::Path::fast;
    if (fast && operands(pixel, first + g).outside[0] == 0 &&
        !weights_.outside(panel, weights + g)) {
      kernel_->accumulate(operands(pixel, first + g), weights_.rows(panel, weights + g), 1,
                          quarters, acc(pixel));
      continue;
    }
    if (fast) scale(state.shift);
    exact_group(tile, pixel, panel, first + g, weights + g);
    if (fast) {
      if (fits_the_window()) {
        scale(-state.shift);
      } else {
        state.path = PixelState::Path::exact;
      }
    }
  }
}

void TileWorker::finish(const Tile<float>& tile, int pixel, const Panel& panel) {
  const PixelState& state = state_[pixel];
  float* const y = tile.y[pixel];
  const float scale = state.path == PixelState::Path::fast ? power_of_two(state.shift) : 1.0F;
  // The closing add of the contract: -0 becomes +0.
  for (std::int64_t j = 0; j < panel.channels; ++j) y[j] = acc(pixel)[j] * scale + 0.0F;
  if (!epilogue_.empty()) {
    apply(epilogue_, y, panel.channels, panel.group * window_.OC + panel.channel, set_);
  }
}

void TileWorker::run(const Tile<float>& tile, std::size_t panel) {
  list_runs(tile);
  for (int pixel = 0; pixel < tile.pixels; ++pixel) prepare(tile, pixel, panel);
  for (std::size_t r = 0; r < runs_.size();) {
    const Run& run = runs_[r];
    std::int64_t groups = run.groups;
    for (++r;
         r < runs_.size() && runs_[r].weights == run.weights + groups && groups < stretch_groups;
         ++r) {
      groups += runs_[r].groups;
    }
    for (int pixel = 0; pixel < tile.pixels; ++pixel) {
      advance(tile, pixel, panel, run.first, run.weights, groups);
    }
  }
  for (int pixel = 0; pixel < tile.pixels; ++pixel) finish(tile, pixel, weights_.panels()[panel]);
}

}  // namespace

std::unique_ptr<const Packed> pack_tensor(const Window& window, const Weights<float>& w,
                                          Algorithm algorithm, Rounding rounding) {
  return std::make_unique<PackedTensor>(window, w, algorithm, rounding);
}

void run_tensor(const Window& window, const float* x, const Packed& w,
                const Epilogue<float>& epilogue, float* y, const Execution& execution) {
  const auto* const weights = dynamic_cast<const PackedTensor*>(&w);
  if (weights == nullptr) {
    throw Error(Fault::internal, "run_tensor was given weights packed for another algorithm");
  }
  weights->require_fits(window);
  const InstructionSet set = resolve(execution.instruction_set);
  const std::optional<TensorKernel> kernel = tensor_kernel(weights->algorithm(), set);
  std::vector<TileWorker> workers;
  for (int i = 0; i < std::max(execution.threads, 1); ++i) {
    workers.emplace_back(window, *weights, kernel, epilogue, set);
  }
  walk<float>(window, x, y, weights->panels(), tile_pixels, ZeroTaps::listed, execution,
              [&](const Tile<float>& tile, std::size_t panel, int worker) {
                workers[static_cast<std::size_t>(worker)].run(tile, panel);
              });
}

}  // namespace parity::cpu
